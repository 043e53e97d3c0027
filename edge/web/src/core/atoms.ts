// What the rules read (edge/atoms.py): monotone runs of one hand, their thresholds, and what they may be called.
import { change, type Run, run } from "./channels";
import { type FingerEvent, fingerEvent } from "./score";
import tables from "../tables.json";

/** Thresholds of the rules; a bundle may override them (`rules.json`). */
export type RuleSettings = typeof tables.rules;
export const RULE_DEFAULTS: RuleSettings = tables.rules;

/** A run of one quantity of one hand; see edge/atoms.py for the fields. */
export interface Atom {
  readonly kind: string;
  readonly finger: number;
  readonly run: Run;
  readonly bends: readonly number[];
  readonly reaches: readonly number[];
  readonly closed: boolean;
  readonly across: number;
  readonly stays: boolean;
  readonly doubt: number;
}

export function atom(
  kind: string, finger: number, of: Run, bends: readonly number[], reaches: readonly number[], rest: Partial<Atom> = {},
): Atom {
  return { kind, finger, run: of, bends, reaches, closed: true, across: 0, stays: false, doubt: 1, ...rest };
}

/** A candidate event and the fingers' runs that it explains. */
export interface Piece {
  readonly event: FingerEvent;
  readonly explains: readonly Atom[];
}

export const size = (a: Atom): number => Math.abs(change(a.run));

/** The change of a quantity that a sure tracker must show before it counts. */
export function leastChange(a: Atom, s: RuleSettings): number {
  if (a.kind === "bend") return a.finger === 0 ? s.thumb_bend_min : s.bend_min;
  const least: Record<string, number> = { reach: s.reach_change, roll: s.roll_min, spread: s.spread_min, z: s.swipe_depth_min };
  return least[a.kind] ?? 0;
}

/** Shared time over the shorter of the two runs, 0..1. */
export function overlap(a: Run, b: Run): number {
  const shared = Math.min(a.end, b.end) - Math.max(a.start, b.start);
  return Math.max(0, shared) / Math.max(Math.min(a.end - a.start, b.end - b.start), 1e-3);
}

/** Whether a run, however short, lies in one of the spans. */
export function meets(r: Run, spans: readonly Run[]): boolean {
  return spans.some((s) => r.start < s.end && r.end >= s.start);
}

/** From the first start to the last end. */
export function spanOf(cluster: readonly Atom[]): Run {
  return run(0, 1, Math.min(...cluster.map((a) => a.run.start)), Math.max(...cluster.map((a) => a.run.end)));
}

/** The first element with the greatest value, as Python's max(key=...) has it. */
export function greatest<T>(items: readonly T[], key: (item: T) => number): T {
  return items.reduce((best, item) => (key(item) > key(best) ? item : best));
}

export function least<T>(items: readonly T[], key: (item: T) => number): T {
  return items.reduce((best, item) => (key(item) < key(best) ? item : best));
}

/** An event with its manner: extent from the size in degrees, speed from its duration. */
export function eventOf(
  hand: string, motion: string, fingers: readonly string[], of: Run, s: RuleSettings,
  { direction = "", contact = "", size = 180 }: { direction?: string; contact?: string; size?: number } = {},
): FingerEvent {
  const lasting = of.end - of.start;
  return fingerEvent(hand, motion, {
    fingers,
    direction,
    contact,
    extent: size < s.extent_half ? "small" : size < s.extent_full ? "half" : "full",
    speed: lasting < s.speed_fast_s ? "fast" : lasting > s.speed_slow_s ? "slow" : "normal",
    start: of.start,
    end: Math.max(of.end, of.start),
    // bigger motions are surer: 0.55 at 20 degrees (or its like), 0.95 from 180
    confidence: Math.min(0.95, 0.5 + size / 400),
  });
}
