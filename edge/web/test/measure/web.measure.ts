// `make results-web`: what the page costs in Chromium; writes results/web.json. No bar is tested here.
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { test } from "vitest";
import { GOLDEN, ROOT } from "../node";
import { browse, ready, serve, take } from "../browser/stage";

/** Cold loads, each in a browser with an empty profile; readings of all golden recordings in the last of them. */
const LOADS = 5;
const READINGS = 10;
const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b);
const at = (values: readonly number[], share: number) => sorted(values)[Math.min(Math.floor(share * values.length), values.length - 1)]!;
const round = (value: number, digits = 2) => Number(value.toFixed(digits));

/** p50, p95, p99 of milliseconds. */
const spread = (values: readonly number[]) => ({ runs: values.length, p50: round(at(values, 0.5)), p95: round(at(values, 0.95)), p99: round(at(values, 0.99)) });

interface Taken {
  frameMs: number[];
  decodeMs: number[];
  marks: Record<string, number>;
  warm: boolean;
}
const figures = (page: Page) =>
  page.evaluate(async () => {
    const app = (globalThis as unknown as { figop: { engine: { ask(r: unknown): Promise<{ figures: unknown }> } } }).figop;
    const taken = (await app.engine.ask({ kind: "figures" })).figures as Taken;
    for (const name of Object.keys(taken.marks)) taken.marks[name]! -= performance.timeOrigin;
    return taken;
  });

test("figures", async () => {
  const before = loadavg()[0]!;
  const served = await serve();
  const loads: number[] = [];
  let bytes = 0;
  let parts: Record<string, number> = {};
  let warmed = 0;
  let taken: Taken | null = null;
  let browser = "";
  for (let i = 0; i < LOADS; i++) {
    const stage = await browse(); // an empty profile: nothing is kept from the load before
    const { page } = stage;
    browser = stage.context.browser()?.version() ?? browser;
    let sent = 0;
    stage.context.on("response", (answer) => {
      if (answer.status() === 200 && !answer.fromServiceWorker()) sent += Number(answer.headers()["content-length"] ?? 0);
    });
    await page.goto(`${served.url}?fast&language=en`);
    await ready(page);
    const sentByReady = sent; // the service worker comes after, and finds the same files in the browser's cache
    loads.push(await page.evaluate(() => performance.getEntriesByName("figop-ready")[0]!.startTime));
    bytes = Math.max(bytes, sentByReady);
    if (i === LOADS - 1) {
      while (!(taken = await figures(page)).warm) await page.waitForTimeout(100);
      parts = taken.marks;
      warmed = await page.evaluate(() => performance.now());
      for (let n = 0; n < READINGS; n++) for (const name of GOLDEN) await take(page, `${ROOT}tests/golden/${name}.npz`);
      taken = await figures(page);
    }
    await stage.close();
  }
  await served.stop();
  const dist = join(ROOT, "edge/web/dist");
  const zipped = (readdirSync(dist, { recursive: true, encoding: "utf8" }) as string[]).filter((n) => n.endsWith(".js.gz") || n.endsWith(".css.gz"));
  const { frameMs, decodeMs } = taken!;
  const out = {
    command: "make results-web",
    browser: `Chromium ${browser || "headless"}`,
    cpu: cpus()[0]!.model,
    cores: cpus().length,
    load: { before: round(before), after: round(loadavg()[0]!) },
    scope: {
      cold_load_s: "from the navigation's start to a page whose bundle is open; figop web on the same computer, empty profile",
      transfer_mb: "bytes of every answer until then, as sent",
      frame_ms: "one hand frame in the worker after its landmarks, captions of its moment included",
      decode_ms: "the captioner's words for one final caption: units, prefill, every word",
      warm_up: "the page's own, after it is ready: every graph runs 24 times between requests",
      readings: `${GOLDEN.length} golden recordings, ${READINGS} times, as fast as possible, after the warm-up`,
    },
    cold_load_s: { loads: loads.map((v) => round(v / 1e3)), median: round(at(loads, 0.5) / 1e3) },
    last_load_ms: { ...Object.fromEntries(Object.entries(parts).map(([name, ms]) => [name, round(ms, 0)])), warm: round(warmed, 0) },
    transfer_mb: round(bytes / 1e6),
    app_code_gzip_kb: round(zipped.reduce((sum, n) => sum + statSync(join(dist, n)).size, 0) / 1e3, 1),
    frame_ms: spread(frameMs),
    decode_ms: spread(decodeMs),
    bars: { cold_load_s: 3, transfer_mb: 12, app_code_gzip_kb: 150, frame_ms_p50: 2, decode_ms_p95: 80 },
  };
  writeFileSync(join(ROOT, "results/web.json"), `${JSON.stringify(out, null, 1)}\n`);
  console.info(JSON.stringify(out, null, 1));
});
