// Runs -> contacts of the thumb (edge/contacts.py): pinches, releases, taps, flicks; touches on the index side.
import { type Atom, eventOf, least, meets, overlap, type Piece, type RuleSettings, size, spanOf } from "./atoms";
import { change, type Run, run } from "./channels";
import { FINGERS } from "./score";

const fingersOf = (group: readonly Atom[]) =>
  [...new Set(group.map((a) => a.finger))].sort((a, b) => a - b).map((i) => FINGERS[i]!);

/** Pinches, releases and taps on the thumb from the distances between thumb tip and fingertips. */
export function thumbContacts(
  atoms: readonly Atom[], hand: string, folds: readonly (readonly Atom[])[], touching: ReadonlySet<string>, s: RuleSettings,
): Piece[] {
  const reaches = atoms.filter((a) => a.kind === "reach").sort((a, b) => a.run.start - b.run.start);
  const spans = folds.map(spanOf);
  const closing = reaches.filter(
    (a) =>
      -change(a.run) >= s.reach_change &&
      a.run.last <= s.touch_reach &&
      a.bends[a.finger]! <= s.pinch_bend_max && // a folded finger's tip lies by the thumb without meeting it
      !meets(a.run, spans),
  );
  const groups: Atom[][] = [];
  for (const a of closing) {
    const last = groups.at(-1);
    if (last && overlap(last[0]!.run, a.run) > 0.3) last.push(a);
    else groups.push([a]);
  }
  const pieces: Piece[] = [];
  const lifted = new Set<Atom>();
  for (const whole of groups) {
    const nearest = Math.min(...whole.map((a) => a.run.last));
    const group = whole.filter((a) => a.run.last <= nearest + s.touch_margin);
    if (foldsWithOthers(group, atoms, s) || !comesToThumb(group, atoms, s)) continue;
    const fingers = fingersOf(group);
    const span = spanOf(group);
    const lifts = group.map((a) => lift(a, reaches, s)).filter((a): a is Atom => a !== null);
    let explains = bendsWithin(atoms, group, span);
    if (lifts.length) {
      const away = spanOf(lifts);
      for (const a of lifts) lifted.add(a);
      explains = [...explains, ...bendsWithin(atoms, group, away)];
      if (away.end - span.start <= s.tap_touch_s && away.start - span.end <= 0.12) {
        const motion = isFlick(group, away, atoms, s) ? "flick" : "tap";
        const event = eventOf(hand, motion, fingers, run(0, 1, span.start, away.end), s, { contact: "thumb" });
        pieces.push({ event, explains });
        continue;
      }
      pieces.push({ event: eventOf(hand, "release", fingers, away, s, { contact: "thumb" }), explains: [] });
    }
    pieces.push({ event: eventOf(hand, "pinch", fingers, span, s, { contact: "thumb" }), explains });
  }
  const first = Math.min(Infinity, ...pieces.map((p) => p.event.start));
  const late = reaches.filter((a) => !lifted.has(a) && a.run.end <= first && touching.has(FINGERS[a.finger]!));
  return [...pieces, ...lateRelease(late, atoms, hand, spans, s)];
}

/** Whether the fingers near the thumb only fold with two or more others, as in a fist or when pointing. */
function foldsWithOthers(group: readonly Atom[], atoms: readonly Atom[], s: RuleSettings): boolean {
  const touching = new Set(group.map((a) => a.finger));
  const span = spanOf(group);
  const grown = new Map<number, number>();
  for (const a of atoms) {
    if (a.kind === "bend" && a.finger && change(a.run) >= s.fold_min && overlap(a.run, span) > 0.3) grown.set(a.finger, change(a.run));
  }
  const others = [...grown].filter(([f]) => !touching.has(f)).map(([, c]) => c);
  const own = [...grown].filter(([f]) => touching.has(f)).map(([, c]) => c);
  const mean = others.reduce((a, b) => a + b, 0) / others.length;
  return others.length >= 2 && own.length > 0 && Math.min(...own) >= 0.7 * mean;
}

/** Whether a finger of the group moves itself; a thumb that curls past waiting fingertips does not pinch. */
function comesToThumb(group: readonly Atom[], atoms: readonly Atom[], s: RuleSettings): boolean {
  if (Math.min(...group.map((a) => a.run.last)) <= s.touch_sure) return true;
  const span = spanOf(group);
  return atoms.some(
    (a) =>
      a.kind === "bend" && group.some((g) => g.finger === a.finger) && size(a) >= s.pinch_own_bend && overlap(a.run, span) > 0.3,
  );
}

/** The first run that opens what this one closed. */
function lift(closing: Atom, reaches: readonly Atom[], s: RuleSettings): Atom | null {
  const later = reaches.filter(
    (a) => a.finger === closing.finger && change(a.run) >= s.reach_change && a.run.end > closing.run.end,
  );
  return later.length ? least(later, (a) => a.run.start) : null;
}

/** One finger leaves the thumb in a snap, straighter than it came. */
function isFlick(group: readonly Atom[], away: Run, atoms: readonly Atom[], s: RuleSettings): boolean {
  if (group.length !== 1) return false;
  return atoms
    .filter((a) => a.kind === "bend" && a.finger === group[0]!.finger && overlap(a.run, away) > 0.3)
    .some(
      ({ run: r }) => -change(r) >= s.flick_min && -change(r) / Math.max(r.end - r.start, 0.03) >= s.flick_speed,
    );
}

/** A release whose pinch lay in an earlier phrase: the distance grows from a touch. */
function lateRelease(
  reaches: readonly Atom[], atoms: readonly Atom[], hand: string, folds: readonly Run[], s: RuleSettings,
): Piece[] {
  const opening = reaches.filter(
    (a) => change(a.run) >= s.reach_change && a.run.first <= s.touch_reach && !meets(a.run, folds),
  );
  if (!opening.length) return [];
  const nearest = least(opening, (a) => a.run.first);
  const group = opening.filter(
    (a) => overlap(a.run, nearest.run) > 0.3 && a.run.first <= nearest.run.first + s.touch_margin,
  );
  const span = spanOf(group);
  const event = eventOf(hand, "release", fingersOf(group), span, s, { contact: "thumb" });
  return [{ event, explains: bendsWithin(atoms, group, span) }];
}

/** The bends that a contact explains: of its fingers and the thumb, in its time. */
function bendsWithin(atoms: readonly Atom[], group: readonly Atom[], span: Run): Atom[] {
  const fingers = new Set([...group.map((a) => a.finger), 0]);
  const wide = run(0, 1, span.start - 0.1, span.end + 0.1);
  return atoms.filter((a) => a.kind === "bend" && fingers.has(a.finger) && overlap(a.run, wide) > 0.3);
}

/** Whether a bend is a by-product of a contact: a neighbour that moved along while a finger met the thumb. */
export function excused(a: Atom, contacts: readonly Piece[]): boolean {
  return contacts.some(
    (p) => overlap(a.run, run(0, 1, p.event.start - 0.1, p.event.end + 0.1)) > 0.4 && size(a) < 100,
  );
}

/** Thumb taps, touches, slides and swipes on the index finger's side. */
export function sideContacts(
  atoms: readonly Atom[], hand: string, folds: readonly (readonly Atom[])[], contacts: readonly Piece[],
  unsteady: readonly Run[], s: RuleSettings,
): Piece[] {
  const busy = [...folds.map(spanOf), ...contacts.map((p) => run(0, 1, p.event.start, p.event.end))];
  const thumbBends = (span: Run) => atoms.filter((a) => a.kind === "bend" && a.finger === 0 && overlap(a.run, span) > 0.3);
  const pieces: Piece[] = [];
  for (const a of atoms) {
    if (a.kind !== "lift" || meets(a.run, busy)) continue;
    const away = run(0, 1, a.run.start, a.run.end + 0.2);
    pieces.push({ event: eventOf(hand, "release", ["thumb"], away, s, { contact: "index" }), explains: thumbBends(away) });
  }
  for (const a of atoms) {
    if (a.kind !== "side") continue;
    const r = a.run;
    if (meets(r, busy) || meets(r, unsteady)) continue;
    const explains = thumbBends(run(0, 1, r.start - 0.3, r.end + 0.3));
    const lasting = r.end - r.start;
    // the thumb comes and goes besides touching: about two thirds of the touch each way for a swipe
    const more = Math.max(0.64 * lasting, 0.12);
    const whole = run(0, 1, r.start - more, r.end + more);
    let event;
    if (size(a) >= s.slide_min || Math.abs(a.across) >= s.slide_min) {
      const along = size(a) >= Math.abs(a.across);
      if (lasting <= s.swipe_thumb_s) {
        const direction = thumbDirection(hand, along ? change(r) : a.across, along);
        event = eventOf(hand, "swipe", ["thumb"], whole, s, { contact: "index", direction });
      } else {
        const direction = along ? (change(r) > 0 ? "tip" : "base") : "across";
        event = eventOf(hand, "slide", ["thumb"], r, s, { contact: "index", direction });
      }
    } else if (!a.stays) event = eventOf(hand, "tap", ["thumb"], whole, s, { contact: "index" });
    else event = eventOf(hand, "touch", ["thumb"], run(0, 1, r.start - 0.25, r.start + 0.1), s, { contact: "index" });
    pieces.push({ event, explains });
  }
  return pieces;
}

/** The D-pad direction of a thumb swipe on the index side. */
function thumbDirection(hand: string, way: number, along: boolean): string {
  if (along) return way > 0 === (hand === "right") ? "left" : "right";
  return way > 0 ? "backward" : "forward";
}
