// `make results-web`: what the page costs in Chromium; writes results/web.json. No bar is tested here.
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { test } from "vitest";
import type { Figures } from "../../src/protocol";
import { GOLDEN, ROOT } from "../node";
import { BUNDLE, camera, clip, handsBundle } from "../browser/clips";
import { browse, measured, ready, serve, take } from "../browser/stage";

/** Cold loads, each in a browser with an empty profile; readings of all golden recordings in the last of them. */
const LOADS = 5;
const READINGS = 10;
/** Seconds of a live camera, after as many in which the engine warms up. */
const LIVE_S = 30;
const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b);
const at = (values: readonly number[], share: number) => sorted(values)[Math.min(Math.floor(share * values.length), values.length - 1)]!;
const round = (value: number, digits = 2) => Number(value.toFixed(digits));

/** p50, p95, p99 of milliseconds. */
const spread = (values: readonly number[]) => ({ runs: values.length, p50: round(at(values, 0.5)), p95: round(at(values, 0.95)), p99: round(at(values, 0.99)) });

/** A live camera that shows the demo clip at its own speed. */
async function live(): Promise<object> {
  handsBundle();
  const served = await serve("--bundle", BUNDLE);
  const stage = await browse(camera(clip(15)));
  await stage.page.goto(`${served.url}?language=en`);
  await ready(stage.page);
  await stage.page.click("#camera");
  await stage.page.waitForTimeout(LIVE_S * 1e3);
  const before = (await measured(stage.page)).trackMs.length;
  const said = await stage.page.locator("#said li").count();
  await stage.page.waitForTimeout(LIVE_S * 1e3);
  const ms = (await measured(stage.page)).trackMs.slice(before);
  const captions = (await stage.page.locator("#said li").count()) - said;
  await stage.close();
  await served.stop();
  return { seconds: LIVE_S, pictures_per_s: round(ms.length / LIVE_S, 1), picture_ms: spread(ms), captions };
}

test("figures", async () => {
  const before = loadavg()[0]!;
  const served = await serve();
  const loads: number[] = [];
  let bytes = 0;
  let parts: Figures["marks"] = {};
  let warmed = 0;
  let taken: Figures | null = null;
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
      while (!(taken = await measured(page)).warm) await page.waitForTimeout(100);
      parts = taken.marks;
      warmed = await page.evaluate(() => performance.now());
      for (let n = 0; n < READINGS; n++) for (const name of GOLDEN) await take(page, `${ROOT}tests/golden/${name}.npz`);
      taken = await measured(page);
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
      camera: "a fake camera that shows the demo clip in a circle, 320 x 240 at 30 pictures a second; a picture's palm and landmark networks",
      readings: `${GOLDEN.length} golden recordings, ${READINGS} times, as fast as possible, after the warm-up`,
    },
    cold_load_s: { loads: loads.map((v) => round(v / 1e3)), median: round(at(loads, 0.5) / 1e3) },
    last_load_ms: { ...Object.fromEntries(Object.entries(parts).map(([name, ms]) => [name, round(ms, 0)])), warm: round(warmed, 0) },
    transfer_mb: round(bytes / 1e6),
    app_code_gzip_kb: round(zipped.reduce((sum, n) => sum + statSync(join(dist, n)).size, 0) / 1e3, 1),
    frame_ms: spread(frameMs),
    decode_ms: spread(decodeMs),
    camera: await live(),
    bars: { cold_load_s: 3, transfer_mb: 12, app_code_gzip_kb: 150, frame_ms_p50: 2, decode_ms_p95: 80 },
  };
  writeFileSync(join(ROOT, "results/web.json"), `${JSON.stringify(out, null, 1)}\n`);
  console.info(JSON.stringify(out, null, 1));
});
