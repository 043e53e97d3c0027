// The rotated square around a hand that the landmark network looks at (edge/hands/roi.py), in pixels.

/** Points [n][2 or more] in one array with `stride` numbers each. */
export interface Points {
  readonly data: ArrayLike<number>;
  readonly stride: number;
}

/** Centre and side in pixels; rotation in radians, 0 = fingers up, positive = clockwise on screen. */
export interface Roi {
  readonly x: number;
  readonly y: number;
  readonly size: number;
  readonly rotation: number;
}
/** [2,3]: pixels of a crop to pixels of the image. */
export type Affine = readonly [number, number, number, number, number, number];

const STEADY = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18];

export function toImage(roi: Roi, crop: number): Affine {
  const scale = roi.size / crop;
  const [c, s] = [scale * Math.cos(roi.rotation), scale * Math.sin(roi.rotation)];
  const half = crop / 2;
  return [c, -s, roi.x - half * (c - s), s, c, roi.y - half * (s + c)];
}

/** Whether it is worth looking at: finite, of a size that can be sampled, its centre near the image. */
export function inside(roi: Roi, width: number, height: number): boolean {
  const reach = roi.size / 2;
  return (
    roi.size >= 1 && roi.size <= 8 * (width + height) && // also false for NaN
    -reach < roi.x && roi.x < width + reach && -reach < roi.y && roi.y < height + reach
  );
}

/** Overlap of two squares, rotation left out, 0..1. */
export function roiIou(a: Roi, b: Roi): number {
  const half = (a.size + b.size) / 2;
  const side = Math.min(a.size, b.size);
  const w = Math.min(side, half - Math.abs(a.x - b.x));
  const h = Math.min(side, half - Math.abs(a.y - b.y));
  return w <= 0 || h <= 0 ? 0 : (w * h) / (a.size * a.size + b.size * b.size - w * h);
}

/** Rotation that brings the image direction (x right, y down) to point up, in [-pi, pi). */
function upright(x: number, y: number): number {
  const rotation = Math.PI / 2 - Math.atan2(-y, x);
  return rotation - 2 * Math.PI * Math.floor((rotation + Math.PI) / (2 * Math.PI));
}

/** From a palm box (x0, y0, x1, y1) and its wrist and middle knuckle, pixels. */
export function fromPalm(box: readonly number[], wrist: readonly number[], middle: readonly number[]): Roi {
  const [x0, y0, x1, y1] = box as [number, number, number, number];
  const rotation = upright(middle[0]! - wrist[0]!, middle[1]! - wrist[1]!);
  return placed((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0, rotation, 2.6, -0.5);
}

/** From hand landmarks [21] in pixels: where the hand is looked for in the next frame. */
export function fromLandmarks({ data, stride }: Points): Roi {
  const x = (j: number) => data[j * stride]!;
  const y = (j: number) => data[j * stride + 1]!;
  const rotation = upright(((x(5) + x(13)) / 2 + x(9)) / 2 - x(0), ((y(5) + y(13)) / 2 + y(9)) / 2 - y(0));
  const [xs, ys] = [STEADY.map(x), STEADY.map(y)];
  const middle = (v: number[]) => (Math.min(...v) + Math.max(...v)) / 2;
  const [cx, cy] = [middle(xs), middle(ys)];
  const [c, s] = [Math.cos(rotation), Math.sin(rotation)];
  const tx = STEADY.map((_, i) => (xs[i]! - cx) * c + (ys[i]! - cy) * s);
  const ty = STEADY.map((_, i) => -(xs[i]! - cx) * s + (ys[i]! - cy) * c);
  const [px, py] = [middle(tx), middle(ty)];
  const wide = (v: number[]) => Math.max(...v) - Math.min(...v);
  return placed(cx + px * c - py * s, cy + px * s + py * c, wide(tx), wide(ty), rotation, 2, -0.1);
}

/** Shifted along the hand by `shift` heights, then made square by the long side, then scaled. */
function placed(x: number, y: number, w: number, h: number, rotation: number, scale: number, shift: number): Roi {
  return { x: x - h * shift * Math.sin(rotation), y: y + h * shift * Math.cos(rotation), size: Math.max(w, h) * scale, rotation };
}
