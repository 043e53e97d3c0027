// The student with the rules at its side (edge/fallback.py): a second opinion where it doubts.
import { softened } from "./confidence";
import type { Pose } from "./features";
import { type HandFrame, LEFT, present, RIGHT } from "./frame";
import type { RuleRecogniser } from "./rules";
import { type FingerEvent, iou, motionOf, order, type Score } from "./score";
import type { StudentRecogniser } from "./student";

/** A stream's reader of hands: whatever of the running phrase it needs is its state. */
export interface Recogniser {
  readonly source: string;
  readonly atoms: number;
  push(frame: HandFrame): Promise<[Pose | null, Pose | null]>;
  movedAt(): number;
  score(final: boolean): Score;
  words(): Promise<readonly [string, number] | null>;
  /** Probability that a caption is right whose least sure event, or whose words, have this confidence. */
  certainty(confidence: number): number;
  forget(before?: number): void;
  reset(): void;
}

const SAME_IOU = 0.2;

/** sure: confidence from which the student's events are told unasked. trust: of the rules where it names nothing. */
export interface FallbackSettings {
  readonly sure: number;
  readonly trust: number;
  /** Of a caption's confidence; absent = 1. */
  readonly temperature?: number;
  /** Kinds of landmarks that the rules read first: "joints" (world alone), "image" (image alone). */
  readonly rules_first?: readonly string[];
}

/** What landmarks a frame's first hand has: "both", "joints", "image"; "" where there is none. */
export function kindOf(frame: HandFrame): string {
  for (const slot of [LEFT, RIGHT]) {
    if (!present(frame, slot)) continue;
    const world = isFinite(frame.world[slot * 63]!);
    return world && isFinite(frame.landmarks[slot * 63]!) ? "both" : world ? "joints" : "image";
  }
  return "";
}

/** What is told of a phrase, given both readings of it; every event says whose it is. */
export function choose(model: Score, rules: Score, settings: FallbackSettings): Score {
  if (!model.length) {
    const mean = rules.reduce((sum, e) => sum + e.confidence, 0) / rules.length;
    return rules.length && mean >= settings.trust ? rules.map((e) => ({ ...e, source: "rules" })) : [];
  }
  const told = model.map((e) => (e.confidence >= settings.sure ? { ...e, source: "model" } : confirmed(e, rules)));
  return order(told.filter((e): e is FingerEvent => e !== null));
}

/** The part of an event that the rules read too, in their name; null where they do not. */
function confirmed(event: FingerEvent, rules: Score): FingerEvent | null {
  const same = rules.filter((r) => r.hand === event.hand && r.motion === event.motion && iou(r, event) >= SAME_IOU);
  if (!same.length) return null;
  const fingers = event.fingers.filter((f) => same.some((r) => r.fingers.includes(f)));
  if (fingers.length < Math.max(motionOf(event.motion).fingers[0]!, event.fingers.length ? 1 : 0)) return null;
  return { ...event, fingers, source: "rules" };
}

/** The rules' events, and the student's where they read nothing of these fingers; every event says whose it is. */
export function filled(rules: Score, model: Score): Score {
  const free = model.filter((e) => !rules.some((r) => meet(e, r)));
  return order([
    ...rules.map((r): FingerEvent => ({ ...r, source: "rules" })), ...free.map((e): FingerEvent => ({ ...e, source: "model" })),
  ]);
}

/** Whether two events are of the same fingers, or of the whole hand, at the same time. */
function meet(a: FingerEvent, b: FingerEvent): boolean {
  const parts = !a.fingers.length || !b.fingers.length || a.fingers.some((f) => b.fingers.includes(f));
  return a.hand === b.hand && parts && Math.min(a.end, b.end) > Math.max(a.start, b.start);
}

/** Student and rules over one stream, as one recogniser. */
export class FallbackRecogniser implements Recogniser {
  readonly source = "model";
  private own = false;
  private first = false;

  constructor(readonly model: StudentRecogniser, readonly rules: RuleRecogniser, readonly settings: FallbackSettings) {}

  get atoms(): number {
    return this.model.atoms + this.rules.atoms;
  }

  push(frame: HandFrame): Promise<[Pose | null, Pose | null]> {
    const kind = kindOf(frame);
    if (kind) this.first = !!this.settings.rules_first?.includes(kind);
    return this.model.push(frame, this.rules.read(frame));
  }

  movedAt(): number {
    const moved = this.model.movedAt();
    return this.first ? Math.max(moved, this.rules.movedAt()) : moved;
  }

  score(final: boolean): Score {
    const own = this.model.score(final);
    if (this.first) {
      this.own = false;
      return filled(this.rules.score(final), own);
    }
    const asked = !own.length || own.some((e) => e.confidence < this.settings.sure);
    // at the end of a phrase the rules close what is under way and remember what lies on the thumb
    const other = final || asked ? this.rules.score(final) : [];
    this.own = !asked;
    return choose(own, other, this.settings);
  }

  async words(): Promise<readonly [string, number] | null> {
    return this.own ? this.model.words() : null;
  }

  certainty(confidence: number): number {
    return softened(confidence, this.settings.temperature ?? 1);
  }

  forget(before = Infinity): void {
    this.model.forget(before);
    this.rules.forget(before);
  }

  reset(): void {
    this.model.reset();
    this.rules.reset();
    this.own = this.first = false;
  }
}
