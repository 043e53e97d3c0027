// Text from unit tokens (edge/captioner.py): prefill once a caption, then one word a step, with an explicit cache.
import { BundleError } from "../errors";
import { allFinite } from "./frame";
import { count, type Graph } from "./graph";
import type { Reading } from "./encoder";
import { HAND_WIDTH } from "./targets";

const END = 0;
const BEGIN = 1;
/** Ticks of a unit, and units of a phrase at most (6 s). */
export const UNIT_TICKS = 15;
export const UNITS = 12;

/** A decoded caption: its words and their mean log-probability (the end counts as a word). */
export interface Told {
  readonly words: readonly string[];
  readonly logprob: number;
}

/** One tick of the running phrase. */
export interface Heard {
  readonly t: number;
  readonly present: readonly [boolean, boolean];
  readonly reading: Reading;
  readonly appearance: Float32Array | null;
}

/** Tokens [U,D] of one unit, and which of them hold something [U]. */
export interface UnitTokens {
  readonly tokens: Float32Array;
  readonly known: Float32Array;
}

export class TokenCaptioner {
  private readonly words: readonly string[];
  private readonly length: number;
  private readonly width: number;
  private readonly embed: number;
  private readonly each: number;

  constructor(
    private readonly units: Graph, private readonly prefill: Graph, private readonly step: Graph, vocabulary: readonly string[],
  ) {
    this.words = ["<end>", "<begin>", ...vocabulary];
    this.length = step.inputs.args_5?.[3] ?? 0;
    const said = step.outputs.output_0?.at(-1);
    if (said !== this.words.length) {
      throw new BundleError(
        `The captioner knows ${said} words and the vocabulary has ${this.words.length}: they do not belong together.`,
      );
    }
    this.width = units.inputs.args_3!.at(-1)!;
    this.embed = units.inputs.args_0!.at(-1)!;
    this.each = units.outputs.output_0![1]!;
  }

  /** Tokens of one unit of up to 15 ticks. */
  async unit(heard: readonly Heard[]): Promise<UnitTokens> {
    const { inputs } = this.units;
    const embedding = new Float32Array(count(inputs.args_0!));
    const probs = new Float32Array(count(inputs.args_1!));
    const mask = new Float32Array(count(inputs.args_2!));
    const seen = new Float32Array(2 * this.width);
    const has = new Float32Array(2);
    heard.forEach((h, n) => {
      for (const hand of [0, 1]) {
        if (!h.present[hand]) continue;
        const at = hand * UNIT_TICKS + n;
        mask[at] = 1;
        embedding.set(h.reading.embedding.subarray(hand * this.embed, (hand + 1) * this.embed), at * this.embed);
        probs.set(h.reading.probs.subarray(hand * HAND_WIDTH, (hand + 1) * HAND_WIDTH), at * HAND_WIDTH);
      }
    });
    const appearance = heard.find((h) => h.appearance !== null)?.appearance;
    if (appearance?.length === 2 * this.width) {
      for (const hand of [0, 1]) {
        if (!allFinite(appearance, hand * this.width, (hand + 1) * this.width)) continue;
        has[hand] = 1;
        seen.set(appearance.subarray(hand * this.width, (hand + 1) * this.width), hand * this.width);
      }
    }
    const out = await this.units.run({
      args_0: { data: embedding, dims: inputs.args_0! },
      args_1: { data: probs, dims: inputs.args_1! },
      args_2: { data: mask, dims: inputs.args_2! },
      args_3: { data: seen, dims: inputs.args_3! },
      args_4: { data: has, dims: inputs.args_4! },
    });
    const known = new Float32Array(this.each);
    for (const hand of [0, 1]) {
      const there = heard.some((h) => h.present[hand]) ? 1 : 0;
      known.fill(there, (hand * this.each) / 2, ((hand + 1) * this.each) / 2);
    }
    return { tokens: out.output_0!, known };
  }

  /** Greedy caption of a phrase. */
  async tell(phrase: readonly UnitTokens[]): Promise<Told> {
    const dims = this.step.inputs;
    const memory = new Float32Array(count(this.prefill.inputs.args_0!));
    const mask = new Float32Array(count(dims.args_2!));
    phrase.slice(0, UNITS).forEach(({ tokens, known }, i) => {
      memory.set(tokens, i * tokens.length);
      mask.set(known, i * this.each);
    });
    const crossed = await this.prefill.run({ args_0: { data: memory, dims: this.prefill.inputs.args_0! } });
    let keys = new Float32Array(count(dims.args_5!));
    let values = new Float32Array(count(dims.args_6!));
    let word = BEGIN;
    let total = 0;
    let at = 0;
    const ids: number[] = [];
    for (; at < this.length - 1; at++) {
      const out = await this.step.run({
        args_0: { data: new Int32Array([word]), dims: [1] },
        args_1: { data: new Int32Array([at]), dims: [1] },
        args_2: { data: mask, dims: dims.args_2! },
        args_3: { data: crossed.output_0!, dims: dims.args_3! },
        args_4: { data: crossed.output_1!, dims: dims.args_4! },
        args_5: { data: keys, dims: dims.args_5! },
        args_6: { data: values, dims: dims.args_6! },
      });
      keys = out.output_1 as Float32Array<ArrayBuffer>;
      values = out.output_2 as Float32Array<ArrayBuffer>;
      const row = out.output_0!;
      word = END;
      for (let i = 0; i < row.length; i++) if (i !== BEGIN && row[i]! > row[word]!) word = i;
      let sum = 0;
      for (let i = 0; i < row.length; i++) if (i !== BEGIN) sum += Math.exp(row[i]! - row[word]!);
      total -= Math.log(sum);
      if (word === END) break;
      ids.push(word);
    }
    const steps = Math.min(at + 1, this.length - 1);
    return { words: ids.map((i) => this.words[i]!), logprob: total / steps };
  }
}
