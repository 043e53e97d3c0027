// An emulated headset (iwer): recorded hand poses played as motion become the captions that Python says of the same hands.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { ROOT } from "../node";
import { browse, here, picture, PYTHON, ready, rows, serve, why } from "./stage";

const IWER = readFileSync(fileURLToPath(new URL("../../node_modules/iwer/build/iwer.min.js", import.meta.url)), "utf8");
const RECORDED = join(ROOT, "../shared/data/webxr_static_poses/handyjs_poses.npz");
/** Frames a second of the made-up clock, and seconds from one motion to the next: there, hold, back, rest. */
const [FPS, EACH] = [30, 2.6];

type Pose = Record<string, [number, number, number]>;

/** A headset whose right hand goes from a pose to another and back, pair by pair; null = from relaxed to iwer's own pinch.
 * Time goes on by one frame at every frame that is drawn, however long this computer takes for it. */
const device = (pairs: readonly (readonly [Pose, Pose] | null)[]) => `${IWER};
  let now = 1000;
  const real = requestAnimationFrame.bind(globalThis);
  let last = -1;
  performance.now = () => now;
  const ease = (u) => u ** 3 * (10 - 15 * u + 6 * u * u);
  const ramp = (t) => ease(Math.min(Math.max(t / 0.5, 0), 1));
  const device = new IWER.XRDevice(IWER.metaQuest3, { stereoEnabled: false });
  device.installRuntime({ forceInstall: true }); // Chromium has a runtime of its own, without a device
  device.primaryInputMode = "hand";
  device.position.set(0, 1.6, 0);
  for (const [side, x] of [["left", -0.2], ["right", 0.15]]) device.hands[side].position.set(x, 1.35, -0.45);
  const { right } = device.hands;
  const held = Object.getOwnPropertySymbols(right).map((s) => right[s]).find((v) => v?.poses);
  // iwer keeps left hands and mirrors them
  const transforms = (pose) => Object.fromEntries(Object.entries(pose).map(([joint, [x, y, z]]) =>
    [joint, { offsetMatrix: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, -x, y, z, 1], radius: 0.008 }]));
  const pairs = ${JSON.stringify(pairs)}.map((pair) => pair && pair.map((pose) => ({ jointTransforms: transforms(pose) })));
  const show = (n) => { if (pairs[n]) held.poses = { default: pairs[n][0], pinch: pairs[n][1] }; };
  show(0);
  globalThis.requestAnimationFrame = (callback) => real((t) => {
    if (t !== last) {
      last = t;
      now += 1000 / ${FPS};
      if (globalThis.began === undefined) return callback(now);
      const s = (now - globalThis.began) / 1000;
      const within = s % ${EACH} - 0.4;
      if (s < ${EACH} * pairs.length) {
        show(Math.floor(s / ${EACH}));
        right.updatePinchValue(ramp(within) - ramp(within - 0.9));
      } else right.updatePinchValue(0);
      globalThis.played = s >= ${EACH} * pairs.length + 1;
    }
    callback(now);
  });`;

function python(input: string, ...more: string[]): string {
  return execFileSync(PYTHON, ["-m", "tests.web_truth", ...more], { cwd: ROOT, env: { ...process.env, PYTHONPATH: ROOT }, input }).toString();
}

/** Enter AR, play, leave; returns the page's final captions and Python's of the very same hand frames. */
async function play(page: Page, url: string, shot: string): Promise<{ said: string[]; truth: string[] }> {
  await page.goto(`${url}?language=en`);
  await ready(page);
  await page.evaluate(() => {
    const { engine } = (globalThis as unknown as { figop: { engine: { ask(r: { kind: string; frames?: object[] }, t?: unknown): unknown } } }).figop;
    const kept: object[] = ((globalThis as unknown as { kept: object[] }).kept = []);
    const ask = engine.ask.bind(engine);
    engine.ask = (request, transfer) => {
      kept.push(...(request.frames ?? []));
      return ask(request, transfer);
    };
  });
  await page.waitForSelector("#ar:not([hidden]):not([disabled])", { timeout: 60_000 });
  await page.click("#ar");
  await page.waitForFunction(() => document.querySelector("#state")?.textContent === "Captioning" || document.querySelector("#alert")?.textContent);
  expect(await page.locator("#alert").innerText()).toBe("");
  await page.evaluate("globalThis.began = performance.now(); undefined");
  await page.waitForFunction(() => (globalThis as unknown as { played?: boolean }).played, undefined, { timeout: 200_000, polling: 500 });
  await picture(page, shot);
  await page.evaluate(() => (document.querySelector("#stop") as HTMLButtonElement).click());
  await page.waitForFunction(() => document.querySelector("#state")?.textContent?.startsWith("Ended"), undefined, { timeout: 60_000 });
  const frames = await page.evaluate(() => {
    const list = (values: ArrayLike<number>) => Array.from(values, (v) => (isFinite(v) ? v : null));
    return JSON.stringify((globalThis as unknown as { kept: Record<string, ArrayLike<number>>[] }).kept.map((f) => ({
      tNs: String(f.tNs), world: list(f.world!), wrist: list(f.wrist!), presence: list(f.presence!), trackId: list(f.trackId!),
    })));
  });
  const said = (await rows(page)).filter((r) => r.type === "caption" && r.final && r.text).map((r) => String(r.text));
  return { said, truth: JSON.parse(python(frames, "captions")) as string[] };
}

describe.skipIf(!here)(`the headset (${why})`, () => {
  const stage = (script: string) =>
    browse({ viewport: { width: 640, height: 560 }, script, args: ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"] });

  test("pinches become captions, and the session ends cleanly", async () => {
    const served = await serve();
    const { page, close } = await stage(device([null, null]));
    try {
      const { said, truth } = await play(page, served.url, "web-ar.png");
      expect((await rows(page)).filter((r) => r.type === "hands_seen").at(0)).toMatchObject({ hands: { left: expect.any(Number), right: expect.any(Number) } });
      expect(said).toEqual(truth);
      expect(said.join(" ")).toMatch(/right thumb and index finger pinch/);
    } finally {
      await close();
      await served.stop();
    }
  });

  test("so do poses that were recorded on a headset", async (context) => {
    if (!existsSync(RECORDED)) return context.skip("the recorded poses (../shared/data/webxr_static_poses) are not beside this checkout");
    const poses = JSON.parse(python("", "poses", RECORDED, "flat", "fist", "point")) as Record<string, Pose>;
    const served = await serve();
    const { page, close } = await stage(device([[poses.flat!, poses.fist!], [poses.flat!, poses.point!]]));
    try {
      const { said, truth } = await play(page, served.url, "web-ar-poses.png");
      console.info(said);
      expect(said).toEqual(truth);
      expect(said.join(" ")).toMatch(/right hand closes into a fist.*right index finger points/);
    } finally {
      await close();
      await served.stop();
    }
  });
});
