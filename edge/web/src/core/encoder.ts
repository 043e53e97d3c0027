// Streaming frame encoder (edge/encoder.py): one tick of features in, every slot's motion out; explicit state.
import { BundleError } from "../errors";
import { count, type Graph } from "./graph";
import { SLOT_WIDTH, SLOTS } from "./targets";

/** Ticks by which the frame heads speak late. */
export const LAG = 8;

/** probs [2,7,slot width] of `LAG` ticks ago; moving [2]; embedding [2,E]. */
export interface Reading {
  readonly probs: Float32Array;
  readonly moving: readonly [number, number];
  readonly embedding: Float32Array;
}

export class FrameEncoder {
  private state: Float32Array;

  constructor(private readonly graph: Graph) {
    const names = Object.keys(graph.inputs).sort().join();
    const said = graph.outputs.output_0 ?? [];
    if (names !== "args_0,args_1" || said.join() !== [2, SLOTS.length, SLOT_WIDTH].join()) {
      throw new BundleError(`The encoder graph says ${said.join(" x ")} numbers, this version reads 2 x ${SLOTS.length} x ${SLOT_WIDTH}.`);
    }
    this.state = new Float32Array(count(graph.inputs.args_1!));
  }

  reset(): void {
    this.state = new Float32Array(this.state.length);
  }

  /** Features [2,6,54] of the next tick. */
  async push(features: Float32Array): Promise<Reading> {
    const out = await this.graph.run({
      args_0: { data: features, dims: this.graph.inputs.args_0! },
      args_1: { data: this.state, dims: this.graph.inputs.args_1! },
    });
    this.state = out.output_3!;
    return { probs: out.output_0!, moving: [out.output_1![0]!, out.output_1![1]!], embedding: out.output_2! };
  }
}
