// Pictures in the browser: a rendered clip as a file, and as what the camera sees.
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, test } from "vitest";
import { BUNDLE, camera, clip, DEMO, handsBundle } from "./clips";
import { browse, here, measured, picture, ready, rows, serve, type Stage, take, why } from "./stage";

const finals = (all: Record<string, unknown>[]) => all.filter((r) => r.type === "caption" && r.final && r.text).map((r) => String(r.text));
const middle = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;

/** A picture that takes longer than this has the fake camera show its clip slower, so that about 12 a second of it are read. */
const FAST_ENOUGH_MS = 80;
/** What the clip performs, as captions name it. */
const PERFORMED = [
  /right index finger (slowly )?(bends|points|straightens)/, /right thumb and (index|middle) finger (slowly )?(pinch|separate)/,
  /left index, middle, ring and pinky fingers (slowly )?spread/, /right hand (slowly )?(closes|opens)/, /left hand (slowly )?(closes|opens)/,
];

/** WebGPU by a GPU that the processor emulates: right, and slow. */
const GPU = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan", "--use-vulkan=swiftshader", "--enable-unsafe-swiftshader"];

/** Pictures read so far. */
const read = async (page: Page) => (await measured(page)).trackMs.length;

async function film(stage: Stage, url: string): Promise<void> {
  await stage.page.goto(`${url}?language=en`);
  await ready(stage.page);
  await stage.page.click("#camera");
  await stage.page.waitForSelector("#stop:not([disabled])", { timeout: 90_000 });
  expect(await stage.page.locator("#alert").innerText()).toBe("");
}

describe.skipIf(!here)(`pictures (${why})`, () => {
  beforeAll(handsBundle, 300_000);
  let slower = 4;

  test("a video becomes the captions that its pictures show", async () => {
    const served = await serve("--bundle", BUNDLE);
    const stage = await browse();
    try {
      await stage.page.goto(`${served.url}?language=en`);
      await ready(stage.page);
      await take(stage.page, clip(4.5).video);
      expect(await stage.page.locator("#alert").innerText()).toBe("");
      const all = await rows(stage.page);
      expect(all.some((r) => r.type === "hands_seen" && "right" in (r.hands as object))).toBe(true);
      expect(await stage.page.locator("#about").innerText()).toContain("This browser offers no WebGPU: hands are read on the main processor");
      // what the clip performs in these seconds, among others
      expect(finals(all).join(" ")).toMatch(/right index finger bends/);
      await picture(stage.page, "web-video.png");
      slower = Math.min(Math.max(middle((await measured(stage.page)).trackMs) / FAST_ENOUGH_MS, 1), 10);
    } finally {
      await stage.close();
      await served.stop();
    }
  });

  test("so does a camera, live", async () => {
    const served = await serve("--bundle", BUNDLE);
    const stage = await browse(camera(clip(15, slower), slower));
    try {
      await film(stage, served.url);
      const found = () => stage.page.locator("#said li").allInnerTexts().then((said) => PERFORMED.filter((p) => said.some((s) => p.test(s))).length);
      // four of five within two rounds of the clip
      await expect.poll(found, { timeout: 2 * 15_000 * slower + 20_000, interval: 1000 }).toBeGreaterThanOrEqual(4);
      await picture(stage.page, "web-camera.png");
      await stage.page.click("#stop");
      await stage.page.waitForFunction(() => document.querySelector("#state")?.textContent?.startsWith("Ended"));
      const { trackMs } = await measured(stage.page);
      console.info(`${trackMs.length} pictures, ${middle(trackMs).toFixed(0)} ms each, the clip ${slower.toFixed(1)} times slower`, finals(await rows(stage.page)));
    } finally {
      await stage.close();
      await served.stop();
    }
  });

  test("and says nothing where the camera shows no hand", async () => {
    const served = await serve("--bundle", BUNDLE);
    const stage = await browse(camera(clip(2, 1, true)));
    try {
      await film(stage, served.url);
      await expect.poll(() => read(stage.page), { timeout: 60_000, interval: 500 }).toBeGreaterThan(12);
      await stage.page.click("#stop");
      await stage.page.waitForFunction(() => document.querySelector("#state")?.textContent?.startsWith("Ended"));
      expect((await rows(stage.page)).filter((r) => r.type !== "dropped")).toEqual([]);
      expect(await stage.page.locator("#now").innerText()).toBe("Nothing that figop knows was seen.");
    } finally {
      await stage.close();
      await served.stop();
    }
  });

  test("a GPU reads the hands, where there is one", async (context) => {
    const served = await serve("--bundle", BUNDLE);
    const stage = await browse({ args: GPU });
    try {
      await stage.page.goto(`${served.url}?language=en&emulated-gpu`);
      await ready(stage.page);
      const there = await stage.page.evaluate(async () => Boolean(await (navigator as Navigator & { gpu?: { requestAdapter(): Promise<object | null> } }).gpu?.requestAdapter()));
      if (!there) return context.skip("this Chromium has no WebGPU, not even an emulated one");
      // the processor emulates the GPU: its first picture takes most of a minute, and shows that both networks are right
      await stage.page.setInputFiles("#pick", clip(1.4).video);
      await stage.page.waitForFunction(() => {
        const { rows } = (globalThis as unknown as { figop: { rows: unknown[] } }).figop;
        return rows.length || document.querySelector("#alert")?.textContent;
      }, undefined, { timeout: 220_000, polling: 500 });
      expect(await stage.page.locator("#alert").innerText()).toBe("");
      expect(await stage.page.locator("#about").innerText()).toContain("Hands are read on the graphics processor (WebGPU).");
      expect((await rows(stage.page))[0]).toMatchObject({ type: "hands_seen", hands: { right: expect.any(Number) } });
    } finally {
      await stage.close();
      await served.stop();
    }
  });

  test("a bundle without hand networks says what to do", async () => {
    const served = await serve();
    const stage = await browse();
    try {
      await stage.page.goto(`${served.url}?language=en`);
      await ready(stage.page);
      expect(await stage.page.locator("#camera").isDisabled()).toBe(true);
      await take(stage.page, DEMO);
      expect(await stage.page.locator("#alert").innerText()).toContain("figop export --device browser-wasm --with-hands");
    } finally {
      await stage.close();
      await served.stop();
    }
  });
});
