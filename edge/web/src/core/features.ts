// Landmarks -> what a hand looks like at one instant (edge/features.py), causally, for units and rules.
import { allFinite, type HandFrame, LEFT, seconds, squarePixels } from "./frame";
import { palmAxes, project } from "./modelFeatures";

const SCALE_FREEZE_S = 1;
const WORLD_PALM_M = [0.02, 0.3] as const;
const IMAGE_PALM_LEAST = 1e-3;
const SCALE_SAMPLES = 64;
const MIDDLE_MCP = 9;
const TIPS = [4, 8, 12, 16, 20];
const SPREAD_FROM = [2, 5, 9, 13, 17];
const SPREAD_TO = [4, 6, 10, 14, 18];

/** One hand at one instant. bend [5], spread [4]: degrees. local [21,3]: palm axes and lengths. reach, reachImage [4]:
 * thumb tip to the other tips, palm lengths. axes [3,3]: columns. place [3]: middle knuckle, palm lengths. */
export interface Pose {
  readonly t: number;
  readonly bend: readonly number[];
  readonly spread: readonly number[];
  readonly local: Float32Array;
  readonly reach: readonly number[];
  readonly reachImage: readonly number[];
  readonly axes: Float32Array;
  readonly place: readonly [number, number, number];
  readonly readFrom: string;
  readonly placeFrom: string;
}

/** Causal palm length: running median until a second after the hand appeared, then constant. */
class HandScale {
  private samples: number[] = [];
  private since: number | null = null;
  private value = 0;

  update(t: number, length: number): number {
    this.since ??= t;
    if ((t - this.since <= SCALE_FREEZE_S || !this.value) && length > 1e-6) {
      this.samples = [...this.samples.slice(-SCALE_SAMPLES), length];
      const sorted = [...this.samples].sort((a, b) => a - b);
      const half = sorted.length >> 1;
      this.value = sorted.length % 2 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
    }
    return this.value || 1;
  }
}

/** Reads one hand's poses; state = its scales. One object per track. */
export class PoseReader {
  private worldScale = new HandScale();
  private imageScale = new HandScale();
  private flatScale = new HandScale();

  constructor(readonly slot: number, readonly mirrored = false) {}

  /** The hand's pose in this frame, or null when it cannot be measured. */
  read(frame: HandFrame): Pose | null {
    const image = this.imagePoints(frame);
    const from = this.slot * 63;
    const measured = allFinite(frame.world, from, from + 63);
    const source = measured ? frame.world.subarray(from, from + 63) : image;
    if (!source) return null;
    const points = new Float32Array(63);
    for (let i = 0; i < 63; i++) points[i] = source[i]! - source[i % 3]!;
    const length = distance(points, MIDDLE_MCP, 0);
    const fits = measured ? WORLD_PALM_M[0] < length && length < WORLD_PALM_M[1] : length > IMAGE_PALM_LEAST;
    if (!fits) return null;
    const t = seconds(frame);
    const scale = (measured ? this.worldScale : this.flatScale).update(t, length);
    const axes = palmAxes(points, this.slot === LEFT, 1e-9);
    const bend: number[] = [];
    for (let f = 0; f < 5; f++) {
      const chain = [0, 1 + 4 * f, 2 + 4 * f, 3 + 4 * f, 4 + 4 * f];
      let sum = 0;
      // the thumb's CMC angle measures opposition, not bending
      for (let j = f ? 0 : 1; j < 3; j++) sum += angle(way(points, chain[j]!, chain[j + 1]!), way(points, chain[j + 1]!, chain[j + 2]!));
      bend.push(sum);
    }
    const spread = [0, 1, 2, 3].map((f) =>
      angle(way(points, SPREAD_FROM[f]!, SPREAD_TO[f]!), way(points, SPREAD_FROM[f + 1]!, SPREAD_TO[f + 1]!)),
    );
    let reachImage = [NaN, NaN, NaN, NaN];
    const place: [number, number, number] = [NaN, NaN, NaN];
    let placeFrom = "";
    if (image) {
      const imageScale = this.imageScale.update(t, distance(image, MIDDLE_MCP, 0));
      reachImage = TIPS.slice(1).map((tip) => Math.hypot(image[tip * 3]! - image[12]!, image[tip * 3 + 1]! - image[13]!) / imageScale);
      place[0] = image[MIDDLE_MCP * 3]! / imageScale;
      place[1] = image[MIDDLE_MCP * 3 + 1]! / imageScale;
      placeFrom = `image ${frame.imageSize[0]}x${frame.imageSize[1]}`;
    }
    if (allFinite(frame.wrist, this.slot * 3, this.slot * 3 + 3)) {
      const knuckle = [0, 1, 2].map((k) => (frame.wrist[this.slot * 3 + k]! + points[MIDDLE_MCP * 3 + k]!) / scale);
      place[2] = knuckle[2]!;
      if (!image) {
        place[0] = knuckle[0]!;
        place[1] = knuckle[1]!;
        placeFrom = "wrist";
      }
    }
    return {
      t,
      bend,
      spread,
      local: project(points, axes, scale),
      reach: TIPS.slice(1).map((tip) => distance(points, tip, 4) / scale),
      reachImage,
      axes,
      place,
      readFrom: measured ? "world" : "image",
      placeFrom,
    };
  }

  /** Image landmarks in units of image width, square pixels; z = 0 where the tracker gives none. */
  private imagePoints(frame: HandFrame): Float32Array | null {
    const points = squarePixels(frame, this.slot, this.mirrored);
    let deep = true;
    for (let j = 0; j < 63; j += 3) {
      if (!isFinite(points[j]!) || !isFinite(points[j + 1]!)) return null;
      deep &&= isFinite(points[j + 2]!);
    }
    if (!deep) for (let j = 2; j < 63; j += 3) points[j] = 0;
    return points;
  }
}

function way(p: ArrayLike<number>, from: number, to: number): [number, number, number] {
  return [p[to * 3]! - p[from * 3]!, p[to * 3 + 1]! - p[from * 3 + 1]!, p[to * 3 + 2]! - p[from * 3 + 2]!];
}

function distance(p: ArrayLike<number>, a: number, b: number): number {
  const v = way(p, a, b);
  return Math.sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
}

/** Angle between vectors, degrees; atan2, never acos. */
function angle(u: readonly [number, number, number], v: readonly [number, number, number]): number {
  const x = u[1] * v[2] - u[2] * v[1];
  const y = u[2] * v[0] - u[0] * v[2];
  const z = u[0] * v[1] - u[1] * v[0];
  return (Math.atan2(Math.sqrt(x * x + y * y + z * z), u[0] * v[0] + u[1] * v[1] + u[2] * v[2]) * 180) / Math.PI;
}
