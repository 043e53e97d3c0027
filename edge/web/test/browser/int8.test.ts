// The int8 bundle in the browser: within the gate of figop verify against the float events that are committed.
import { execFileSync } from "node:child_process";
import { beforeAll, describe, expect, test } from "vitest";
import { GOLDEN, lines, ROOT } from "../node";
import { INT8, made } from "./clips";
import { browse, here, PYTHON, ready, rows, serve, take, why } from "./stage";

type Row = Record<string, unknown>;
/** What both say alike: F1 of the two lists, each entry counted once. */
function agreement(a: readonly string[], b: readonly string[]): { alike: number; all: number } {
  const left = [...b];
  let alike = 0;
  for (const entry of a) {
    const at = left.indexOf(entry);
    if (at < 0) continue;
    left.splice(at, 1);
    alike += 1;
  }
  return { alike: 2 * alike, all: a.length + b.length };
}
const captions = (all: Row[]) => all.filter((r) => r.type === "caption" && r.final && r.text).map((r) => String(r.text));
const gestures = (all: Row[]) => all.filter((r) => r.type === "gesture_end" && r.confidence).map((r) => `${r.hand} ${r.label}`);

describe.skipIf(!here)(`int8 (${why})`, () => {
  let gate: { gestures: number; captions: number };
  beforeAll(() => {
    made("int8", INT8);
    const code = "import json; from quant.recipe import Gate; g = Gate(); print(json.dumps({'gestures': g.gestures, 'captions': g.captions}))";
    gate = JSON.parse(execFileSync(PYTHON, ["-c", code], { cwd: ROOT, env: { ...process.env, PYTHONPATH: ROOT } }).toString());
  }, 300_000);

  test("says of the golden recordings what float says, within the gate", async () => {
    const served = await serve("--bundle", INT8);
    const stage = await browse();
    try {
      await stage.page.goto(`${served.url}?fast&language=en`);
      await ready(stage.page);
      const sums = { gestures: [0, 0], captions: [0, 0] } as Record<"gestures" | "captions", [number, number]>;
      for (const name of GOLDEN) {
        await take(stage.page, `${ROOT}tests/golden/${name}.npz`);
        const [said, wanted] = [await rows(stage.page), lines(`tests/golden/${name}.model.jsonl`)];
        for (const [what, of] of [["gestures", gestures], ["captions", captions]] as const) {
          const { alike, all } = agreement(of(said), of(wanted));
          sums[what][0] += alike;
          sums[what][1] += all;
        }
      }
      console.info(sums);
      expect(sums.captions[1]).toBeGreaterThan(20); // both lists together: there is something to agree on
      for (const what of ["gestures", "captions"] as const) expect(sums[what][0] / sums[what][1], what).toBeGreaterThanOrEqual(gate[what]);
      expect(stage.complaints).toEqual([]);
    } finally {
      await stage.close();
      await served.stop();
    }
  });
});
