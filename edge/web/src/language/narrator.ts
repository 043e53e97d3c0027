// Score -> text (edge/narrator.py), the plain wording: no paraphrases, so every list's first phrase is said.
import { ScoreError } from "../errors";
import { check, compareKeys, equal, type FingerEvent, FINGERS, HANDS, label, motionOf, sameList, type Score } from "../core/score";
import { fill, type Language, spoken } from "./resource";

export type Style = "descriptive" | "instruction";
export type Detail = "short" | "normal" | "detailed";
const STYLES: Record<Style, "says" | "tells"> = { descriptive: "says", instruction: "tells" };
const TOGETHER = 0.5;

type Shown = readonly [readonly string[], readonly string[]]; // hands, fingers as they were said

/** Whether a text would say "while": they share more than half of the shorter one. */
function together(a: FingerEvent, b: FingerEvent): boolean {
  const shared = Math.min(a.end, b.end) - Math.max(a.start, b.start);
  const shorter = Math.min(a.end - a.start, b.end - b.start);
  return shorter <= 0 ? a.start === b.start : shared > TOGETHER * shorter;
}

const keyOf = (e: FingerEvent) => [e.start, e.end, e.hand, e.motion, e.fingers, e.direction, e.contact, e.extent, e.speed, e.repeat];
const byKey = (a: FingerEvent, b: FingerEvent) => compareKeys(keyOf(a), keyOf(b));

/** The score as a row of steps: events of a step are pairwise simultaneous, steps follow one another. */
function steps(score: Score): FingerEvent[][] {
  const out: FingerEvent[][] = [];
  for (const event of [...score].sort(byKey)) {
    const last = out.at(-1);
    if (last?.every((other) => together(event, other))) last.push(event);
    else out.push([event]);
  }
  return out;
}

/** What a text says of a score: step k spans the times k .. k+1; merged fingers; no confidence. */
export function said(score: Score, detail: Detail): FingerEvent[] {
  return steps(score).flatMap((step, k) => {
    const manner = detail === "short" ? { extent: "full", speed: "normal" } : {};
    return merged(step.map((e) => ({ ...e, start: k, end: k + 1, confidence: 1, ...manner }))).sort(byKey);
  });
}

/** One event for fingers that do the same, where the motion is each finger's own. */
function merged(step: readonly FingerEvent[]): FingerEvent[] {
  const out: FingerEvent[] = [];
  next: for (const event of step) {
    const [low, high] = motionOf(event.motion).fingers as [number, number];
    for (const [i, other] of out.entries()) {
      const same = equal({ ...other, fingers: event.fingers }, event);
      const fingers = FINGERS.filter((f) => event.fingers.includes(f) || other.fingers.includes(f));
      if (same && sameList(event.fingers, other.fingers)) continue next;
      // spreading takes a pair: two pairs that spread are not four fingers that spread
      const each = low <= 1 && event.fingers.length > 0 && other.fingers.length > 0;
      if (same && each && fingers.length === event.fingers.length + other.fingers.length && fingers.length <= high) {
        out[i] = { ...other, fingers };
        continue next;
      }
    }
    out.push(event);
  }
  return out;
}

class Writer {
  private readonly style: "says" | "tells";
  private readonly free: boolean;
  private turns = 0;

  constructor(private readonly language: Language, style: Style, private readonly detail: Detail) {
    this.style = STYLES[style];
    this.free = !(language.captioner && style === "descriptive" && detail === "normal");
  }

  private phrase(options: readonly string[]): string {
    return spoken(options, this.free)[0]!;
  }

  /** Outside the captioner's register the plain wording takes turns between the first two. */
  private turn(options: readonly string[]): string {
    const said = spoken(options, this.free);
    if (!this.free) return said[0]!;
    this.turns += 1;
    return said[(this.turns - 1) % Math.min(2, said.length)]!;
  }

  /** "index finger", "thumb, index and middle fingers". */
  private fingers(fingers: readonly string[], both: boolean): string {
    const { fingers: names, finger_list: join } = this.language.data;
    const of = (finger: string, form: string) => this.phrase(names[finger]![form]!);
    if (fingers.length === 1) return of(fingers[0]!, both ? "many" : "alone");
    // "thumb and index finger", but "index and middle fingers"
    const one = fingers.length === 2 && fingers[0] === "thumb" && !both;
    const listed = fingers.slice(0, -1).map((f) => of(f, "listed"));
    const last = of(fingers.at(-1)!, one ? "alone" : "many");
    return `${listed.join(join.comma + this.language.space)}${join.last}${this.language.space}${last}`;
  }

  /** Hand and fingers as subject or object. */
  private who(hands: readonly string[], fingers: readonly string[]): string {
    const { who, hands: names, finger_sets } = this.language.data;
    const both = hands.length > 1;
    const hand = both ? "" : this.phrase(names[hands[0]!]!);
    if (!fingers.length) return fill(this.phrase(who[both ? "hands" : "hand"]!), { hand });
    const sets = spoken(finger_sets[fingers.join(" ")] ?? [], this.free);
    if (sets.length) return fill(this.phrase(who[both ? "set_of_both" : "set"]!), { hand, set: sets[0]! });
    if (!both) return fill(this.phrase(who.fingers!), { hand, fingers: this.fingers(fingers, false) });
    const kind = fingers.length === 1 ? "one_of_both" : "fingers_of_both";
    return fill(this.phrase(who[kind]!), { fingers: this.fingers(fingers, true) });
  }

  /** [speed before the verb, extent, speed after, repetition], each may be "". */
  private manner(event: FingerEvent, early: boolean): [string, string, string, string] {
    const { data } = this.language;
    const usual = this.detail === "detailed" ? data.usual : { extent: [], speed: [] };
    const short = this.detail === "short";
    // what is usual is said only in full detail, and of motions of which it can be said
    const extent = !short && (event.extent !== "full" || usual.extent.includes(event.motion)) ? event.extent : "";
    const speed = !short && (event.speed !== "normal" || usual.speed.includes(event.motion)) ? event.speed : "";
    let times = "";
    if (event.repeat > 1) {
      const number = data.numbers[event.repeat] ?? String(event.repeat);
      times = fill(this.phrase(data.repeats[String(event.repeat)] ?? data.repeats.many!), { number });
    }
    const before = speed ? spoken(data.speeds[speed]!.before!, this.free) : [];
    const first = early && before.length > 0;
    return [
      first ? before[0]! : "",
      extent ? this.phrase(data.extents[extent]!) : "",
      speed && !first ? this.phrase(data.speeds[speed]!.after!) : "",
      times,
    ];
  }

  /** One clause and what it showed as its subject. */
  private clause(
    hands: readonly string[], event: FingerEvent, before: Shown | null, elide: boolean, refer = false,
  ): [string, Shown] {
    const { data } = this.language;
    const [early, amount, late, times] = this.manner(event, true);
    const plain = !(early || amount || late || times);
    let options = this.language.templatesFor(event.motion, this.style, event.contact, event.direction, plain);
    if (!options.length) throw new ScoreError(`The language '${this.language.code}' has no words for ${label(event)}.`);
    // whole-hand events cannot show the thumb among their fingers
    options = options.filter((t) => (!t.thumb || event.fingers.length) && (this.free || !t.free));
    const template = (this.free ? [...options].sort((a, b) => Number(!a.free) - Number(!b.free)) : options)[0]!;
    const shown = FINGERS.filter((f) => event.fingers.includes(f) || (template.thumb && f === "thumb"));
    const many = hands.length > 1 || shown.length > 1;
    const alike = before !== null && sameList(before[0], hands) && sameList(before[1], shown);
    let who = this.who(hands, shown);
    if (alike && (elide || refer || this.style === "tells")) {
      const number = many ? "many" : "one";
      if (this.style === "tells") who = this.phrase(data.who[`same_${number}`]!);
      // a language without pronouns for it leaves the subject out
      else who = refer ? this.phrase(data.who[`subject_${number}`] ?? [""]) : "";
    }
    const slots: Record<string, string> = { who, contact: event.contact ? this.phrase(data.contacts[event.contact]!) : "", extent: amount };
    if (template.text.includes("{direction}")) slots.direction = this.phrase(data.directions[event.direction]!);
    const text = fill(this.language.inflect(template.text, many, this.style === "tells"), slots);
    const extent = template.text.includes("{extent}") ? "" : amount;
    const frame = data.frames[this.style]![early ? 0 : 1]!;
    return [fill(frame, { who, before: early, do: text, extent, after: late, repeat: times }), [hands, shown]];
  }

  /** The clauses of one step, joined; the subject that the next step may refer to. */
  private step(step: readonly FingerEvent[], before: Shown | null, elide: boolean): [string, Shown | null] {
    const groups = byHands(step);
    const joins = this.language.data.joins[this.style]!;
    if (groups.length === 1) return this.clause(...groups[0]!, before, elide);
    // who is meant twice in a step is named once; "and" needs a name, or it would begin another step
    let last = this.free ? before : null;
    const clauses = groups.map(([hands, event], k) => {
      const [text, now] = this.clause(hands, event, last, elide && k === 0, k === 1);
      last = this.free && k === 0 ? now : null;
      return text;
    });
    let text = `${clauses[0]} ${this.turn(joins.while!)} ${clauses[1]}`;
    for (const clause of clauses.slice(2)) text += ` ${this.phrase(joins.also!)} ${clause}`;
    return [text, null];
  }

  /** All steps: two to a sentence in the plain form. */
  write(score: readonly FingerEvent[]): string {
    const rows: FingerEvent[][] = [];
    for (const event of score) {
      if (rows.at(-1)?.[0]?.start === event.start) rows.at(-1)!.push(event);
      else rows.push([event]);
    }
    const joins = this.language.data.joins[this.style]!;
    let text = "";
    let before: Shown | null = null;
    let inSentence = 0;
    let breaks = 0;
    rows.forEach((row, k) => {
      let join = "";
      let elide = false;
      if (k > 0) {
        elide = inSentence < 2;
        if (elide) join = this.phrase(joins.next!);
        else {
          // the plain wording takes turns, so that not every sentence begins alike
          const options = spoken(joins[k === rows.length - 1 && k >= 2 ? "last" : "new"]!, this.free);
          join = options[breaks % options.length]!;
          breaks += 1;
          inSentence = 0;
        }
      }
      const [clauses, shown]: [string, Shown | null] = this.step(row, before, elide);
      before = shown;
      text = `${text} ${join} ${clauses}`;
      inSentence += byHands(row).length;
    });
    return rows.length ? this.language.text(this.language.words(`${text} ${this.language.data.stop}`)) : "";
  }
}

/** Events of a step, those that both hands do said once. */
function byHands(step: readonly FingerEvent[]): [readonly string[], FingerEvent][] {
  const rest = [...step];
  const out: [readonly string[], FingerEvent][] = [];
  for (let event = rest.shift(); event; event = rest.shift()) {
    const hand = event.hand;
    const same = event;
    const twin = rest.findIndex((o) => o.hand !== hand && equal({ ...o, hand }, same));
    if (twin >= 0) rest.splice(twin, 1);
    out.push([twin >= 0 ? HANDS : [hand], event]);
  }
  return out;
}

/** The score as text; "" for an empty one. Throws ScoreError for an event that the vocabulary does not allow. */
export function narrate(score: Score, language: Language, style: Style = "descriptive", detail: Detail = "normal"): string {
  for (const event of score) check(event);
  return new Writer(language, style, detail).write(said(score, detail));
}
