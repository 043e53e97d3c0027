// What the pipeline says (edge/events.py): the same JSON rows as every other figop writes.
import { eventRow, type FingerEvent, rounded, type Score } from "./score";
import tables from "../tables.json";

interface Common {
  readonly id: string;
  readonly tStart: number;
  readonly tEnd: number;
  readonly revision: number;
  readonly final: boolean;
  readonly confidence: number;
  readonly source: string;
  readonly stagesMs: Record<string, number>;
  readonly ageMs: number;
}
export interface HandsSeen extends Common {
  readonly type: "hands_seen";
  readonly hands: Record<string, number>;
}
export interface Gesture extends Common {
  readonly type: "gesture_start" | "gesture_end";
  readonly hand: string;
  readonly label: string;
  readonly event: FingerEvent | null;
}
export interface Caption extends Common {
  readonly type: "caption";
  readonly text: string;
  readonly score: Score;
}
export interface Dropped extends Common {
  readonly type: "dropped";
  readonly reason: string;
  readonly count: number;
}
export type FigopEvent = HandsSeen | Gesture | Caption | Dropped;

export function common(id: string, tStart: number, tEnd: number, rest: Partial<Common> = {}): Common {
  return {
    id, tStart, tEnd, revision: 0, final: true, confidence: 1, source: "rules", stagesMs: {}, ageMs: 0, ...rest,
  };
}

/** One JSON line: plain types, times rounded to 1 ms. */
export function row(e: FigopEvent): Record<string, unknown> {
  const out: Record<string, unknown> = {
    type: e.type,
    schema: tables.event_schema,
    id: e.id,
    revision: e.revision,
    final: e.final,
    t_start: rounded(e.tStart),
    t_end: rounded(e.tEnd),
    confidence: rounded(e.confidence),
    source: e.source,
    stages_ms: Object.fromEntries(Object.entries(e.stagesMs).map(([k, v]) => [k, rounded(v)])),
    age_ms: rounded(e.ageMs),
  };
  switch (e.type) {
    case "hands_seen":
      return { ...out, hands: { ...e.hands } };
    case "caption":
      return { ...out, text: e.text, score: e.score.map(eventRow) };
    case "dropped":
      return { ...out, reason: e.reason, count: e.count };
    default:
      return { ...out, hand: e.hand, label: e.label, ...(e.event ? { event: eventRow(e.event) } : {}) };
  }
}
