// Opens what a bundle names (edge/recognisers.py): rules, a student, or the student with the rules at its side.
import { type Bundle, STUDENT_GRAPHS } from "./bundle/bundle";
import { TokenCaptioner } from "./core/captioner";
import { FrameEncoder } from "./core/encoder";
import { FallbackRecogniser, type Recogniser } from "./core/fallback";
import type { View } from "./core/frame";
import type { Graph } from "./core/graph";
import { RuleRecogniser } from "./core/rules";
import { StudentRecogniser } from "./core/student";
import { language } from "./language/languages";

/** After as many runs a word costs what it costs for good: a fiftieth of the first (V8 15). */
const WARM_RUNS = 24;

export type OpenGraph = (data: Uint8Array, name: string) => Promise<Graph>;

/** The graphs of a bundle's student, opened once; recognisers for any number of streams come from them. */
export class Speakers {
  private constructor(readonly bundle: Bundle, private readonly graphs: Readonly<Record<string, Graph>> | null) {}

  static async open(bundle: Bundle, open: OpenGraph): Promise<Speakers> {
    if (!bundle.student) return new Speakers(bundle, null);
    // fetched and checked side by side
    const loaded = STUDENT_GRAPHS.map(async (role) => {
      return [role, await open(await bundle.graph(role), `The graph '${role}' of ${bundle.name}`)] as const;
    });
    return new Speakers(bundle, Object.fromEntries(await Promise.all(loaded)));
  }

  /** Runs of every graph on nothing, one at a time: engines compile well only what has run some times. */
  *warming(): Generator<() => Promise<unknown>> {
    for (let round = 0; round < WARM_RUNS; round++) {
      for (const graph of Object.values(this.graphs ?? {})) yield () => graph.run(graph.nothing());
    }
  }

  /** appearance: keyframe features of the stream are of the network that the bundle names. */
  recogniser(view: View, mirrored: boolean, appearance = true): Recogniser {
    const { bundle, graphs } = this;
    const rules = new RuleRecogniser(bundle.rules, view, mirrored);
    const about = bundle.student;
    if (!about || !graphs) return rules;
    const captioner = new TokenCaptioner(graphs.units!, graphs.prefill!, graphs.step!, bundle.vocabulary);
    const model = new StudentRecogniser(new FrameEncoder(graphs.encoder!), captioner, about.decode, {
      view, mirrored, appearance: about.appearance && appearance, confidence: about.confidence, sure: about.sure,
      english: language("en"),
    });
    return about.fallback ? new FallbackRecogniser(model, rules, about.fallback) : model;
  }

  async release(): Promise<void> {
    for (const graph of Object.values(this.graphs ?? {})) await graph.release();
  }
}
