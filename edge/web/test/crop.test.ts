// The crop that the hand networks see: bilinear, whole grey values, both ways to go on beyond the border.
import { expect, test } from "vitest";
import { warp } from "../src/hands/crop";
import type { Affine } from "../src/hands/roi";

const [WIDTH, HEIGHT, SIDE] = [23, 17, 31];
const data = new Uint8ClampedArray(WIDTH * HEIGHT * 4).map((_, i) => (i * 2654435761) >>> 24);

/** One colour at a place between pixels, by the definition. */
function seen(x: number, y: number, k: number, repeat: boolean): number {
  const at = (px: number, py: number) => {
    const inside = px >= 0 && py >= 0 && px < WIDTH && py < HEIGHT;
    const [cx, cy] = [Math.min(Math.max(px, 0), WIDTH - 1), Math.min(Math.max(py, 0), HEIGHT - 1)];
    return inside || repeat ? data[(cy * WIDTH + cx) * 4 + k]! : 0;
  };
  const [x0, y0] = [Math.floor(x), Math.floor(y)];
  const [fx, fy] = [x - x0, y - y0];
  const above = (1 - fx) * at(x0, y0) + fx * at(x0 + 1, y0);
  const below = (1 - fx) * at(x0, y0 + 1) + fx * at(x0 + 1, y0 + 1);
  return (1 - fy) * above + fy * below;
}

test.each(["zero", "repeat"] as const)("inside, across the border and beyond it: %s", (edge) => {
  // turned, and larger than the picture on every side
  const [c, s] = [1.1 * Math.cos(0.6), 1.1 * Math.sin(0.6)];
  const m: Affine = [c, -s, 6.3, s, c, -12.7];
  const out = new Float32Array(SIDE * SIDE * 3);
  warp({ data, width: WIDTH, height: HEIGHT }, m, SIDE, edge, out);
  let worst = 0;
  for (let v = 0; v < SIDE; v++) {
    for (let u = 0; u < SIDE; u++) {
      for (let k = 0; k < 3; k++) {
        const wanted = seen(m[0] * u + m[1] * v + m[2], m[3] * u + m[4] * v + m[5], k, edge === "repeat");
        worst = Math.max(worst, Math.abs(out[(v * SIDE + u) * 3 + k]! * 255 - wanted));
      }
    }
  }
  expect(worst).toBeLessThanOrEqual(0.5 + 1e-5); // whole grey values
});
