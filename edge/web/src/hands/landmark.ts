// The landmark network (edge/hands/landmark.py): 21 joints of the hand in a rotated crop.
import type { Graph } from "../core/graph";
import { RuntimeUnavailable } from "../errors";
import type { Picture } from "../protocol";
import { warp } from "./crop";
import { type Roi, toImage } from "./roi";

const SIDE = 224;
/** The network's z is smaller than its x and y; this brings it to the same measure. */
const Z_SCALE = 1 / 0.4;
const SHARED_FEATURE = "model_1/model/global_average_pooling2d/Mean";

/** landmarks [21,3]: pixels of the image. world [21,3]: metres, image axes, wrist at the origin. side: 0..1, right. */
export interface Reading {
  readonly landmarks: Float32Array;
  readonly world: Float32Array;
  readonly presence: number;
  readonly side: number;
  readonly feature: Float32Array | null;
}

export class LandmarkNetwork {
  /** Width of the keyframe feature; 0 = this network gives none. */
  readonly featureSize: number;
  private readonly input: string;
  private readonly names: readonly string[];
  private readonly crop = new Float32Array(SIDE * SIDE * 3);

  constructor(private readonly graph: Graph) {
    this.input = Object.keys(graph.inputs)[0]!;
    this.names = Object.keys(graph.outputs);
    const shapes = this.names.slice(0, 4).map((n) => graph.outputs[n]!.join());
    if (graph.inputs[this.input]!.join() !== `1,${SIDE},${SIDE},3` || shapes.join(" ") !== "1,63 1,1 1,1 1,63") {
      throw new RuntimeUnavailable("The landmark network is not MediaPipe's (224 x 224 RGB in, 4 heads out).");
    }
    this.featureSize = graph.outputs[SHARED_FEATURE]?.[1] ?? 0;
  }

  /** The hand in this square of a picture; null when there is none, or the network says no number. */
  async read(picture: Picture, roi: Roi, threshold: number, feature: boolean): Promise<Reading | null> {
    const m = toImage(roi, SIDE);
    warp(picture, m, SIDE, "repeat", this.crop);
    const out = await this.graph.run({ [this.input]: { data: this.crop, dims: [1, SIDE, SIDE, 3] } });
    const [marks, presence, side, joints] = this.names.slice(0, 4).map((n) => out[n]!) as [Float32Array, Float32Array, Float32Array, Float32Array];
    const sum = side[0]! + marks.reduce((a, b) => a + b, 0) + joints.reduce((a, b) => a + b, 0);
    if (!(presence[0]! >= threshold && isFinite(sum))) return null;
    const landmarks = new Float32Array(63);
    const world = new Float32Array(63);
    const [c, s] = [Math.cos(roi.rotation), Math.sin(roi.rotation)];
    for (let j = 0; j < 63; j += 3) {
      const [u, v] = [marks[j]!, marks[j + 1]!];
      landmarks[j] = m[0] * u + m[1] * v + m[2];
      landmarks[j + 1] = m[3] * u + m[4] * v + m[5];
      landmarks[j + 2] = marks[j + 2]! * ((Z_SCALE * roi.size) / SIDE);
      const [x, y] = [joints[j]! - joints[0]!, joints[j + 1]! - joints[1]!];
      world[j] = c * x - s * y;
      world[j + 1] = s * x + c * y;
      world[j + 2] = joints[j + 2]! - joints[2]!;
    }
    return {
      landmarks, world, presence: presence[0]!, side: side[0]!, feature: feature && this.featureSize ? out[SHARED_FEATURE]! : null,
    };
  }
}
