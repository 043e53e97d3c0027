// Pictures in the browser: a rendered clip as a file, and as what the camera sees.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, test } from "vitest";
import { ROOT } from "../node";
import { browse, here, picture, ready, rows, serve, take, why } from "./stage";

const PYTHON = process.env.FIGOP_PYTHON ?? "python3";
const BUNDLE = join(ROOT, "out/web-hands.figop");
const DEMO = join(ROOT, "edge/assets/demo.webm");
const env = { ...process.env, PYTHONPATH: ROOT };
const finals = (all: Record<string, unknown>[]) => all.filter((r) => r.type === "caption" && r.final && r.text);

/** The first seconds of the demo clip: raw for Chromium's fake camera, which plays it in a circle, and as VP8. */
function clip(seconds: number): { raw: string; video: string } {
  const folder = mkdtempSync(join(tmpdir(), "figop-camera-"));
  const [raw, video] = [join(folder, "clip.y4m"), join(folder, "clip.webm")];
  const code = `
import sys, cv2
source, out = cv2.VideoCapture(sys.argv[1]), open(sys.argv[2], "wb")
packed = cv2.VideoWriter(sys.argv[3], cv2.VideoWriter_fourcc(*"VP80"), 30, (320, 240))
out.write(b"YUV4MPEG2 W320 H240 F30:1 Ip A1:1 C420jpeg\\n")
for _ in range(int(30 * float(sys.argv[4]))):
    found, frame = source.read()
    if not found:
        break
    small = cv2.resize(frame, (320, 240), interpolation=cv2.INTER_AREA)
    packed.write(small)
    out.write(b"FRAME\\n" + cv2.cvtColor(small, cv2.COLOR_BGR2YUV_I420).tobytes())
packed.release()
`;
  execFileSync(PYTHON, ["-c", code, DEMO, raw, video, String(seconds)], { env });
  return { raw, video };
}

/** Pictures further apart than half a second end a phrase, and motions take less: slower computers see none whole. */
const TOO_SLOW_MS = 150;

/** Median milliseconds that a picture takes in the worker; NaN before the twentieth. */
const tracking = (page: Page) =>
  page.evaluate(async () => {
    const app = (globalThis as unknown as { figop: { engine: { ask(r: unknown): Promise<{ figures: { trackMs: number[] } }> } } }).figop;
    const { trackMs } = (await app.engine.ask({ kind: "figures" })).figures;
    return trackMs.length < 20 ? NaN : [...trackMs].sort((a, b) => a - b)[trackMs.length >> 1]!;
  });

describe.skipIf(!here)(`pictures (${why})`, () => {
  let clips: { raw: string; video: string };
  beforeAll(() => {
    clips = clip(4.5);
    if (!existsSync(BUNDLE)) execFileSync(PYTHON, ["-m", "tests.web_bundle", BUNDLE], { cwd: ROOT, env });
  }, 300_000);

  test("a video becomes the captions that its pictures show", async () => {
    const served = await serve("--bundle", BUNDLE);
    const stage = await browse();
    try {
      await stage.page.goto(`${served.url}?language=en`);
      await ready(stage.page);
      await take(stage.page, clips.video);
      expect(await stage.page.locator("#alert").innerText()).toBe("");
      const all = await rows(stage.page);
      expect(all.some((r) => r.type === "hands_seen" && "right" in (r.hands as object))).toBe(true);
      const said = finals(all).map((r) => String(r.text));
      console.info(said);
      // what the clip performs in these seconds, among others
      expect(said.join(" ")).toMatch(/right index finger bends/);
      await picture(stage.page, "web-video.png");
    } finally {
      await stage.close();
      await served.stop();
    }
  });

  test("so does a camera", async (context) => {
    const served = await serve("--bundle", BUNDLE);
    const stage = await browse({
      args: ["--disable-gpu", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", `--use-file-for-fake-video-capture=${clips.raw}`],
    });
    try {
      await stage.page.goto(`${served.url}?language=en`);
      await ready(stage.page);
      await stage.page.click("#camera");
      // hands from the camera's pictures, on any computer
      await stage.page.waitForFunction(() => {
        const { rows } = (globalThis as unknown as { figop: { rows: { type: string }[] } }).figop;
        return rows.some((r) => r.type === "hands_seen") || document.querySelector("#alert")?.textContent;
      }, undefined, { timeout: 90_000, polling: 500 });
      expect(await stage.page.locator("#alert").innerText()).toBe("");
      let slow = NaN;
      for (const began = Date.now(); Number.isNaN(slow) && Date.now() - began < 60_000; ) slow = await tracking(stage.page);
      if (!(slow <= TOO_SLOW_MS)) return context.skip(`this computer reads a picture in ${slow.toFixed(0)} ms: too slow to follow a camera`);
      await stage.page.waitForSelector("#said li", { timeout: 60_000 });
      await picture(stage.page, "web-camera.png");
      await stage.page.click("#stop");
      const said = finals(await rows(stage.page)).map((r) => String(r.text));
      console.info(said);
      expect(said.join(" ")).toMatch(/right|left/);
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
