// An emulated headset (iwer): its recorded hand poses played as motion become captions in the room.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { browse, here, picture, ready, rows, serve, why } from "./stage";

const IWER = readFileSync(fileURLToPath(new URL("../../node_modules/iwer/build/iwer.min.js", import.meta.url)), "utf8");
/** Frames a second of the made-up clock, and seconds from one pinch to the next. */
const [FPS, EACH, TIMES] = [30, 2.6, 2];
/** A headset whose right hand pinches and opens. Time goes on by one frame at every frame that is drawn, however long
 * this computer takes for it: what is said must not depend on the computer. */
const DEVICE = `${IWER};
  let now = 1000;
  const real = requestAnimationFrame.bind(globalThis);
  let last = -1;
  performance.now = () => now;
  const ease = (u) => u ** 3 * (10 - 15 * u + 6 * u * u);
  const ramp = (t) => ease(Math.min(Math.max(t / 0.5, 0), 1));
  globalThis.requestAnimationFrame = (callback) => real((t) => {
    if (t !== last) {
      last = t;
      now += 1000 / ${FPS};
      if (globalThis.began === undefined) return callback(now);
      const s = (now - globalThis.began) / 1000;
      const within = s % ${EACH} - 0.4;
      headset.hands.right.updatePinchValue(s < ${EACH * TIMES} ? ramp(within) - ramp(within - 0.9) : 0);
      globalThis.played = s >= ${EACH * TIMES + 1};
    }
    callback(now);
  });
  const device = new IWER.XRDevice(IWER.metaQuest3, { stereoEnabled: false });
  device.installRuntime({ forceInstall: true }); // Chromium has a runtime of its own, without a device
  device.primaryInputMode = "hand";
  device.position.set(0, 1.6, 0);
  for (const [side, x] of [["left", -0.2], ["right", 0.15]]) device.hands[side].position.set(x, 1.35, -0.45);
  globalThis.headset = device;`;

describe.skipIf(!here)(`the headset (${why})`, () => {
  test("pinches become captions, and the session ends cleanly", async () => {
    const served = await serve();
    const stage = await browse({ viewport: { width: 640, height: 560 }, script: DEVICE, args: ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"] });
    const { page } = stage;
    try {
      await page.goto(`${served.url}?language=en`);
      await ready(page);
      await page.waitForSelector("#ar:not([hidden]):not([disabled])", { timeout: 60_000 });
      await page.click("#ar");
      await page.waitForFunction(() => document.querySelector("#state")?.textContent === "Captioning" || document.querySelector("#alert")?.textContent);
      expect(await page.locator("#alert").innerText()).toBe("");
      await page.evaluate("globalThis.began = performance.now(); undefined");
      await page.waitForFunction(() => (globalThis as unknown as { played?: boolean }).played, undefined, { timeout: 200_000, polling: 500 });
      await picture(page, "web-ar.png");
      await page.evaluate(() => (document.querySelector("#stop") as HTMLButtonElement).click());
      await page.waitForFunction(() => document.querySelector("#state")?.textContent?.startsWith("Ended"), undefined, { timeout: 60_000 });
      const all = await rows(page);
      expect(all.filter((r) => r.type === "hands_seen").at(0)).toMatchObject({ hands: { left: expect.any(Number), right: expect.any(Number) } });
      const captions = all.filter((r) => r.type === "caption" && r.final && r.text).map((r) => String(r.text));
      // what Python says of the same poses played in the same way
      const pinch = "The right thumb and index finger pinch.";
      const part = "The right thumb and index finger separate.";
      expect(captions).toEqual(Array.from({ length: TIMES }, () => [pinch, part]).flat());
    } finally {
      await stage.close();
      await served.stop();
    }
  });
});
