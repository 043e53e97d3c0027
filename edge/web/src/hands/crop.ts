// A picture seen through an affine map, bilinear, as numbers 0..1: what the networks take.
import type { Picture } from "../protocol";
import type { Affine } from "./roi";

/** Fill out [side,side,3] from RGBA. edge "zero": black outside; "repeat": the border's own pixels go on. */
export function warp({ data, width, height }: Picture, m: Affine, side: number, edge: "zero" | "repeat", out: Float32Array): void {
  const repeat = edge === "repeat";
  const [right, bottom] = [width - 1, height - 1];
  let to = 0;
  for (let v = 0; v < side; v++) {
    for (let u = 0; u < side; u++, to += 3) {
      const x = m[0] * u + m[1] * v + m[2];
      const y = m[3] * u + m[4] * v + m[5];
      let x0 = Math.floor(x);
      let y0 = Math.floor(y);
      const fx = x - x0;
      const fy = y - y0;
      let x1 = x0 + 1;
      let y1 = y0 + 1;
      // what each of the four pixels around weighs
      let a = (1 - fx) * (1 - fy);
      let b = fx * (1 - fy);
      let c = (1 - fx) * fy;
      let d = fx * fy;
      if (x0 < 0 || y0 < 0 || x1 > right || y1 > bottom) {
        if (!repeat) {
          if (x0 < 0 || x0 > right) a = c = 0;
          if (x1 < 0 || x1 > right) b = d = 0;
          if (y0 < 0 || y0 > bottom) a = b = 0;
          if (y1 < 0 || y1 > bottom) c = d = 0;
        }
        x0 = clamp(x0, right);
        x1 = clamp(x1, right);
        y0 = clamp(y0, bottom);
        y1 = clamp(y1, bottom);
      }
      const p = (y0 * width + x0) * 4;
      const q = (y0 * width + x1) * 4;
      const r = (y1 * width + x0) * 4;
      const s = (y1 * width + x1) * 4;
      // whole grey values, as a picture of bytes has them
      for (let k = 0; k < 3; k++) out[to + k] = Math.round(a * data[p + k]! + b * data[q + k]! + c * data[r + k]! + d * data[s + k]!) / 255;
    }
  }
}

function clamp(value: number, most: number): number {
  return value < 0 ? 0 : value > most ? most : value;
}
