// The trained recogniser (edge/student.py): hand frames -> ticks -> encoder -> score and caption.
import { ScoreError } from "../errors";
import type { Language } from "../language/resource";
import { parse } from "../language/parser";
import { type Heard, type TokenCaptioner, UNIT_TICKS, UNITS } from "./captioner";
import type { Confidence } from "./confidence";
import { decode, type DecodeSettings, Paths } from "./decode";
import { type FrameEncoder, LAG } from "./encoder";
import { type Pose, PoseReader } from "./features";
import { type HandFrame, present, type View } from "./frame";
import { FeatureReader } from "./modelFeatures";
import { Resampler, TICK_HZ } from "./resample";
import { parts, type Score } from "./score";
import { MOTION_NAMES, SLOT_WIDTH } from "./targets";

/** Probability of some motion that opens the caption's stretch, and ticks taken before it. */
const ACTS = 0.4;
const BEFORE = 5;
const ACTING = 0.5;
const MOVING_HOLD = 6;
const TRACKS = 14;

/** F1 of (hand, finger, motion) between two scores, times left aside; 0 where one says nothing. */
export function agreement(a: Score, b: Score): number {
  const counts = [a, b].map((score) => {
    const held = new Map<string, number>();
    for (const e of score) {
      if (e.motion === "rest") continue;
      for (const part of parts(e)) {
        const key = `${e.hand} ${part} ${e.motion}`;
        held.set(key, (held.get(key) ?? 0) + 1);
      }
    }
    return held;
  }) as [Map<string, number>, Map<string, number>];
  const sum = (m: Map<string, number>) => [...m.values()].reduce((x, y) => x + y, 0);
  const total = sum(counts[0]) + sum(counts[1]);
  let common = 0;
  for (const [key, n] of counts[0]) common += Math.min(n, counts[1].get(key) ?? 0);
  return total ? (2 * common) / total : 0;
}

export interface StudentOptions {
  readonly view: View;
  readonly mirrored: boolean;
  /** Keyframe features are of the network that the bundle names. */
  readonly appearance: boolean;
  readonly confidence: Confidence | null;
  readonly sure: number;
  /** English, whose words the captioner's weights hold. */
  readonly english: Language;
}

export class StudentRecogniser {
  readonly source = "model";
  private readonly resampler: Resampler;
  private readonly features: FeatureReader;
  private readers!: [PoseReader, PoseReader];
  private tracks = [-1, -1];
  private heard: Heard[] = [];
  private readonly paths: Paths;
  private moves = [false, false];
  private moved = -Infinity;
  private changes = 0;
  private labels: Uint8Array | null = null;
  private appearance: Float32Array | null = null;
  private known: { ticks: number; first: number; score: Score } | null = null;

  constructor(
    private readonly encoder: FrameEncoder, private readonly captioner: TokenCaptioner,
    private readonly settings: DecodeSettings, private readonly options: StudentOptions,
  ) {
    this.resampler = new Resampler(options.mirrored);
    this.features = new FeatureReader(options.view);
    this.paths = new Paths(settings);
    this.reset();
  }

  reset(): void {
    this.resampler.reset();
    this.features.reset();
    this.encoder.reset();
    this.readers = [new PoseReader(0, this.options.mirrored), new PoseReader(1, this.options.mirrored)];
    this.tracks = [-1, -1];
    this.heard = [];
    this.paths.reset();
    this.moves = [false, false];
    this.moved = -Infinity;
    this.changes = 0;
    this.labels = null;
    this.appearance = null;
    this.known = null;
  }

  /** Read one frame; returns its poses. known: these, where somebody has read them already. */
  async push(frame: HandFrame, known?: [Pose | null, Pose | null]): Promise<[Pose | null, Pose | null]> {
    const poses: [Pose | null, Pose | null] = known ?? [null, null];
    for (const slot of known ? [] : [0, 1]) {
      if (!present(frame, slot)) continue;
      const track = frame.trackId[slot]!;
      if (track !== this.tracks[slot]) {
        this.readers[slot] = new PoseReader(slot, this.options.mirrored);
        this.tracks[slot] = track;
      }
      poses[slot] = this.readers[slot]!.read(frame);
    }
    if (this.options.appearance && frame.appearance) this.appearance = frame.appearance;
    for (const tick of this.resampler.push(frame)) {
      const reading = await this.encoder.push(this.features.read(tick));
      this.hear({ t: tick.t, present: tick.present, reading, appearance: this.appearance });
      this.appearance = null;
    }
    return poses;
  }

  private hear(heard: Heard): void {
    this.heard.push(heard);
    const { probs, moving } = heard.reading;
    this.paths.push(probs);
    this.moves = this.moves.map((was, hand) => moving[hand]! > (was ? this.settings.rests : this.settings.moves));
    if (this.moves.some(Boolean)) this.moved = Math.max(this.moved, heard.t - MOVING_HOLD / TICK_HZ);
    if (acts(probs, ACTING)) this.moved = Math.max(this.moved, heard.t - LAG / TICK_HZ);
    const labels = new Uint8Array(TRACKS);
    for (let track = 0; track < TRACKS; track++) {
      const row = track * SLOT_WIDTH;
      for (let m = 1; m < MOTION_NAMES.length; m++) if (probs[row + m]! > probs[row + labels[track]!]!) labels[track] = m;
    }
    if (!this.labels || labels.some((l, i) => l !== this.labels![i])) this.changes += 1;
    this.labels = labels;
  }

  /** When a hand was last seen to act, seconds; -Infinity before. */
  movedAt(): number {
    return this.moved;
  }

  /** Grows whenever the reading of some finger changes. */
  get atoms(): number {
    return this.changes;
  }

  /** Events of the running phrase by the frame heads, both hands, in order of time. */
  score(_final = false): Score {
    const heard = this.heard;
    if (!heard.length) return [];
    if (this.known?.ticks !== heard.length || this.known.first !== heard[0]!.t) {
      const times = heard.map((h) => h.t - LAG / TICK_HZ);
      const score = decode(times, heard.map((h) => h.reading.probs), this.settings, this.paths.path(), this.options.confidence);
      this.known = { ticks: heard.length, first: heard[0]!.t, score };
    }
    return this.known!.score;
  }

  /** The captioner's words for the phrase, where it is sure of them. */
  certainty(confidence: number): number {
    return confidence;
  }

  async words(): Promise<readonly [string, number] | null> {
    const [text, confidence] = await this.caption();
    return text && confidence >= this.options.sure ? [text, confidence] : null;
  }

  /** The captioner's words for the running phrase, and how far they can be trusted. */
  async caption(): Promise<readonly [string, number]> {
    const heard = this.phrase();
    if (!heard.length) return ["", 0];
    const units = [];
    for (let i = 0; i < heard.length; i += UNIT_TICKS) units.push(await this.captioner.unit(heard.slice(i, i + UNIT_TICKS)));
    const told = await this.captioner.tell(units);
    const text = this.options.english.text(told.words);
    let said: Score = [];
    try {
      said = text ? parse(text, this.options.english) : [];
    } catch (error) {
      if (!(error instanceof ScoreError)) throw error;
    }
    return [text, Math.exp(told.logprob) * agreement(said, this.score())];
  }

  /** The ticks that a caption reads: from just before something acts, six seconds at most. */
  private phrase(): readonly Heard[] {
    const heard = this.heard.slice(-UNITS * UNIT_TICKS);
    const first = heard.findIndex((h) => acts(h.reading.probs, ACTS));
    return first < 0 ? [] : heard.slice(Math.max(first - BEFORE, 0));
  }

  /** Drop the ticks before this time (seconds). */
  forget(before = Infinity): void {
    if (!this.heard.length || this.heard[0]!.t >= before) return;
    const old = this.heard.filter((h) => h.t < before).length;
    this.heard.splice(0, old);
    this.paths.drop(old);
  }
}

/** Whether some slot moves with more than this probability. */
function acts(probs: Float32Array, least: number): boolean {
  for (let track = 0; track < TRACKS; track++) if (probs[track * SLOT_WIDTH]! < 1 - least) return true;
  return false;
}
