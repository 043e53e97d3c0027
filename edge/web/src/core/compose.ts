// Monotone runs of one hand -> its score (edge/compose.py): which belong together, and what they are called.
import { type Atom, eventOf, greatest, leastChange, meets, overlap, type Piece, type RuleSettings, size, spanOf } from "./atoms";
import { change, run } from "./channels";
import { excused, sideContacts, thumbContacts } from "./contacts";
import { type FingerEvent, FINGERS, order, parts, sameList } from "./score";
import { fastMoves, spreads, swipesOf, wavesOf } from "./travels";

/** The score of one hand from its atoms. `touching`: the fingers that an earlier phrase left on the thumb. */
export function compose(
  all: readonly Atom[], hand: string, view: string, s: RuleSettings, touching: ReadonlySet<string> = new Set(),
): FingerEvent[] {
  const stirred = all.filter((a) => a.kind === "bend" && a.finger && size(a) >= s.bend_masks);
  const atoms = all.filter((a) => size(a) >= a.doubt * leastChange(a, s));
  let bends = atoms.filter((a) => a.kind === "bend");
  const rolls = atoms.filter((a) => a.kind === "roll");
  // while the hand turns or flies, its fingers are seen anew: small bends there are the tracker's
  const waves = wavesOf(atoms, hand, s);
  const fast = fastMoves(atoms, [...rolls, ...bends], s);
  const unsteady = [...[...rolls, ...fast].map((a) => a.run), ...waves.map((w) => run(0, 1, w.start, w.end))];
  bends = bends.filter((a) => !unsteady.some((r) => overlap(a.run, r) > 0.4 && size(a) < s.roll_masks));
  const clusters = clustersOf(bends, s);
  const pieces: Piece[] = [];
  const folds = clusters.filter((c) => isFold(c, s));
  for (const cluster of folds) pieces.push({ event: foldEvent(cluster, hand, s), explains: cluster });
  const contacts = thumbContacts(atoms, hand, folds, touching, s);
  const moving = [...unsteady, ...bends.filter((a) => a.finger).map((a) => a.run)];
  contacts.push(...sideContacts(atoms, hand, folds, contacts, moving, s));
  pieces.push(...contacts);
  const explained = new Set(pieces.flatMap((p) => p.explains));
  for (const cluster of clusters) {
    const left = cluster.filter((a) => !explained.has(a) && !excused(a, contacts));
    if (left.length) pieces.push(...bendEvents(left, cluster, hand, s));
  }
  const points = pieces.map((p) => p.event).filter((e) => e.motion === "point");
  const events = airTaps(pieces.map((p) => p.event).filter((e) => !straightensToPoint(e, points)), s);
  events.push(...spreads(atoms.filter((a) => a.kind === "spread"), stirred, unsteady, hand, s));
  for (const r of rolls) {
    // the palm's own lines shift while all fingers fold: a small turn in it is the tracker's
    if (size(r) >= s.roll_in_fold_min || !meets(r.run, folds.map(spanOf))) {
      events.push(eventOf(hand, "rotate", [], r.run, s, { direction: change(r.run) > 0 ? "cw" : "ccw", size: size(r) }));
    }
  }
  events.push(...waves, ...swipesOf(fast, hand, view, waves, s));
  return order(mergeRepeats(events, s.repeat_gap_s));
}

/** Runs of one sign that happen together; one run a finger in each. */
function clustersOf(bends: readonly Atom[], s: RuleSettings): Atom[][] {
  const clusters: Atom[][] = [];
  for (const a of [...bends].sort((x, y) => x.run.start - y.run.start)) {
    const home = clusters.find((cluster) => {
      const lead = greatest(cluster, size);
      return (
        change(lead.run) * change(a.run) > 0 &&
        cluster.every((o) => o.finger !== a.finger) &&
        overlap(lead.run, a.run) >= 0.5 &&
        Math.abs(lead.run.start - a.run.start) <= s.together_s
      );
    });
    if (home) home.push(a);
    else clusters.push([a]);
  }
  return clusters;
}

/** All four fingers bend (or straighten) together and far: a fist, or the opening of one. */
function isFold(cluster: readonly Atom[], s: RuleSettings): boolean {
  const sizes = new Map(cluster.filter((a) => a.finger > 0).map((a) => [a.finger, size(a)]));
  const all = [...sizes.values()];
  return all.length === 4 && Math.min(...all) >= Math.max(s.fold_min, s.fold_share * Math.max(...all));
}

function foldEvent(cluster: readonly Atom[], hand: string, s: RuleSettings): FingerEvent {
  const mean = cluster.filter((a) => a.finger > 0).reduce((sum, a) => sum + size(a), 0) / 4;
  return eventOf(hand, change(cluster[0]!.run) > 0 ? "grab" : "open", [], spanOf(cluster), s, { size: mean });
}

/** Curl, extend or point, without the fingers that were only dragged along (enslaving). */
function bendEvents(left: readonly Atom[], cluster: readonly Atom[], hand: string, s: RuleSettings): Piece[] {
  const biggest = Math.max(...cluster.map(size));
  let kept = left.filter((a) => a.finger === 0 || size(a) >= s.enslaved_share * biggest);
  // a thumb that gives way while the fingers bend is not news; alone, or as big as they, it is
  if (kept.some((a) => a.finger)) kept = kept.filter((a) => a.finger || size(a) >= s.enslaved_share * biggest);
  if (!kept.length) return [];
  const numbers = kept.map((a) => a.finger).sort((a, b) => a - b);
  const largest = Math.max(...kept.map(size));
  const curls = change(kept[0]!.run) > 0;
  const points = [2, 3, 4].every((f) => numbers.includes(f)) && !numbers.includes(1);
  const span = spanOf(kept);
  if (curls && points && kept.at(-1)!.bends[1]! <= s.point_index_max) {
    return [{ event: eventOf(hand, "point", ["index"], span, s, { size: largest }), explains: kept }];
  }
  const names = numbers.map((i) => FINGERS[i]!);
  return [{ event: eventOf(hand, curls ? "curl" : "extend", names, span, s, { size: largest }), explains: kept }];
}

/** Whether an extension is the index finger's part of pointing. */
function straightensToPoint(event: FingerEvent, points: readonly FingerEvent[]): boolean {
  return (
    event.motion === "extend" &&
    event.fingers.every((f) => f === "thumb" || f === "index") &&
    points.some((p) => event.start < p.end && event.end > p.start)
  );
}

/** A curl that is at once followed by the same fingers' extension, all within `tap_s`, is a tap in the air. */
function airTaps(events: readonly FingerEvent[], s: RuleSettings): FingerEvent[] {
  const out: FingerEvent[] = [];
  for (const event of order(events)) {
    const last = out.at(-1);
    const back =
      last && last.motion === "curl" && event.motion === "extend" && last.hand === event.hand &&
      sameList(last.fingers, event.fingers) && event.end - last.start <= s.tap_s;
    if (back) out[out.length - 1] = { ...last, motion: "tap", end: event.end, speed: "fast" };
    else out.push(event);
  }
  return out;
}

/** What undoes a motion: there, back and there again is the motion twice. */
const BACK: Record<string, string> = {
  curl: "extend", extend: "curl", grab: "open", open: "grab", spread: "close", close: "spread",
  pinch: "release", release: "pinch",
};
const BACK_PAUSE_S = 0.15;

/** Equal events in a row become one with `repeat`; so does there, at once back, and there again. */
export function mergeRepeats(events: readonly FingerEvent[], gap: number): FingerEvent[] {
  let out: FingerEvent[] = [];
  for (const event of order(events)) {
    const at = out.findLastIndex((e) => alike(e, event));
    const last = out[at];
    if (last) {
      const between = out.slice(at + 1).filter((e) => e.hand === event.hand && parts(e).some((p) => parts(event).includes(p)));
      const only = between[0];
      const undone =
        between.length === 1 && only !== undefined && only.motion === BACK[event.motion] && sameList(only.fingers, event.fingers) &&
        only.start - last.end <= BACK_PAUSE_S && event.start - only.end <= BACK_PAUSE_S;
      if (undone || (!between.length && event.start - last.end <= gap)) {
        out[at] = { ...last, end: Math.max(last.end, event.end), repeat: last.repeat + event.repeat };
        if (undone) out = out.filter((e) => e !== only);
        continue;
      }
    }
    out.push(event);
  }
  return out;
}

/** Equal but for manner and time. */
function alike(a: FingerEvent, b: FingerEvent): boolean {
  return (
    a.hand === b.hand && a.motion === b.motion && sameList(a.fingers, b.fingers) && a.direction === b.direction &&
    a.contact === b.contact
  );
}
