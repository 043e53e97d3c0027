// `Captioner` (edge/pipeline.py): push frames, get events. The same frames give the same events, however grouped.
import { narrate, type Detail, type Style } from "../language/narrator";
import type { Language } from "../language/resource";
import { type Caption, common, type Dropped, type FigopEvent, type Gesture } from "./events";
import { type Cutting, CUTTING, FigopBuffer, PhraseClock, type Unit } from "./figop";
import type { Recogniser } from "./fallback";
import { type HandFrame, present, seconds } from "./frame";
import { type FingerEvent, HANDS, iou, label, sameList, type Score } from "./score";

const GAP_S = 0.5;
const RESTART_AFTER = 15;
const IDLE_KEEP_S = 0.6;
const GESTURE_REST_S = 0.3;

export interface Wording {
  readonly language: Language;
  readonly style: Style;
  readonly detail: Detail;
}

/** Captions one stream; one call at a time. */
export class Captioner {
  last: HandFrame | null = null;
  private readonly buffer: FigopBuffer;
  private readonly phrase: PhraseClock;
  private phrases = 0;
  private gestures = 0;
  private readonly dropped = new Map<string, number>();
  private late = 0;
  private hands = "{}";
  private told = "";
  private revision = 0;
  private open = new Map<string, Gesture>();
  private ended = new Map<string, Gesture>();
  private runsTold = -1;

  constructor(
    readonly recogniser: Recogniser, public wording: Wording, cutting: Partial<Cutting> = {},
    private readonly clock: () => number = () => performance.now(),
  ) {
    const cut = { ...CUTTING, ...cutting };
    this.buffer = new FigopBuffer(cut.unit_s, cut.pose_threshold);
    this.phrase = new PhraseClock(cut.rest_s, cut.cap_s);
  }

  /** Whether a frame at t seconds will be a keyframe: then its appearance must be read out while it is tracked. */
  keyframeNext(t: number): boolean {
    return this.buffer.keyframeNext(t);
  }

  /** Take one frame; returns what is new. */
  async push(frame: HandFrame, arrival = this.clock()): Promise<FigopEvent[]> {
    const early = await this.checkTime(frame.tNs);
    if (early && this.late) return early;
    const events: FigopEvent[] = early ?? [];
    const began = this.clock();
    const poses = await this.recogniser.push(frame);
    const t = seconds(frame);
    const seen: Record<string, number> = {};
    for (const slot of [0, 1]) {
      if (!present(frame, slot)) continue;
      seen[HANDS[slot]!] = frame.trackId[slot]!;
      if (!poses[slot]) events.push(...this.drop("landmarks_not_finite", t));
    }
    const read = this.clock();
    const now = JSON.stringify(seen);
    if (now !== this.hands) {
      this.hands = now;
      events.push({ type: "hands_seen", ...common("hands", t, t, { source: "tracker" }), hands: seen });
    }
    this.last = frame;
    const unit = this.buffer.push(frame, poses);
    const stages = { ...frame.stagesMs, reading: read - began };
    events.push(...(await this.advance(t, unit, stages, arrival)));
    return events;
  }

  /** End the stream here: the last unit and the last phrase. */
  async flush(): Promise<FigopEvent[]> {
    this.buffer.flush();
    const t = this.last ? seconds(this.last) : 0;
    const events = this.phrase.open ? await this.endPhrase(t, {}, this.clock()) : [];
    this.buffer.reset();
    return events;
  }

  /** A new stream: whatever ran is forgotten. */
  reset(): void {
    this.recogniser.reset();
    this.buffer.reset();
    this.phrase.reset();
    this.last = null;
    this.hands = "{}";
    this.told = "";
    this.revision = this.late = 0;
    this.runsTold = -1;
    this.open.clear();
    this.ended.clear();
  }

  /** Events that a stamp causes by itself; null = it is in order. `late` > 0 = do not use the frame. */
  private async checkTime(tNs: bigint): Promise<FigopEvent[] | null> {
    const last = this.last;
    if (!last) return null;
    const t = Number(tNs) * 1e-9;
    if (tNs === last.tNs) {
      this.late = Math.max(this.late, 1);
      return this.drop("time_stood_still", seconds(last));
    }
    if (tNs < last.tNs) {
      this.late += 1;
      if (this.late < RESTART_AFTER) return this.drop("time_went_back", seconds(last));
      const events = [...(await this.restart()), ...this.drop("clock_restarted", t)];
      this.late = 0;
      return events;
    }
    this.late = 0;
    if (Number(tNs - last.tNs) * 1e-9 > GAP_S) return [...(await this.restart()), ...this.drop("gap", t)];
    return null;
  }

  /** What ran before a hole in time is over: say it, then begin anew. */
  private async restart(): Promise<FigopEvent[]> {
    const events = await this.flush();
    this.recogniser.reset();
    this.phrase.reset();
    this.last = null;
    return events;
  }

  /** Count a dropped frame; told at the first, second, fourth, ... time, so that a fault cannot flood. */
  private drop(reason: string, t: number): Dropped[] {
    const count = (this.dropped.get(reason) ?? 0) + 1;
    this.dropped.set(reason, count);
    if (count & (count - 1)) return [];
    const said = common(`dropped-${reason}`, t, t, { revision: count, source: "tracker" });
    return [{ type: "dropped", ...said, reason, count }];
  }

  /** Phrase logic after a frame has been read. */
  private async advance(t: number, unit: Unit | null, stages: Record<string, number>, arrival: number): Promise<FigopEvent[]> {
    if (this.phrase.push(t, this.recogniser.movedAt()) === "close") return this.endPhrase(t, stages, arrival);
    if (!this.phrase.open) {
      this.recogniser.forget(t - IDLE_KEEP_S);
      return [];
    }
    if (!unit && this.recogniser.atoms === this.runsTold) return [];
    this.runsTold = this.recogniser.atoms;
    return this.tell(this.recogniser.score(false), t, false, stages, arrival);
  }

  private async endPhrase(t: number, stages: Record<string, number>, arrival: number): Promise<FigopEvent[]> {
    const events = await this.tell(this.recogniser.score(true), t, true, stages, arrival);
    this.recogniser.forget();
    this.phrase.reset();
    if (events.at(-1)?.type === "caption") this.phrases += 1;
    this.told = "";
    this.revision = 0;
    this.runsTold = -1;
    return events;
  }

  /** Gesture events and the caption of a reading of the phrase. */
  private async tell(
    score: Score, t: number, final: boolean, stages: Record<string, number>, arrival: number,
  ): Promise<FigopEvent[]> {
    const began = this.clock();
    const events: FigopEvent[] = this.gestureEvents(score, t, final);
    const { language, style, detail } = this.wording;
    let text = score.length ? narrate(score, language, style, detail) : "";
    let sure = score.length ? Math.min(...score.map((e) => e.confidence)) : 0;
    // the model's own words are plain English; in another wording the narrator speaks for it
    const plain = language.code === "en" && style === "descriptive" && detail === "normal";
    const own = final && text && plain ? await this.recogniser.words() : null;
    if (own) [text, sure] = own;
    if (score.length) sure = this.recogniser.certainty(sure);
    // a phrase that was announced must be ended, even if its final reading is empty
    if ((text && (final || text !== this.told)) || (final && this.told)) {
      const tEnd = score.length ? Math.max(...score.map((e) => e.end)) : t;
      const said = common(`phrase-${this.phrases}`, score.length ? score[0]!.start : t, tEnd, {
        revision: this.revision, final, confidence: sure, source: sourceOf(score, this.recogniser.source),
      });
      const caption: Caption = { type: "caption", ...said, text, score };
      events.push(caption);
      this.revision += 1;
      this.told = text;
    }
    const now = this.clock();
    return events.map((e) => ({ ...e, stagesMs: { ...stages, captions: now - began }, ageMs: now - arrival }));
  }

  /** Starts (and their revisions) of the motions in a reading; their ends when they are over. */
  private gestureEvents(score: Score, t: number, final: boolean): Gesture[] {
    const events: Gesture[] = [];
    const before = this.open;
    this.open = new Map();
    const told = new Map(this.ended);
    for (const event of score) {
      const spoken = same(event, told);
      if (spoken !== null) {
        told.delete(spoken);
        continue;
      }
      const known = same(event, before);
      let start: Gesture;
      if (known === null) {
        this.gestures += 1;
        start = this.gesture(`gesture-${this.gestures}`, event, 0);
        events.push(start);
      } else {
        start = before.get(known)!;
        before.delete(known);
        if (!start.event || label(start.event) !== label(event)) {
          start = this.gesture(start.id, event, start.revision + 1);
          events.push(start);
        }
      }
      const busyUntil = Math.max(...score.filter((e) => e.hand === event.hand).map((e) => e.end));
      if (final || t - busyUntil >= GESTURE_REST_S) {
        events.push(end(start, event));
        this.ended.set(start.id, { ...start, event });
      } else this.open.set(start.id, start);
    }
    // no longer part of the reading: withdrawn
    for (const start of before.values()) events.push({ ...end(start, start.event), confidence: 0 });
    if (final) this.ended = new Map();
    return events;
  }

  private gesture(id: string, event: FingerEvent, revision: number): Gesture {
    const said = common(id, event.start, event.end, {
      revision, final: false, confidence: event.confidence, source: event.source || this.recogniser.source,
    });
    return { type: "gesture_start", ...said, hand: event.hand, label: label(event), event };
  }
}

/** The open gesture that this event is a later reading of: same hand, most overlap in time. */
function same(event: FingerEvent, before: ReadonlyMap<string, Gesture>): string | null {
  let best: string | null = null;
  let bestShare = 0.2;
  for (const [name, { event: old }] of before) {
    if (!old || old.hand !== event.hand) continue;
    const alike = Number(old.motion === event.motion) + Number(sameList(old.fingers, event.fingers));
    const over = iou(old, event);
    const share = over > 0.2 ? over + 0.5 * alike : 0;
    if (share > bestShare) {
      best = name;
      bestShare = share;
    }
  }
  return best;
}

/** Who speaks in a caption: the model only where it was sure of every event. */
function sourceOf(score: Score, fallback: string): string {
  const named = new Set(score.map((e) => e.source || fallback));
  return named.size === 1 ? [...named][0]! : named.size ? "rules" : fallback;
}

/** The end of a gesture, with its final reading. */
function end(start: Gesture, event: FingerEvent | null): Gesture {
  const last = event ?? start.event;
  const said = common(start.id, last ? last.start : start.tStart, last ? last.end : start.tEnd, {
    revision: start.revision + 1, confidence: last ? last.confidence : 0, source: last?.source || start.source,
  });
  return { type: "gesture_end", ...said, hand: start.hand, label: start.label, event: last };
}
