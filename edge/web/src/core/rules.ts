// Landmarks -> score by joint angles and contacts, no learning (edge/rules.py): second opinion of the student.
import { type Atom, atom, type RuleSettings } from "./atoms";
import { Channel, change, channelSettings } from "./channels";
import { compose } from "./compose";
import { type Pose, PoseReader } from "./features";
import { type HandFrame, LEFT, present, RIGHT } from "./frame";
import { turned } from "./modelFeatures";
import { type FingerEvent, HANDS, order, type Score } from "./score";
import { SideContact } from "./sideContact";

const FORGET_S = 0.35;
const BEND = channelSettings(14, 14);
const REACH = channelSettings(0.12, 0.12);
const SPREAD = channelSettings(6, 6, { smoothS: 0.06 });
const ROLL = channelSettings(14, 14, { smoothS: 0.05 });
const PLACE = channelSettings(0.25, 0.2, { baseS: 0.6 });
const DEPTH = channelSettings(0.6, 0.5, { baseS: 0.6, smoothS: 0.08 });
const LEAP_PER_S = 30;
const LEAP_LEAST_S = 1 / 30;
const SETTLE_S = 0.25;
const PRESENCE_S = 0.3;

interface Quantity {
  readonly kind: string;
  readonly finger: number;
  readonly channel: Channel;
}

/** The channels of one hand, and the atoms of the running phrase. */
class HandRules {
  readonly hand: string;
  atoms: Atom[] = [];
  reader: PoseReader;
  private last: Pose | null = null;
  private touching = new Set<string>();
  private readonly side: SideContact;
  private readonly quantities: readonly Quantity[];
  private roll = 0;
  private since = Infinity;
  private presence = 1;
  private doubt = 1;

  constructor(readonly slot: number, readonly settings: RuleSettings, readonly mirrored: boolean) {
    this.hand = HANDS[slot]!;
    this.side = new SideContact(settings);
    this.reader = new PoseReader(slot, mirrored);
    const of = (kind: string, fingers: number[], s: typeof BEND) => fingers.map((finger) => ({ kind, finger, channel: new Channel(s) }));
    this.quantities = [
      ...of("bend", [0, 1, 2, 3, 4], BEND), ...of("reach", [1, 2, 3, 4], REACH), ...of("spread", [1, 2, 3], SPREAD),
      ...of("roll", [-1], ROLL), ...of("x", [-1], PLACE), ...of("y", [-1], PLACE), ...of("z", [-1], DEPTH),
    ];
  }

  /** Forget poses (the hand was lost): what was under way is closed as it stands; atoms of the phrase stay. */
  restart(): void {
    this.flush();
    this.reader = new PoseReader(this.slot, this.mirrored);
    this.roll = 0;
    this.since = Infinity;
    this.presence = this.doubt = 1;
    this.last = null;
    this.touching = new Set();
    for (const q of this.quantities) q.channel.reset();
    this.side.reset();
  }

  movedAt(): number {
    let newest = this.side.movedAt;
    for (const q of this.quantities) {
      const run = q.channel.progress();
      if (run && Math.abs(change(run)) >= this.moves(q.kind)) newest = Math.max(newest, q.channel.progressedAt);
    }
    return newest;
  }

  private moves(kind: string): number {
    const s = this.settings;
    const least: Record<string, number> = {
      bend: 0.8 * s.thumb_bend_min, reach: s.reach_change, spread: s.spread_min, roll: s.roll_min, z: s.swipe_depth_min,
    };
    return least[kind] ?? s.wave_min;
  }

  /** Read one pose, and how sure the tracker is of it (0..1). */
  push(pose: Pose, presence: number): void {
    if (this.last && broken(this.last, pose)) this.restart();
    const last = this.last;
    if (last && last.placeFrom !== pose.placeFrom) {
      // another origin and unit: no motion
      for (const q of this.quantities) if (["x", "y", "z"].includes(q.kind)) q.channel.reset();
    }
    this.weigh(pose.t, presence);
    this.last = pose;
    this.since = Math.min(this.since, pose.t);
    if (pose.t - this.since < SETTLE_S) {
      for (const q of this.quantities) q.channel.reset();
      return;
    }
    if (last) this.roll += (turned(last.axes, pose.axes) * 180) / Math.PI;
    const reaches = reachesOf(pose);
    for (const { kind, finger, channel } of this.quantities) {
      const run = channel.push(pose.t, this.valueOf(kind, finger, pose, reaches));
      if (run) this.atoms.push(atom(kind, finger, run, pose.bend, reaches, { doubt: this.doubt }));
    }
    const touch = this.side.push(pose, pose.bend, reaches);
    if (touch) this.atoms.push(touch);
  }

  private valueOf(kind: string, finger: number, pose: Pose, reaches: readonly number[]): number {
    if (kind === "bend") return pose.bend[finger]!;
    if (kind === "reach") return reaches[finger - 1]!;
    if (kind === "spread") return pose.spread[finger]!;
    return kind === "roll" ? this.roll : pose.place["xyz".indexOf(kind)]!;
  }

  /** Follow the tracker's presence score: below `doubt_from` its bends err more. */
  private weigh(t: number, presence: number): void {
    const s = this.settings;
    const dt = this.last ? t - this.last.t : 0;
    this.presence += (presence - this.presence) * (this.last ? dt / (dt + PRESENCE_S) : 1);
    this.doubt = Math.min(1 + s.doubt_gain * Math.max(0, s.doubt_from - this.presence), s.doubt_most);
  }

  /** Keep in mind what a spoken phrase left on the thumb. */
  remember(spoken: Score): void {
    for (const event of order(spoken)) this.touching = after(this.touching, event);
  }

  /** Close every open run and touch. */
  flush(): void {
    if (!this.last) return;
    const reaches = reachesOf(this.last);
    for (const { kind, finger, channel } of this.quantities) {
      const run = channel.flush();
      if (run) this.atoms.push(atom(kind, finger, run, this.last.bend, reaches, { doubt: this.doubt }));
    }
    const touch = this.side.flush(this.last.bend, reaches);
    if (touch) this.atoms.push(touch);
  }

  /** The phrase's events so far; a provisional reading takes the open runs as they stand. */
  score(view: string, provisional: boolean): FingerEvent[] {
    let atoms = this.atoms;
    if (provisional && this.last) {
      const { bend } = this.last;
      const reaches = reachesOf(this.last);
      const open = this.quantities.flatMap(({ kind, finger, channel }) => {
        const run = channel.progress();
        return run ? [atom(kind, finger, run, bend, reaches, { closed: false, doubt: this.doubt })] : [];
      });
      atoms = [...atoms, ...open];
    }
    return compose(atoms, this.hand, view, this.settings, this.touching);
  }
}

/** Whether no motion leads from one pose to the next: a long gap, another source, or a leap through space. */
function broken(last: Pose, pose: Pose): boolean {
  if (pose.t - last.t > FORGET_S || pose.readFrom !== last.readFrom) return true;
  if (pose.placeFrom !== last.placeFrom) return false;
  const leap = Math.max(Math.abs(pose.place[0] - last.place[0]), Math.abs(pose.place[1] - last.place[1]));
  return leap > LEAP_PER_S * Math.max(pose.t - last.t, LEAP_LEAST_S);
}

/** Which fingers are on the thumb after an event. */
function after(touching: ReadonlySet<string>, event: FingerEvent): Set<string> {
  if (event.motion === "pinch") return new Set([...touching, ...event.fingers]);
  if (["release", "extend", "tap", "flick"].includes(event.motion)) {
    return new Set([...touching].filter((f) => !event.fingers.includes(f)));
  }
  return ["open", "grab", "point"].includes(event.motion) ? new Set() : new Set(touching);
}

/** Thumb-to-fingertip distances: the mean of 3D and image distance where both exist. */
function reachesOf(pose: Pose): number[] {
  return pose.reach.map((r, k) => {
    const i = pose.reachImage[k]!;
    return Number.isNaN(i) ? r : 0.5 * (r + Math.min(r, i));
  });
}

/** Both hands' rules over a stream. State: channels and the running phrase's atoms. */
export class RuleRecogniser {
  readonly source = "rules";
  private hands: [HandRules, HandRules];
  private tracks = [-1, -1];

  constructor(readonly settings: RuleSettings, readonly view: string = "facing", readonly mirrored = false) {
    this.hands = [new HandRules(LEFT, settings, mirrored), new HandRules(RIGHT, settings, mirrored)];
  }

  reset(): void {
    this.hands = [new HandRules(LEFT, this.settings, this.mirrored), new HandRules(RIGHT, this.settings, this.mirrored)];
    this.tracks = [-1, -1];
  }

  /** Read one frame; returns the poses that it held. */
  read(frame: HandFrame): [Pose | null, Pose | null] {
    const poses: [Pose | null, Pose | null] = [null, null];
    this.hands.forEach((rules, slot) => {
      if (!present(frame, slot)) return;
      const track = frame.trackId[slot]!;
      if (track !== this.tracks[slot]) {
        rules.restart();
        this.tracks[slot] = track;
      }
      const pose = rules.reader.read(frame);
      if (!pose) return;
      rules.push(pose, frame.presence[slot]!);
      poses[slot] = pose;
    });
    return poses;
  }

  async push(frame: HandFrame): Promise<[Pose | null, Pose | null]> {
    return this.read(frame);
  }

  movedAt(): number {
    return Math.max(...this.hands.map((rules) => rules.movedAt()));
  }

  /** Events of the running phrase, both hands, in order of time. */
  score(final: boolean): Score {
    const events: FingerEvent[] = [];
    for (const rules of this.hands) {
      if (final) rules.flush();
      const own = rules.score(this.view, !final);
      if (final) rules.remember(own);
      events.push(...own);
    }
    return order(events);
  }

  certainty(confidence: number): number {
    return confidence;
  }

  async words(): Promise<readonly [string, number] | null> {
    return null;
  }

  /** How many runs the phrase holds. */
  get atoms(): number {
    return this.hands[0].atoms.length + this.hands[1].atoms.length;
  }

  forget(before = Infinity): void {
    for (const rules of this.hands) rules.atoms = rules.atoms.filter((a) => a.run.end >= before);
  }
}
