// Runs of the hand and of the gaps between fingers (edge/travels.py): waves, swipes, spread and close.
import { type Atom, eventOf, greatest, meets, overlap, type RuleSettings, size, spanOf } from "./atoms";
import { change, type Run, run } from "./channels";
import { type FingerEvent, FINGERS } from "./score";

/** Spread and close from the angles between neighbours; bending fingers and turning or flying hands do not count. */
export function spreads(
  atoms: readonly Atom[], bends: readonly Atom[], unsteady: readonly Run[], hand: string, s: RuleSettings,
): FingerEvent[] {
  let quiet = atoms.filter(
    (a) => !bends.some((b) => overlap(a.run, b.run) > 0.25) && !unsteady.some((r) => overlap(a.run, r) > 0.25),
  );
  const events: FingerEvent[] = [];
  while (quiet.length) {
    const lead = greatest(quiet, size);
    const group = [lead, ...quiet.filter((a) => a !== lead && withLead(a, lead))];
    const numbers = group.flatMap((a) => [a.finger, a.finger + 1]);
    const names = FINGERS.slice(Math.min(...numbers), Math.max(...numbers) + 1);
    const motion = change(lead.run) > 0 ? "spread" : "close";
    events.push(eventOf(hand, motion, names, spanOf(group), s, { size: size(lead) * 5 }));
    quiet = quiet.filter((a) => a !== lead && overlap(a.run, lead.run) <= 0.4);
  }
  return events;
}

/** Whether a gap between two fingers changes as another one does, at the same time. */
const withLead = (a: Atom, lead: Atom) => change(a.run) * change(lead.run) > 0 && overlap(a.run, lead.run) > 0.4;

/** The hand swings sideways, to and fro. */
export function wavesOf(atoms: readonly Atom[], hand: string, s: RuleSettings): FingerEvent[] {
  const sideways = atoms
    .filter((a) => a.kind === "x" && size(a) >= s.wave_min)
    .map((a) => a.run)
    .sort((a, b) => a.start - b.start);
  const swings: Run[][] = [];
  for (const r of sideways) {
    const last = swings.at(-1)?.at(-1);
    if (last && r.start - last.end < 0.3 && change(r) * change(last) < 0) swings.at(-1)!.push(r);
    else swings.push([r]);
  }
  return swings
    .filter((w) => w.length >= s.wave_turns)
    .map((w) => ({ ...eventOf(hand, "wave", [], run(0, 1, w[0]!.start, w.at(-1)!.end), s), speed: "normal" }));
}

/** The hand moves fast in one way. */
export function swipesOf(
  fast: readonly Atom[], hand: string, view: string, waves: readonly FingerEvent[], s: RuleSettings,
): FingerEvent[] {
  const kept: Atom[] = [];
  const free = fast.filter((a) => !waves.some((w) => a.run.start < w.end && a.run.end > w.start));
  for (const a of [...free].sort((a, b) => size(b) - size(a))) {
    if (kept.every((k) => overlap(a.run, k.run) < 0.3)) kept.push(a);
  }
  kept.sort((a, b) => a.run.start - b.run.start);
  const events: FingerEvent[] = [];
  kept.forEach((a, i) => {
    const before = kept[i - 1];
    const back = before && before.kind === a.kind && change(before.run) * change(a.run) < 0;
    if (back && a.run.start - before.run.end < 0.4) return; // the way back to where the swipe began
    events.push(eventOf(hand, "swipe", [], a.run, s, { direction: travelDirection(a.kind, change(a.run), view) }));
  });
  return events;
}

/** The hand's moves that are long and quick enough for a swipe; a move in depth during a turn or bend is not believed. */
export function fastMoves(atoms: readonly Atom[], others: readonly Atom[], s: RuleSettings): Atom[] {
  const changing = others.map((a) => a.run);
  return atoms.filter(
    (a) =>
      ["x", "y", "z"].includes(a.kind) &&
      size(a) >= (a.kind === "z" ? s.swipe_depth_min : s.swipe_min) &&
      size(a) / Math.max(a.run.end - a.run.start, 1e-3) >= s.swipe_speed &&
      !(a.kind === "z" && meets(a.run, changing)),
  );
}

/** A move along the scene's x (right), y (down) or z (away) in the person's directions. */
function travelDirection(axis: string, way: number, view: string): string {
  if (axis === "y") return way > 0 ? "down" : "up";
  const own = way > 0 === (view === "egocentric"); // a facing camera sees the person's left on its right
  if (axis === "x") return own ? "right" : "left";
  return own ? "forward" : "backward";
}
