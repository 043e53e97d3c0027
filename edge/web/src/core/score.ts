// The motion score (edge/score.py). The tables themselves are written by `python -m export.web`, never by hand.
import { ScoreError } from "../errors";
import tables from "../tables.json";

export const HANDS = ["left", "right"] as const;
export const FINGERS: readonly string[] = tables.fingers;
export const CONTACTS: readonly string[] = tables.contacts;
export const EXTENTS: readonly string[] = tables.extents;
export const SPEEDS: readonly string[] = tables.speeds;
export const WHOLE_HAND = "hand";

export interface Motion {
  name: string;
  fingers: readonly number[];
  directions: readonly string[];
  contacts: readonly string[];
  needsContact: boolean;
}

/** Every motion by name, in the order of the vocabulary. */
export const MOTIONS: ReadonlyMap<string, Motion> = new Map(
  tables.motions.map((m) => [
    m.name,
    { name: m.name, fingers: m.fingers, directions: m.directions, contacts: m.contacts, needsContact: m.needs_contact },
  ]),
);

/** One thing that one hand does; times in seconds of the source. `source` is not part of what it says. */
export interface FingerEvent {
  readonly hand: string;
  readonly motion: string;
  readonly fingers: readonly string[];
  readonly direction: string;
  readonly contact: string;
  readonly extent: string;
  readonly speed: string;
  readonly repeat: number;
  readonly start: number;
  readonly end: number;
  readonly confidence: number;
  readonly source: string;
}

export type Score = readonly FingerEvent[];

export function fingerEvent(hand: string, motion: string, rest: Partial<FingerEvent> = {}): FingerEvent {
  return {
    hand,
    motion,
    fingers: [],
    direction: "",
    contact: "",
    extent: "full",
    speed: "normal",
    repeat: 1,
    start: 0,
    end: 0,
    confidence: 1,
    source: "",
    ...rest,
  };
}

export function motionOf(name: string): Motion {
  const motion = MOTIONS.get(name);
  if (!motion) throw new ScoreError(`The motion '${name}' is not in the vocabulary: ${[...MOTIONS.keys()].join(", ")}.`);
  return motion;
}

export function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((x, i) => x === b[i]);
}

/** Equal in all that an event says, times and confidence included. */
export function equal(a: FingerEvent, b: FingerEvent): boolean {
  return (
    a.hand === b.hand && a.motion === b.motion && sameList(a.fingers, b.fingers) && a.direction === b.direction &&
    a.contact === b.contact && a.extent === b.extent && a.speed === b.speed && a.repeat === b.repeat &&
    a.start === b.start && a.end === b.end && a.confidence === b.confidence
  );
}

/** The names that an event expands to: its fingers, or the whole hand. */
export function parts(event: FingerEvent): readonly string[] {
  return event.fingers.length ? event.fingers : [WHOLE_HAND];
}

/** Throws ScoreError, in one sentence, when an event is not in the vocabulary. */
export function check(event: FingerEvent): void {
  if (!(HANDS as readonly string[]).includes(event.hand)) {
    throw new ScoreError(`The hand must be left or right, found '${event.hand}'.`);
  }
  const motion = motionOf(event.motion);
  if (!sameList(event.fingers, FINGERS.filter((f) => event.fingers.includes(f)))) {
    throw new ScoreError(`Fingers must be a sub-list of ${FINGERS.join(", ")} in that order, found ${event.fingers.join(", ")}.`);
  }
  const [low, high] = motion.fingers as [number, number];
  if (event.fingers.length < low || event.fingers.length > high) {
    throw new ScoreError(`${event.motion} names ${low} to ${high} fingers, found ${event.fingers.length}.`);
  }
  const directions = motion.directions.length ? motion.directions : [""];
  if (!directions.includes(event.direction)) {
    throw new ScoreError(`${event.motion} takes ${motion.directions.join(", ") || "no direction"}, found '${event.direction}'.`);
  }
  if (event.contact && !motion.contacts.includes(event.contact)) {
    throw new ScoreError(`${event.motion} cannot have the contact '${event.contact}'.`);
  }
  if (event.motion === "pinch" && event.fingers.includes("thumb")) {
    throw new ScoreError("A pinch names the fingers that meet the thumb, not the thumb itself.");
  }
  if (event.fingers.includes(event.contact)) throw new ScoreError(`A finger cannot be its own contact: '${event.contact}'.`);
  if (motion.needsContact && !event.contact) {
    throw new ScoreError(`${event.motion} needs a contact: one of ${motion.contacts.join(", ")}.`);
  }
  if (!EXTENTS.includes(event.extent) || !SPEEDS.includes(event.speed) || event.repeat < 1) {
    throw new ScoreError(`Extent, speed or repeat is out of range: ${event.extent}, ${event.speed}, ${event.repeat}.`);
  }
  if (!(event.end >= event.start)) {
    throw new ScoreError(`An event must not end before it starts: ${event.start} to ${event.end} s.`);
  }
}

type Key = string | number | readonly string[];

/** Compares tuples of numbers, words and lists of words as Python does. */
export function compareKeys(a: readonly Key[], b: readonly Key[]): number {
  for (let i = 0; i < a.length; i++) {
    const x = a[i]!;
    const y = b[i]!;
    if (typeof x === "object" && typeof y === "object") {
      for (let k = 0; k < Math.min(x.length, y.length); k++) if (x[k] !== y[k]) return x[k]! < y[k]! ? -1 : 1;
      if (x.length !== y.length) return x.length - y.length;
    } else if (x !== y) return x < y ? -1 : 1;
  }
  return 0;
}

/** A score in its canonical order: by start, end, hand, motion, fingers. */
export function order(events: Iterable<FingerEvent>): FingerEvent[] {
  const key = (e: FingerEvent) => [e.start, e.end, e.hand, e.motion, e.fingers];
  return [...events].sort((a, b) => compareKeys(key(a), key(b)));
}

/** Temporal intersection over union of two events, 0..1. */
export function iou(a: FingerEvent, b: FingerEvent): number {
  const union = Math.max(a.end, b.end) - Math.min(a.start, b.start);
  if (union > 0) return Math.max(0, Math.min(a.end, b.end) - Math.max(a.start, b.start)) / union;
  return a.start === b.start ? 1 : 0;
}

/** Rounded as JSON lines are. */
export function rounded(value: number): number {
  return Number(value.toFixed(3));
}

/** An event as it stands in JSON lines: attributes that say nothing are left out. */
export function eventRow(e: FingerEvent): Record<string, unknown> {
  const out: Record<string, unknown> = { hand: e.hand, motion: e.motion };
  if (e.fingers.length) out.fingers = [...e.fingers];
  if (e.direction) out.direction = e.direction;
  if (e.contact) out.contact = e.contact;
  return {
    ...out, extent: e.extent, speed: e.speed, repeat: e.repeat,
    start: rounded(e.start), end: rounded(e.end), confidence: rounded(e.confidence),
  };
}

/** A stable name without the hand: "pinch_index", "swipe_thumb_left_on_index" (edge.narrator.label). */
export function label(e: FingerEvent): string {
  const words = [e.motion, ...(sameList(e.fingers, FINGERS) ? ["all"] : e.fingers)];
  if (e.direction) words.push(e.direction);
  const implied = e.contact === "thumb" && ["pinch", "release", "flick"].includes(e.motion);
  if (e.contact && !implied) words.push("on", e.contact);
  return words.join("_");
}
