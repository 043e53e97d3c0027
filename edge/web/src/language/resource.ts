// A language resource (edge/language/resource.py): words and templates from the very file that Python reads.
import { ScoreError } from "../errors";

export type Tokens = readonly string[];
type Phrases = readonly string[];

/** The parts of a language file that are used here; see edge/language/en.json. */
export interface LanguageData {
  readonly language: string;
  readonly captioner?: boolean;
  readonly token: string;
  readonly space: string;
  readonly capitalise: boolean;
  readonly comma: string;
  readonly stop: string;
  readonly commas: Phrases;
  readonly stops: Phrases;
  readonly ignore: Phrases;
  readonly filler: Phrases;
  readonly hands: Readonly<Record<string, Phrases>>;
  readonly fingers: Readonly<Record<string, Readonly<Record<string, Phrases>>>>;
  readonly finger_sets: Readonly<Record<string, Phrases>>;
  readonly finger_list: { readonly comma: string; readonly last: string };
  readonly who: Readonly<Record<string, Phrases>>;
  readonly contacts: Readonly<Record<string, Phrases>>;
  readonly directions: Readonly<Record<string, Phrases>>;
  readonly extents: Readonly<Record<string, Phrases>>;
  readonly speeds: Readonly<Record<string, Readonly<Record<string, Phrases>>>>;
  readonly usual: { readonly extent: Phrases; readonly speed: Phrases };
  readonly repeats: Readonly<Record<string, Phrases>>;
  readonly numbers: Phrases;
  readonly frames: Readonly<Record<string, Phrases>>;
  readonly joins: Readonly<Record<string, Readonly<Record<string, Phrases>>>>;
  readonly verbs: Readonly<Record<string, Phrases>>;
  readonly nouns: Readonly<Record<string, Phrases>>;
  readonly motions: Readonly<Record<string, readonly TemplateData[]>>;
}

interface TemplateData {
  readonly says: Phrases;
  readonly tells: Phrases;
  readonly contact?: Phrases;
  readonly direction?: Phrases;
  readonly thumb?: boolean | string;
  readonly plain?: boolean;
}

const SLOTS = new Set(["who", "contact", "direction", "hand", "fingers", "set", "number"]);
const SLOT = /\{(\w+)\}/g;

/** A phrase of the data file without its marks. */
export const bare = (phrase: string): string => phrase.replace(/^[~+]+/, "");

/** The phrases that may be said; `free` = outside the captioner's register, where its own come first. */
export function spoken(phrases: Phrases, free: boolean): string[] {
  const said = phrases.filter((p) => !p.startsWith("~"));
  const own = free ? said.filter((p) => p.startsWith("+")).map((p) => p.slice(1)) : [];
  return [...own, ...said.filter((p) => !p.startsWith("+"))];
}

/** Phrases and what they mean; finds the longest one at a place. */
export class Lexicon<T = unknown> {
  private readonly byFirst = new Map<string, [Tokens, T][]>();

  constructor(phrases: Iterable<readonly [Tokens, T]>) {
    const seen = new Set<string>();
    for (const [tokens, value] of phrases) {
      if (!tokens.length) continue;
      const key = JSON.stringify([tokens, value]);
      if (seen.has(key)) continue;
      seen.add(key);
      const known = this.byFirst.get(tokens[0]!) ?? [];
      this.byFirst.set(tokens[0]!, known);
      known.push([tokens, value]);
    }
    for (const known of this.byFirst.values()) known.sort((a, b) => b[0].length - a[0].length);
  }

  /** (end, value) of every phrase that stands at `i`, longest first. */
  *at(tokens: Tokens, i: number): Generator<readonly [number, T]> {
    for (const [phrase, value] of (i < tokens.length && this.byFirst.get(tokens[i]!)) || []) {
      if (phrase.every((word, k) => tokens[i + k] === word)) yield [i + phrase.length, value];
    }
  }

  longest(tokens: Tokens, i: number): readonly [number, T] | null {
    for (const found of this.at(tokens, i)) return found;
    return null;
  }

  firsts(): Iterable<string> {
    return this.byFirst.keys();
  }
}

export type Element = Lexicon | string;

/** One way to put a predicate, with the events it can stand for; see edge/language/resource.py. */
export interface Template {
  readonly motion: string;
  readonly style: string;
  readonly text: string;
  readonly spoken: boolean;
  readonly free: boolean;
  readonly contacts: Phrases;
  readonly directions: Phrases;
  readonly thumb: boolean | string;
  readonly plain: boolean;
  readonly pattern: readonly Element[];
}

export type Adjunct = readonly ["filler" | "extent" | "speed" | "repeat", string | number];

/** One compiled language. */
export class Language {
  readonly code: string;
  readonly captioner: boolean;
  readonly space: string;
  readonly commas: ReadonlySet<string>;
  readonly stops: ReadonlySet<string>;
  readonly templates: readonly Template[];
  private readonly token: RegExp;
  private readonly ignore: ReadonlySet<string>;
  private readonly sayable = new Map<string, Template[]>();
  private readonly byWord = new Map<string, Template[]>();
  private readonly any: Template[] = [];

  readonly hands: Lexicon<string>;
  readonly contacts: Lexicon<string>;
  readonly directions: Lexicon<string>;
  readonly fingers: Lexicon<string>;
  readonly sets: Lexicon<Tokens>;
  readonly separators: Lexicon;
  readonly who: readonly (readonly [string, readonly Element[]])[];
  readonly counts: readonly (readonly Element[])[];
  readonly adjuncts: Lexicon<Adjunct>;
  readonly numbers: Lexicon<number>;
  readonly joins: Lexicon<string>;
  readonly leads: ReadonlySet<string>;

  constructor(readonly data: LanguageData) {
    this.code = data.language;
    this.captioner = data.captioner ?? false;
    this.space = data.space;
    this.token = new RegExp(data.token, "gu");
    this.commas = new Set(data.commas);
    this.stops = new Set(data.stops);
    this.ignore = new Set(data.ignore);
    this.templates = [...this.compile()];
    for (const t of this.templates) {
      if (t.spoken) {
        for (const contact of t.contacts) {
          for (const direction of t.directions) {
            for (const plain of t.plain ? [true] : [true, false]) {
              push(this.sayable, key(t.motion, t.style, contact, direction, plain), t);
            }
          }
        }
      }
      const first = t.pattern[0];
      if (first instanceof Lexicon) for (const word of first.firsts()) push(this.byWord, word, t);
      else this.any.push(t);
    }
    const table = (rows: Readonly<Record<string, Phrases>>): Lexicon<string> =>
      new Lexicon(Object.entries(rows).flatMap(([value, phrases]) => phrases.map((p) => [this.tokens(bare(p)), value] as const)));
    this.hands = table(data.hands);
    this.contacts = table(data.contacts);
    this.directions = table(data.directions);
    this.fingers = table(Object.fromEntries(Object.entries(data.fingers).map(([f, forms]) => [f, Object.values(forms).flat()])));
    this.sets = new Lexicon(
      Object.entries(data.finger_sets).flatMap(([names, phrases]) =>
        phrases.map((p) => [this.tokens(bare(p)), names.split(" ")] as const),
      ),
    );
    this.separators = new Lexicon([[this.tokens(data.finger_list.last), null]]);
    this.who = Object.entries(data.who).flatMap(([kind, phrases]) => phrases.map((p) => [kind, this.pattern(bare(p))] as const));
    const adjuncts: [Tokens, Adjunct][] = data.filler.map((p) => [this.tokens(p), ["filler", ""]]);
    for (const [extent, phrases] of Object.entries(data.extents)) {
      for (const p of phrases) adjuncts.push([this.tokens(bare(p)), ["extent", extent]]);
    }
    for (const [speed, places] of Object.entries(data.speeds)) {
      for (const p of Object.values(places).flat()) adjuncts.push([this.tokens(bare(p)), ["speed", speed]]);
    }
    const counts: (readonly Element[])[] = [];
    // "many" last, as it stands in the files: JavaScript would put numbers first anyway
    for (const [times, phrases] of Object.entries(data.repeats)) {
      for (const p of phrases) {
        if (times === "many") counts.push(this.pattern(bare(p)));
        else adjuncts.push([this.tokens(bare(p)), ["repeat", Number(times)]]);
      }
    }
    this.counts = counts;
    this.adjuncts = new Lexicon(adjuncts);
    this.numbers = new Lexicon(data.numbers.map((word, n) => [this.tokens(word), n] as const));
    const meaning: Record<string, string> = { new: "next", last: "next", lead: "while" };
    const joins = Object.values(data.joins).flatMap((kinds) =>
      Object.entries(kinds).flatMap(([kind, phrases]) =>
        phrases.map((p) => {
          const words = this.tokens(p).filter((w) => !this.commas.has(w) && !this.stops.has(w));
          return [words, meaning[kind] ?? kind] as const;
        }),
      ),
    );
    this.joins = new Lexicon(joins);
    this.leads = new Set(Object.values(data.joins).flatMap((kinds) => (kinds.lead ?? []).map((p) => this.tokens(p).join(" "))));
  }

  /** The words and stops of a text, in lower case, with their places. */
  cut(text: string): RegExpExecArray[] {
    return [...text.toLowerCase().matchAll(this.token)];
  }

  ignored(word: string): boolean {
    return this.ignore.has(word);
  }

  /** A phrase of the data file as the parser meets it: no articles. */
  tokens(phrase: string): Tokens {
    return this.cut(phrase).map((m) => m[0]).filter((w) => !this.ignore.has(w));
  }

  /** Fill the inflected words of a template: verbs by person, nouns by number; slots stay. */
  inflect(text: string, many: boolean, base: boolean): string {
    return text.replace(SLOT, (whole, name: string) => {
      const verb = this.data.verbs[name];
      if (verb) return verb[base || many ? 0 : 1]!;
      const noun = this.data.nouns[name];
      return noun ? noun[many ? 1 : 0]! : whole;
    });
  }

  /** A template for the parser: words with all their forms, and slots. */
  private pattern(text: string): Element[] {
    const out: Element[] = [];
    for (const piece of text.split(/(\{\w+\})/)) {
      if (piece === "{extent}") continue;
      const name = /^\{(\w+)\}$/.exec(piece)?.[1];
      if (name === undefined) {
        const words = this.tokens(piece);
        if (words.length) out.push(new Lexicon([[words, null]]));
      } else if (SLOTS.has(name)) out.push(name);
      else {
        const forms = this.data.verbs[name] ?? this.data.nouns[name];
        if (!forms) throw new ScoreError(`The language file '${this.code}' has a template with the unknown word ${piece}.`);
        out.push(new Lexicon(forms.map((form) => [this.tokens(form), null] as const)));
      }
    }
    return out;
  }

  private *compile(): Generator<Template> {
    for (const [motion, entries] of Object.entries(this.data.motions)) {
      for (const entry of entries) {
        for (const style of ["says", "tells"] as const) {
          for (const text of entry[style]) {
            yield {
              motion,
              style,
              text: bare(text),
              spoken: !text.startsWith("~"),
              free: text.startsWith("+"),
              contacts: entry.contact ?? [""],
              directions: entry.direction ?? [""],
              thumb: entry.thumb ?? false,
              plain: entry.plain ?? false,
              pattern: this.pattern(bare(text)),
            };
          }
        }
      }
    }
  }

  /** Templates that may begin at `i`. */
  templatesAt(tokens: Tokens, i: number): readonly Template[] {
    return i < tokens.length ? [...(this.byWord.get(tokens[i]!) ?? []), ...this.any] : [];
  }

  /** Templates that can say an event. */
  templatesFor(motion: string, style: string, contact: string, direction: string, plain: boolean): readonly Template[] {
    return this.sayable.get(key(motion, style, contact, direction, plain)) ?? [];
  }

  /** Join words and stops to a text: spacing, numerals, capitals. */
  text(words: Iterable<string>): string {
    const out: string[] = [];
    const digits = (word: string | undefined) => word !== undefined && /^\d+$/.test(word);
    let capital = this.data.capitalise;
    for (const word of words) {
      const stop = this.stops.has(word) || this.commas.has(word);
      if (out.length && !stop && !(digits(word) && digits(out.at(-1)))) out.push(this.space);
      out.push(capital && !stop ? word.slice(0, 1).toUpperCase() + word.slice(1) : word);
      capital = (this.stops.has(word) && this.data.capitalise) || (stop && capital);
    }
    return out.join("");
  }

  /** Inverse of `text`: words, stops, and single digits, as they stand in the vocabulary. */
  words(text: string): string[] {
    return this.cut(text).flatMap((m) => (/^\d+$/.test(m[0]) ? [...m[0]] : [m[0]]));
  }
}

const key = (...parts: (string | boolean)[]) => parts.join("|");

function push<V>(map: Map<string, V[]>, name: string, value: V): void {
  const held = map.get(name);
  if (held) held.push(value);
  else map.set(name, [value]);
}

/** A phrase with its slots filled; a slot that is not given stays as it is. */
export function fill(text: string, slots: Readonly<Record<string, string>>): string {
  return text.replace(SLOT, (whole, name: string) => slots[name] ?? whole);
}
