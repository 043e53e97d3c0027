// Text -> score (edge/language/parser.py): how far the captioner's own words agree with the frame heads.
import { ScoreError } from "../errors";
import { check, compareKeys, type FingerEvent, fingerEvent, FINGERS, HANDS, order, type Score } from "../core/score";
import { type Adjunct, type Element, type Language, Lexicon, type Template, type Tokens } from "./resource";

type Manner = readonly Adjunct[];

/** Whose fingers: no hands = not said; no fingers = the whole hand; `same` = as before ("it"). */
interface Who {
  readonly hands: readonly string[];
  readonly fingers: readonly string[];
  readonly same: boolean;
  readonly contact: boolean; // "both": the fingers and what they touch
}

/** One understood clause. shown: the fingers as they were said; end: first token after it. */
interface Clause {
  readonly events: readonly FingerEvent[];
  readonly style: string;
  readonly shown: readonly string[];
  readonly explicit: boolean;
  readonly end: number;
}

interface Found {
  readonly end: number;
  readonly manner: Manner;
  readonly values: Readonly<Record<string, unknown>>;
}

const inOrder = (fingers: Iterable<string>) => {
  const held = new Set(fingers);
  return FINGERS.filter((f) => held.has(f));
};
const found = (end: number): Found => ({ end, manner: [], values: {} });

class Reader {
  private readonly places: RegExpExecArray[];
  private readonly tokens: Tokens;
  private readonly heardAdjuncts = new Map<string, readonly [number, Manner]>();
  private readonly heardWho = new Map<number, readonly [number, Who] | null>();

  constructor(private readonly said: string, private readonly language: Language) {
    this.places = language.cut(said).filter((m) => !language.ignored(m[0]));
    this.tokens = this.places.map((m) => m[0]);
  }

  private isComma(i: number): boolean {
    return i < this.tokens.length && this.language.commas.has(this.tokens[i]!);
  }

  private isStop(i: number): boolean {
    return i < this.tokens.length && this.language.stops.has(this.tokens[i]!);
  }

  /** An adverb, a repetition or a filler word at `i`. */
  private adjunct(i: number): readonly [number, Adjunct] | null {
    for (const pattern of this.language.counts) {
      for (const f of this.match(pattern, 0, found(i), false)) return [f.end, ["repeat", f.values.number as number]];
    }
    return this.language.adjuncts.longest(this.tokens, i);
  }

  /** All that follow one another at `i`; `late`: after the last word of a clause. */
  private adjuncts(i: number, late = false): readonly [number, Manner] {
    const key = `${i} ${late}`;
    const known = this.heardAdjuncts.get(key);
    if (known) return known;
    const heard: Adjunct[] = [];
    let end = i;
    for (;;) {
      const comma = this.isComma(end);
      const one = this.adjunct(end + Number(comma));
      // "A, slowly." says how A is done, "While A, slowly B" does not
      if (!one || (comma && !this.boundary(one[0]))) break;
      heard.push(one[1]);
      end = one[0];
      if (comma && !late && this.isComma(end)) end += 1;
    }
    const result = [end, heard] as const;
    this.heardAdjuncts.set(key, result);
    return result;
  }

  /** "thumb, index and middle fingers": as many as follow one another. */
  private fingerList(i: number): readonly [number, readonly string[]] | null {
    const fingers: string[] = [];
    let end = i;
    for (let one = this.language.fingers.longest(this.tokens, i); one; one = this.language.fingers.longest(this.tokens, i)) {
      fingers.push(one[1]);
      end = i = one[0];
      if (this.isComma(i)) i += 1;
      i = this.language.separators.longest(this.tokens, i)?.[0] ?? i;
    }
    return fingers.length ? [end, inOrder(fingers)] : null;
  }

  /** The longest naming of hand and fingers at `i`. */
  private who(i: number): readonly [number, Who] | null {
    const known = this.heardWho.get(i);
    if (known !== undefined) return known;
    let best: readonly [number, Who] | null = null;
    for (const [kind, pattern] of this.language.who) {
      for (const f of this.match(pattern, 0, found(i), false)) {
        if (!best || f.end > best[0]) best = [f.end, whoOf(kind, f.values)];
        break;
      }
    }
    for (const bare of [this.fingerList(i), this.language.sets.longest(this.tokens, i)]) {
      if (bare && (!best || bare[0] > best[0])) best = [bare[0], { hands: [], fingers: bare[1], same: false, contact: false }];
    }
    this.heardWho.set(i, best);
    return best;
  }

  /** What a slot of this name may hold at `i`. */
  private *slot(name: string, i: number): Generator<readonly [number, unknown]> {
    const { language, tokens } = this;
    if (name === "who") {
      const named = this.who(i);
      if (named) yield named;
    } else if (name === "fingers") {
      const listed = this.fingerList(i);
      if (listed) yield listed;
    } else if (name === "number") {
      if (i < tokens.length && /^\d+$/.test(tokens[i]!)) yield [i + 1, Number(tokens[i])];
      yield* language.numbers.at(tokens, i);
    } else {
      const table = { hand: language.hands, set: language.sets, contact: language.contacts, direction: language.directions };
      yield* (table as Record<string, Lexicon>)[name]!.at(tokens, i);
    }
  }

  /** Every way in which pattern[k:] stands at soFar.end; adverbs may stand between its elements. */
  private *match(pattern: readonly Element[], k: number, soFar: Found, adverbs = true): Generator<Found> {
    if (k === pattern.length) {
      yield soFar;
      return;
    }
    const starts: (readonly [number, Manner])[] = [[soFar.end, soFar.manner]];
    if (adverbs && k) {
      const [after, heard] = this.adjuncts(soFar.end);
      if (heard.length) starts.push([after, [...soFar.manner, ...heard]]);
    }
    const element = pattern[k]!;
    for (const [start, manner] of starts) {
      const ends = element instanceof Lexicon ? element.at(this.tokens, start) : this.slot(element, start);
      for (const [end, value] of ends) {
        const values = element instanceof Lexicon ? soFar.values : { ...soFar.values, [element]: value };
        yield* this.match(pattern, k + 1, { end, manner, values }, adverbs);
      }
    }
  }

  /** The best reading of a clause at `i`, or null; `leading`: another may follow without any sign. */
  private clause(i: number, before: Clause | null, leading: boolean): Clause | null {
    let best: { key: number[]; clause: Clause } | null = null;
    const [start, early] = this.adjuncts(i);
    // without a subject: as an instruction, or as one that goes on with the subject before
    const tries: [number, Manner, Who | null][] = [[start, early, null], [i, [], null]];
    // "They both open": "both" is filler or subject, so the subject is looked for before and after it
    const places: [number, Manner][] = early.length || start !== i ? [[start, early], [i, []]] : [[i, []]];
    for (const [at, heard] of places) {
      const subject = this.who(at);
      if (!subject) continue;
      const [after, more] = this.adjuncts(subject[0]);
      tries.push([after, [...heard, ...more], subject[1]], [subject[0], heard, subject[1]]);
    }
    for (const [at, heard, who] of tries) {
      for (const template of this.language.templatesAt(this.tokens, at)) {
        if (who && template.style === "tells") continue;
        for (const match of this.match(template.pattern, 0, found(at))) {
          const [end, late] = this.adjuncts(match.end, true);
          const manner = [...heard, ...match.manner, ...late];
          const told = (match.values.who as Who | undefined) ?? who;
          const understood = this.understand(template, told, match.values, manner, before, end);
          if (!understood) continue;
          const consistent = !before || before.style === template.style;
          const fillers = manner.filter(([kind]) => kind === "filler").length;
          const key = [Number(leading || this.boundary(end)), Number(consistent), end, -fillers];
          if (!best || compareKeys(key, best.key) > 0) best = { key, clause: understood };
        }
      }
    }
    return best?.clause ?? null;
  }

  /** Whether a clause may well end before token `i`. */
  private boundary(i: number): boolean {
    if (i >= this.tokens.length || this.isStop(i) || this.isComma(i)) return true;
    return this.language.joins.longest(this.tokens, i) !== null;
  }

  /** The events that a matched template means, or null where the vocabulary does not allow them. */
  private understand(
    template: Template, who: Who | null, values: Readonly<Record<string, unknown>>, manner: Manner, before: Clause | null, end: number,
  ): Clause | null {
    const named = who ?? { hands: [], fingers: [], same: true, contact: false };
    let hands = named.hands;
    let shown = named.fingers;
    if (named.same) {
      if (!before) return null;
      shown = named.contact ? inOrder([...before.shown, ...before.events.map((e) => e.contact)]) : before.shown;
    }
    if (!hands.length) hands = before?.events.map((e) => e.hand) ?? [];
    if (!hands.length) return null;
    let contact = String(values.contact ?? template.contacts[0]);
    if (template.contacts.length === 1 && template.contacts[0] === "same") contact = before?.events[0]?.contact ?? "";
    else if (!template.contacts.includes(contact)) return null;
    const direction = String(values.direction ?? template.directions[0]);
    let fingers = shown;
    if (template.thumb) {
      if (!shown.length || (template.thumb === "shown" && !shown.includes("thumb"))) return null;
      fingers = shown.filter((f) => f !== "thumb");
    }
    const attributes = Object.fromEntries(manner.filter(([kind]) => kind !== "filler"));
    try {
      const events = hands.map((hand) => fingerEvent(hand, template.motion, { fingers, direction, contact, ...attributes }));
      events.forEach(check);
      return { events, style: template.style, shown, explicit: who !== null && !who.same, end };
    } catch (error) {
      if (error instanceof ScoreError) return null;
      throw error;
    }
  }

  /** [events in ordinal times, words not understood], clause by clause. */
  read(): readonly [Score, readonly string[]] {
    const events: FingerEvent[] = [];
    const unknown: string[] = [];
    let before: Clause | null = null;
    let i = 0;
    let step = -1;
    let leading = false;
    let join = "next";
    while (i < this.tokens.length) {
      if (this.isStop(i)) {
        i += 1;
        join = "next";
        leading = false;
        continue;
      }
      if (this.isComma(i)) {
        i += 1;
        continue;
      }
      const connective = this.language.joins.longest(this.tokens, i);
      if (connective) {
        const words = this.tokens.slice(i, connective[0]).join(" ");
        const kind = connective[1];
        // "Then, while A, B": a "while" that no clause precedes joins A to the clause after it
        if (this.language.leads.has(words) && (step < 0 || join === "then" || i === 0 || this.isStop(i - 1))) leading = true;
        else if (kind === "next") join = "then";
        else if (!leading) join = kind;
        i = connective[0];
        continue;
      }
      const clause = this.clause(i, before, leading);
      if (!clause) {
        const end = this.skip(i);
        const last = this.places[end - 1]!;
        unknown.push(this.said.slice(this.places[i]!.index, last.index + last[0].length));
        // a subject that was not understood must not be guessed for the clauses after it
        before = null;
        i = end;
        join = "next";
        leading = false;
        continue;
      }
      const together = join === "while" || (join === "also" && clause.explicit);
      if (step < 0 || !together) step += 1;
      for (const e of clause.events) events.push({ ...e, start: step, end: step + 1 });
      before = clause;
      i = clause.end;
      join = leading ? "while" : "next";
      leading = false;
    }
    return [order(events), unknown];
  }

  /** Where reading can begin again after something that was not understood. */
  private skip(i: number): number {
    for (i += 1; i < this.tokens.length; i++) {
      if (this.isStop(i) || this.isComma(i)) break;
      const join = this.language.joins.longest(this.tokens, i);
      if (join && join[1] !== "also") break;
    }
    return i;
  }
}

/** What a naming of this kind (a key of "who" in the language file) means. */
function whoOf(kind: string, values: Readonly<Record<string, unknown>>): Who {
  if (["same_one", "same_many", "with_contact"].includes(kind)) {
    return { hands: [], fingers: [], same: true, contact: kind === "with_contact" };
  }
  const fingers = (values.fingers ?? values.set ?? []) as readonly string[];
  const both = kind === "hands" || kind.endsWith("_of_both");
  return { hands: both ? HANDS : [String(values.hand)], fingers, same: false, contact: false };
}

/** The score that a text says; step k of it spans the times k .. k+1. Throws ScoreError for what is not understood. */
export function parse(text: string, language: Language): Score {
  const [score, unknown] = new Reader(text, language).read();
  if (unknown.length) throw new ScoreError(`The caption says '${unknown.join("'; '")}', which was not understood.`);
  return score;
}
