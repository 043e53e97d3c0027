// A picture seen through an affine map, bilinear, as numbers 0..1: what the networks take.
import type { Picture } from "../protocol";
import type { Affine } from "./roi";

/** Fill out [side,side,3] from RGBA. edge "zero": black outside; "repeat": the border's own pixels go on. */
export function warp({ data, width, height }: Picture, m: Affine, side: number, edge: "zero" | "repeat", out: Float32Array): void {
  const repeat = edge === "repeat";
  let to = 0;
  for (let v = 0; v < side; v++) {
    for (let u = 0; u < side; u++) {
      const x = m[0] * u + m[1] * v + m[2];
      const y = m[3] * u + m[4] * v + m[5];
      const x0 = Math.floor(x);
      const y0 = Math.floor(y);
      const fx = x - x0;
      const fy = y - y0;
      for (let k = 0; k < 3; k++) {
        let sum = 0;
        for (let j = 0; j < 2; j++) {
          for (let i = 0; i < 2; i++) {
            let px = x0 + i;
            let py = y0 + j;
            const share = (i ? fx : 1 - fx) * (j ? fy : 1 - fy);
            if (repeat) {
              px = px < 0 ? 0 : px >= width ? width - 1 : px;
              py = py < 0 ? 0 : py >= height ? height - 1 : py;
            } else if (px < 0 || py < 0 || px >= width || py >= height) continue;
            sum += share * data[(py * width + px) * 4 + k]!;
          }
        }
        // whole grey values, as a picture of bytes has them
        out[to++] = Math.round(sum) / 255;
      }
    }
  }
}
