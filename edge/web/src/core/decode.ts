// Frame probabilities -> events (edge/decode.py): the best path of every slot through its motions.
import { type Confidence, measures } from "./confidence";
import { TICK_HZ } from "./resample";
import { EXTENTS, type FingerEvent, FINGERS, fingerEvent, HANDS, motionOf, MOTIONS, order, type Score, SPEEDS } from "./score";
import {
  allowed, type Attribute, COLUMNS, CONTACT_NAMES, DIRECTION_NAMES, HAND_WIDTH, MOTION_NAMES, REPEATS, SLOT_WIDTH, SLOTS,
} from "./targets";

/** How frame probabilities become events; a bundle's `decode`. */
export interface DecodeSettings {
  readonly switch: number;
  readonly bias: number;
  readonly least_s: number;
  readonly sure: number;
  readonly together_s: number;
  readonly moves: number;
  readonly rests: number;
  /** Probability that extent, speed, repetition and a contact that may be left out need; absent or 0 = always told. */
  readonly attribute?: number;
}

const MOTION_COUNT = MOTION_NAMES.length;
const TRACKS = 2 * SLOTS.length;

/** Viterbi over every slot's motions with one cost for every change, a tick at a time. */
export class Paths {
  private now: Float64Array | null = null;
  private back: Uint8Array[] = [];
  private readonly bias = new Float64Array(TRACKS * MOTION_COUNT);

  constructor(readonly settings: DecodeSettings) {
    for (let track = 0; track < TRACKS; track++) {
      for (let m = 0; m < MOTION_COUNT; m++) {
        this.bias[track * MOTION_COUNT + m] = (allowed(track % SLOTS.length, m) ? 0 : -30) + (m ? 0 : settings.bias);
      }
    }
  }

  reset(): void {
    this.now = null;
    this.back = [];
  }

  /** Probabilities [2,7,slot width] of the next tick. */
  push(probs: Float32Array): void {
    const before = this.now;
    const now = new Float64Array(TRACKS * MOTION_COUNT);
    const from = new Uint8Array(TRACKS * MOTION_COUNT);
    for (let track = 0; track < TRACKS; track++) {
      const row = track * MOTION_COUNT;
      let best = 0;
      if (before) for (let m = 1; m < MOTION_COUNT; m++) if (before[row + m]! > before[row + best]!) best = m;
      const jump = before ? before[row + best]! - this.settings.switch : 0;
      for (let m = 0; m < MOTION_COUNT; m++) {
        const here = Math.log(Math.max(probs[track * SLOT_WIDTH + m]!, 1e-6)) + this.bias[row + m]!;
        const stays = !before || before[row + m]! >= jump;
        from[row + m] = stays ? m : best;
        now[row + m] = here + (before ? (stays ? before[row + m]! : jump) : 0);
      }
    }
    this.back.push(from);
    this.now = now;
  }

  /** Motion indices [T][14] of the best paths so far. */
  path(): Uint8Array[] {
    const now = this.now;
    if (!now) return [];
    const out = this.back.map(() => new Uint8Array(TRACKS));
    for (let track = 0; track < TRACKS; track++) {
      const row = track * MOTION_COUNT;
      let at = 0;
      for (let m = 1; m < MOTION_COUNT; m++) if (now[row + m]! > now[row + at]!) at = m;
      for (let t = out.length - 1; t >= 0; t--) {
        out[t]![track] = at;
        at = this.back[t]![row + at]!;
      }
    }
    return out;
  }

  /** Forget the oldest ticks. */
  drop(ticks: number): void {
    this.back.splice(0, ticks);
    if (!this.back.length) this.reset();
  }
}

/** Probabilities [T] of [2,7,slot width] at label times [T] seconds -> events, in order. */
export function decode(
  times: readonly number[], probs: readonly Float32Array[], s: DecodeSettings, path: readonly Uint8Array[],
  confidence: Confidence | null,
): Score {
  if (times.length < 2) return [];
  const tick = times[1]! - times[0]!;
  const least = s.least_s / tick;
  const events: FingerEvent[] = [];
  for (const hand of [0, 1]) {
    const alone: FingerEvent[] = [];
    for (let slot = 0; slot < SLOTS.length; slot++) {
      const track = hand * SLOTS.length + slot;
      for (let a = 0, z = 1; z <= path.length; z++) {
        if (z < path.length && path[z]![track] === path[a]![track]) continue;
        const motion = path[a]![track]!;
        if (motion && z - a >= least - 1e-6) {
          const event = eventFrom(hand, slot, motion, a, z, probs, times[0]!, tick, confidence, s.attribute ?? 0);
          if (event.confidence >= s.sure) alone.push(event);
        }
        a = z;
      }
    }
    events.push(...together(alone, s.together_s));
  }
  return order(events.filter(whole));
}

/** One slot's stretch [a, z) as an event; attributes that its motion cannot have are not considered. */
function eventFrom(
  hand: number, slot: number, motion: number, a: number, z: number, probs: readonly Float32Array[], first: number,
  tick: number, confidence: Confidence | null, doubt: number,
): FingerEvent {
  const kind = motionOf(MOTION_NAMES[motion]!);
  const at = hand * HAND_WIDTH + slot * SLOT_WIDTH;
  const rows = probs.slice(a, z).map((p) => p.subarray(at, at + SLOT_WIDTH));
  const logs = (part: readonly Float32Array[], name: Attribute): number[] => {
    const [from, to] = COLUMNS[name];
    const out: number[] = [];
    for (let k = from; k < to; k++) {
      out.push(part.reduce((sum, row) => sum + Math.log(Math.max(row[k]!, 1e-4)), 0) / part.length);
    }
    return out;
  };
  const contact = logs(rows, "contact");
  const direction = logs(rows, "direction");
  let sure: number;
  if (confidence) {
    let others = 0;
    for (const p of probs.slice(a, z)) {
      for (let o = 0; o < SLOTS.length; o++) if (o !== slot) others += 1 - p[hand * HAND_WIDTH + o * SLOT_WIDTH]!;
    }
    others /= (z - a) * (SLOTS.length - 1);
    const attributes = Math.max(...contact) + (kind.directions.length ? Math.max(...direction) : 0);
    const motions = rows.map((row) => [...row.subarray(0, MOTION_COUNT)]);
    sure = confidence.of(kind.name, measures(motions, motion, (z - a) / TICK_HZ, attributes, others));
  } else sure = rows.reduce((sum, row) => sum + row[motion]!, 0) / rows.length;
  return fingerEvent(HANDS[hand]!, kind.name, {
    fingers: slot < FINGERS.length ? [FINGERS[slot]!] : [],
    direction: bestOf(direction, DIRECTION_NAMES, kind.directions.length ? kind.directions : [""]),
    contact: contactFrom(contact, contactsOf(kind.name, slot), doubt),
    extent: EXTENTS[surest(logs(rows, "extent"), EXTENTS.indexOf("full"), doubt)]!,
    speed: SPEEDS[surest(logs(rows, "speed"), SPEEDS.indexOf("normal"), doubt)]!,
    repeat: REPEATS[surest(logs(rows.slice(rows.length >> 1), "repeat"), 0, doubt)]!,
    start: Number((first + a * tick).toFixed(6)),
    end: Number((first + z * tick).toFixed(6)),
    confidence: sure,
  });
}

/** Whether a class of mean log-probabilities is as likely as is asked for. */
function likely(row: readonly number[], at: number, doubt: number): boolean {
  return doubt === 0 || Math.exp(row[at]!) >= doubt * row.reduce((sum, x) => sum + Math.exp(x), 0);
}

function surest(row: readonly number[], plain: number, doubt: number): number {
  const best = argmax(row);
  return likely(row, best, doubt) ? best : plain;
}

function contactFrom(row: readonly number[], choice: readonly string[], doubt: number): string {
  const best = bestOf(row, CONTACT_NAMES, choice);
  return choice.includes("") && !likely(row, CONTACT_NAMES.indexOf(best), doubt) ? "" : best;
}

export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

function contactsOf(motion: string, slot: number): string[] {
  const kind = MOTIONS.get(motion)!;
  const named = kind.contacts.filter((c) => c !== SLOTS[slot]);
  return kind.needsContact ? named : ["", ...named];
}

function bestOf(row: readonly number[], names: readonly string[], choice: readonly string[]): string {
  return choice.reduce((best, name) => (row[names.indexOf(name)]! > row[names.indexOf(best)]! ? name : best));
}

/** Fingers of one hand that do the same at the same time, as one event. */
function together(events: readonly FingerEvent[], near: number): FingerEvent[] {
  const out: FingerEvent[] = [];
  for (const event of [...events].sort((a, b) => a.start - b.start)) {
    const most = motionOf(event.motion).fingers[1]!;
    const at = out.findIndex((other) => {
      const same = other.motion === event.motion && other.direction === event.direction && other.contact === event.contact;
      const shared = Math.min(other.end, event.end) - Math.max(other.start, event.start);
      const close = Math.abs(other.start - event.start) <= near || Math.abs(other.end - event.end) <= near;
      const apart = !event.fingers.some((f) => other.fingers.includes(f));
      return same && event.fingers.length > 0 && shared > 0 && close && apart && other.fingers.length < most;
    });
    if (at < 0) {
      out.push(event);
      continue;
    }
    const other = out[at]!;
    const n = other.fingers.length;
    out[at] = {
      ...other,
      fingers: FINGERS.filter((f) => other.fingers.includes(f) || event.fingers.includes(f)),
      start: Math.min(other.start, event.start),
      end: Math.max(other.end, event.end),
      confidence: (other.confidence * n + event.confidence) / (n + 1),
    };
  }
  return out;
}

/** Whether the vocabulary allows the event: spreading takes two fingers, a finger cannot touch itself. */
function whole(event: FingerEvent): boolean {
  const [low, high] = motionOf(event.motion).fingers as [number, number];
  return low <= event.fingers.length && event.fingers.length <= high && !event.fingers.includes(event.contact);
}
