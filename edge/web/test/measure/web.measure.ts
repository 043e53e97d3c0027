// `make results-web`: what the page costs in Chromium; writes results/web.json. No bar is tested here.
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { test } from "vitest";
import { GOLDEN, ROOT } from "../node";
import { browse, ready, serve, take } from "../browser/stage";

const LOADS = 3;
const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b);
const at = (values: readonly number[], share: number) => sorted(values)[Math.min(Math.floor(share * values.length), values.length - 1)]!;
const round = (value: number, digits = 2) => Number(value.toFixed(digits));

test("figures", async () => {
  const before = loadavg()[0]!;
  const served = await serve();
  const loads: number[] = [];
  let bytes = 0;
  let figures: { frameMs: number[]; decodeMs: number[] } | null = null;
  let browser = "";
  for (let i = 0; i < LOADS; i++) {
    const stage = await browse(); // an empty profile: nothing is kept from the load before
    browser = stage.context.browser()?.version() ?? browser;
    let sent = 0;
    stage.context.on("response", (answer) => {
      if (answer.status() === 200 && !answer.fromServiceWorker()) sent += Number(answer.headers()["content-length"] ?? 0);
    });
    await stage.page.goto(`${served.url}?fast&language=en`);
    await ready(stage.page);
    const sentByReady = sent; // the service worker comes after, and finds the same files in the browser's cache
    loads.push(await stage.page.evaluate(() => performance.getEntriesByName("figop-ready")[0]!.startTime));
    bytes = Math.max(bytes, sentByReady);
    if (i === LOADS - 1) {
      for (const name of GOLDEN) await take(stage.page, `${ROOT}tests/golden/${name}.npz`);
      figures = await stage.page.evaluate(async () => {
        const app = (globalThis as unknown as { figop: { engine: { ask(r: unknown): Promise<{ figures: never }> } } }).figop;
        return (await app.engine.ask({ kind: "figures" })).figures;
      });
    }
    await stage.close();
  }
  await served.stop();
  const dist = join(ROOT, "edge/web/dist");
  const zipped = (readdirSync(dist, { recursive: true, encoding: "utf8" }) as string[]).filter((n) => n.endsWith(".js.gz") || n.endsWith(".css.gz"));
  const { frameMs, decodeMs } = figures!;
  const out = {
    command: "make results-web",
    browser: `Chromium ${browser || "headless"}`,
    cpu: cpus()[0]!.model,
    cores: cpus().length,
    load: { before: round(before), after: round(loadavg()[0]!) },
    cold_load_s: { loads: loads.map((v) => round(v / 1e3)), median: round(at(loads, 0.5) / 1e3) },
    transfer_mb: round(bytes / 1e6),
    app_code_gzip_kb: round(zipped.reduce((sum, n) => sum + statSync(join(dist, n)).size, 0) / 1e3, 1),
    frame_ms: { frames: frameMs.length, p50: round(at(frameMs, 0.5)), p95: round(at(frameMs, 0.95)) },
    decode_ms: { captions: decodeMs.length, p50: round(at(decodeMs, 0.5)), p95: round(at(decodeMs, 0.95)) },
    bars: { cold_load_s: 3, transfer_mb: 12, app_code_gzip_kb: 150, frame_ms_p50: 2, decode_ms_p95: 80 },
  };
  writeFileSync(join(ROOT, "results/web.json"), `${JSON.stringify(out, null, 1)}\n`);
  console.info(JSON.stringify(out, null, 1));
});
