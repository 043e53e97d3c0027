// An emulated headset (iwer): its recorded hand poses played as motion become captions in the room.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { browse, here, picture, ready, rows, serve, why } from "./stage";

const IWER = readFileSync(fileURLToPath(new URL("../../node_modules/iwer/build/iwer.min.js", import.meta.url)), "utf8");
const DEVICE = `${IWER};
  const device = new IWER.XRDevice(IWER.metaQuest3, { stereoEnabled: false });
  device.installRuntime({ forceInstall: true }); /* Chromium has one of its own, without a device */
  device.primaryInputMode = "hand";
  device.position.set(0, 1.6, 0);
  for (const [side, x] of [["left", -0.2], ["right", 0.15]]) device.hands[side].position.set(x, 1.35, -0.45);
  globalThis.headset = device;`;

interface Hand {
  connected: boolean;
  updatePinchValue(value: number): void;
}

/** Close and open the right hand's pinch in half a second each, so often; by the page's own clock. */
async function pinch(times: number): Promise<void> {
  const hand = (globalThis as unknown as { headset: { hands: { right: Hand } } }).headset.hands.right;
  const began = performance.now();
  const one = 2600;
  await new Promise<void>((done) => {
    const timer = setInterval(() => {
      const t = (performance.now() - began) / one;
      const s = Math.min(Math.max(((t % 1) * one) / 1000 - 0.4, 0), 10);
      const ease = (u: number) => u ** 3 * (10 - 15 * u + 6 * u * u);
      const closing = ease(Math.min(s / 0.5, 1));
      const opening = ease(Math.min(Math.max((s - 0.9) / 0.5, 0), 1));
      hand.updatePinchValue(Math.min(Math.max(closing - opening, 0), 1));
      if (t >= times) {
        clearInterval(timer);
        done();
      }
    }, 8);
  });
}

describe.skipIf(!here)(`the headset (${why})`, () => {
  test("pinches become captions, and the session ends cleanly", async () => {
    const served = await serve();
    const stage = await browse({ script: DEVICE, args: ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"] });
    const { page } = stage;
    try {
      await page.goto(`${served.url}?language=en`);
      await ready(page);
      await page.waitForSelector("#ar:not([hidden]):not([disabled])", { timeout: 60_000 });
      await page.click("#ar");
      await page.waitForFunction(() => document.querySelector("#state")?.textContent === "Captioning" || document.querySelector("#alert")?.textContent);
      expect(await page.locator("#alert").innerText()).toBe("");
      await page.evaluate(pinch, 4);
      await picture(page, "web-ar.png");
      await page.evaluate(() => (document.querySelector("#stop") as HTMLButtonElement).click());
      await page.waitForFunction(() => document.querySelector("#state")?.textContent?.startsWith("Ended"), undefined, { timeout: 60_000 });
      const all = await rows(page);
      expect(all.filter((r) => r.type === "hands_seen").at(0)).toMatchObject({ hands: { left: expect.any(Number), right: expect.any(Number) } });
      const captions = all.filter((r) => r.type === "caption" && r.final && r.text).map((r) => String(r.text));
      console.info(captions);
      const right = captions.filter((text) => /right/.test(text) && /thumb|index|pinch|together/.test(text));
      expect(right.length, captions.join(" | ")).toBeGreaterThanOrEqual(2);
      expect(captions.filter((text) => /left/i.test(text)), "the left hand rests").toEqual([]);
    } finally {
      await stage.close();
      await served.stop();
    }
  });
});
