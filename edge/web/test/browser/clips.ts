// Pictures for the browser tests: the demo clip as a file and as what Chromium's fake camera shows, and a bundle that reads it.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../node";
import { PYTHON } from "./stage";

/** Float hand networks beside the shipped graphs; the shipped graphs in int8. */
export const BUNDLE = join(ROOT, "out/web-hands.figop");
export const INT8 = join(ROOT, "out/web-int8.figop");
export const DEMO = join(ROOT, "edge/assets/demo.webm");
const env = { ...process.env, PYTHONPATH: ROOT };

/** Make one of them, where it is not there or older than the graphs that it is made from. */
export function made(kind: "hands" | "int8", path: string): void {
  const source = statSync(join(ROOT, "edge/bundles/figop-base/manifest.json")).mtimeMs;
  if (existsSync(path) && statSync(path).mtimeMs > source) return;
  execFileSync(PYTHON, ["-m", "tests.web_bundle", kind, path], { cwd: ROOT, env });
}
export const handsBundle = () => made("hands", BUNDLE);

export interface Clip {
  /** Raw, for the fake camera, which plays it in a circle. */
  readonly raw: string;
  /** VP8. */
  readonly video: string;
}

/** The first seconds of the demo clip. slower: the camera shows it as many times slower; empty: without what it shows. */
export function clip(seconds: number, slower = 1, empty = false): Clip {
  const folder = mkdtempSync(join(tmpdir(), "figop-camera-"));
  const [raw, video] = [join(folder, "clip.y4m"), join(folder, "clip.webm")];
  const code = `
import sys, cv2
source, out = cv2.VideoCapture(sys.argv[1]), open(sys.argv[2], "wb")
packed = cv2.VideoWriter(sys.argv[3], cv2.VideoWriter_fourcc(*"VP80"), 30, (320, 240))
out.write(b"YUV4MPEG2 W320 H240 F%d:1000 Ip A1:1 C420jpeg\\n" % round(30000 / float(sys.argv[5])))
for _ in range(int(30 * float(sys.argv[4]))):
    found, frame = source.read()
    if not found:
        break
    small = cv2.resize(frame, (320, 240), interpolation=cv2.INTER_AREA)
    if sys.argv[6] == "true":
        small[:] = small.mean(axis=(0, 1))
    packed.write(small)
    out.write(b"FRAME\\n" + cv2.cvtColor(small, cv2.COLOR_BGR2YUV_I420).tobytes())
packed.release()
`;
  execFileSync(PYTHON, ["-c", code, DEMO, raw, video, String(seconds), String(slower), String(empty)], { env });
  return { raw, video };
}

/** Chromium with this clip as its camera; stamps are those of the clip's own time, where it is shown slower. */
export const camera = ({ raw }: Clip, slower = 1) => ({
  args: ["--disable-gpu", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", `--use-file-for-fake-video-capture=${raw}`],
  script: `{
    const next = HTMLVideoElement.prototype.requestVideoFrameCallback;
    HTMLVideoElement.prototype.requestVideoFrameCallback = function (say) {
      return next.call(this, (now, m) => say(now, { ...m, captureTime: (m.captureTime ?? performance.now()) / ${slower} }));
    };
  }`,
});
