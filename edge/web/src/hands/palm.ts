// Palm detection (edge/hands/palm.py): where a hand may be, anywhere in the picture.
import type { Graph } from "../core/graph";
import { RuntimeUnavailable } from "../errors";
import type { Picture } from "../protocol";
import { warp } from "./crop";
import { fromPalm, type Roi } from "./roi";

const SIDE = 192;
const COORDS = 18;
const CLIP = 100;
const NMS_IOU = 0.3;
/** The landmarks that a palm's seven points stand for. */
export const PALM_JOINTS = [0, 5, 9, 13, 17, 1, 2];

/** Centres as fractions: strides 8 (2 per cell) and 16 three times (6 per cell). */
const ANCHORS: readonly (readonly [number, number])[] = [[8, 2], [16, 6]].flatMap(([stride, each]) => {
  const cells = SIDE / stride!;
  return Array.from({ length: cells * cells * each! }, (_, i) => {
    const cell = Math.trunc(i / each!);
    return [((cell % cells) + 0.5) / cells, (Math.trunc(cell / cells) + 0.5) / cells] as const;
  });
});

/** One palm in pixels of the image. points: [7][2]. */
export interface Palm {
  readonly score: number;
  readonly points: Float32Array;
  readonly roi: Roi;
}

export class PalmDetector {
  private readonly input: string;
  private readonly boxes: string;
  private readonly scores: string;
  private readonly crop = new Float32Array(SIDE * SIDE * 3);

  constructor(private readonly graph: Graph) {
    const find = (shape: string) => Object.entries(graph.outputs).find(([, dims]) => dims.join() === shape)?.[0] ?? "";
    this.input = Object.keys(graph.inputs)[0]!;
    this.boxes = find(`1,${ANCHORS.length},${COORDS}`);
    this.scores = find(`1,${ANCHORS.length},1`);
    if (graph.inputs[this.input]!.join() !== `1,${SIDE},${SIDE},3` || !this.boxes || !this.scores) {
      throw new RuntimeUnavailable("The palm network is not MediaPipe's (192 x 192 RGB in, 2016 anchors out).");
    }
  }

  /** Palms in a picture, best first. */
  async detect(picture: Picture): Promise<Palm[]> {
    const scale = Math.max(picture.width, picture.height) / SIDE;
    // a letterbox with zero border
    const [left, top] = [(picture.width - SIDE * scale) / 2, (picture.height - SIDE * scale) / 2];
    warp(picture, [scale, 0, left, 0, scale, top], SIDE, "zero", this.crop);
    const out = await this.graph.run({ [this.input]: { data: this.crop, dims: [1, SIDE, SIDE, 3] } });
    return decode(out[this.boxes]!, out[this.scores]!, scale * SIDE, left, top);
  }
}

function decode(boxes: Float32Array, scores: Float32Array, side: number, left: number, top: number): Palm[] {
  const found: { score: number; coords: number[] }[] = [];
  for (let i = 0; i < scores.length; i++) {
    if (!(scores[i]! >= 0)) continue; // sigmoid >= 0.5; NaN is gone here
    const raw = Array.from(boxes.subarray(i * COORDS, (i + 1) * COORDS), (v) => v / SIDE);
    const [ax, ay] = ANCHORS[i]!;
    const [mx, my, hw, hh] = [raw[0]! + ax, raw[1]! + ay, raw[2]! / 2, raw[3]! / 2];
    const coords = [mx - hw, my - hh, mx + hw, my + hh];
    for (let k = 4; k < COORDS; k += 2) coords.push(raw[k]! + ax, raw[k + 1]! + ay);
    if (coords.every(isFinite) && hw > 0 && hh > 0) {
      found.push({ score: 1 / (1 + Math.exp(-Math.min(Math.max(scores[i]!, -CLIP), CLIP))), coords });
    }
  }
  return merge(found).map(({ score, coords }) => {
    const at = coords.map((v, k) => side * v + (k % 2 ? top : left));
    const points = Float32Array.from(at.slice(4));
    return { score, points, roi: fromPalm(at.slice(0, 4), at.slice(4, 6), at.slice(8, 10)) };
  });
}

/** Weighted non-maximum suppression: overlapping boxes are averaged by score; the best one's score is kept. */
function merge(all: { score: number; coords: number[] }[]): { score: number; coords: number[] }[] {
  let left = [...all].sort((a, b) => b.score - a.score);
  const out = [];
  while (left.length) {
    const best = left[0]!;
    const near = left.filter((p, i) => i === 0 || iou(best.coords, p.coords) > NMS_IOU);
    const total = near.reduce((sum, p) => sum + p.score, 0);
    const coords = best.coords.map((_, k) => near.reduce((sum, p) => sum + p.score * p.coords[k]!, 0) / total);
    out.push({ score: best.score, coords });
    left = left.filter((p) => !near.includes(p));
  }
  return out;
}

function iou(a: readonly number[], b: readonly number[]): number {
  const w = Math.min(a[2]!, b[2]!) - Math.max(a[0]!, b[0]!);
  const h = Math.min(a[3]!, b[3]!) - Math.max(a[1]!, b[1]!);
  const common = Math.max(w, 0) * Math.max(h, 0);
  const total = (a[2]! - a[0]!) * (a[3]! - a[1]!) + (b[2]! - b[0]!) * (b[3]! - b[1]!) - common;
  return total > 0 ? common / total : 0;
}
