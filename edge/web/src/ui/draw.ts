// Pictures of hands and lanes on canvases; colours come from the style sheet, so that contrast modes reach them.
import { FINGERS } from "../core/score";
import { type HandFrame, present } from "../core/frame";
import { type Bar, barLabel, clock, lanesOf } from "./timeline";
import type { Strings } from "./strings";

/** Colours of thumb, index, middle, ring, pinky, hand: told apart by lightness too (after Okabe and Ito). */
export const COLOURS = ["#e69f00", "#56b4e9", "#2fbf91", "#f0e442", "#d98cb8", "#9db0c8"];
const INK = "#10141b";
const PAPER = "#eef2f8";

/** A canvas made as sharp as the screen; returns its context in CSS pixels. */
function sharp(canvas: HTMLCanvasElement): readonly [CanvasRenderingContext2D, number, number] {
  const scale = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const context = canvas.getContext("2d")!;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return [context, width, height];
}

const style = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Both hands of a frame: by image landmarks over the picture, else by world and wrist. */
export function drawHands(canvas: HTMLCanvasElement, frame: HandFrame | null, strings: Strings): void {
  const [context, width, height] = sharp(canvas);
  if (!frame) return;
  context.lineCap = context.lineJoin = "round";
  for (const slot of [0, 1]) {
    if (!present(frame, slot)) continue;
    const points = place(frame, slot, width, height);
    const at = (j: number) => points[j]!;
    context.lineWidth = 3;
    FINGERS.forEach((_, f) => {
      context.strokeStyle = COLOURS[f]!;
      context.beginPath();
      context.moveTo(...at(0));
      for (let j = 1 + 4 * f; j < 5 + 4 * f; j++) context.lineTo(...at(j));
      context.stroke();
    });
    context.fillStyle = PAPER;
    for (const p of points) {
      context.beginPath();
      context.arc(...p, 2.5, 0, 7);
      context.fill();
    }
    context.font = "600 13px system-ui, sans-serif";
    context.textAlign = "center";
    context.fillText(slot ? strings.right : strings.left, at(0)[0], Math.min(at(0)[1] + 20, height - 4));
  }
}

function place(frame: HandFrame, slot: number, width: number, height: number): [number, number][] {
  const from = slot * 63;
  const [w, h] = frame.imageSize;
  if (isFinite(frame.landmarks[from]!)) {
    const scale = w && h ? Math.min(width / w, height / h) : 0;
    const [dx, dy] = scale ? [(width - w * scale) / 2, (height - h * scale) / 2] : [0, 0];
    return Array.from({ length: 21 }, (_, j) => {
      const [x, y] = [frame.landmarks[from + j * 3]!, frame.landmarks[from + j * 3 + 1]!];
      return scale ? [dx + x * w * scale, dy + y * h * scale] : [x * width, y * height];
    });
  }
  // metres: half a metre fills the height, about where hands are held below the eyes; without a place side by side
  const scale = height / 0.5;
  const wrist = [0, 1].map((k) => frame.wrist[slot * 3 + k]!);
  const known = wrist.every(isFinite);
  const [x0, y0] = known
    ? [width / 2 + wrist[0]! * scale, height * 0.72 + (wrist[1]! - 0.25) * scale]
    : [width * (slot ? 0.68 : 0.32), height * 0.75];
  return Array.from({ length: 21 }, (_, j) => {
    return [x0 + frame.world[from + j * 3]! * scale, y0 + frame.world[from + j * 3 + 1]! * scale] as [number, number];
  });
}

/** Seconds across the time line. */
export const SPAN_S = 8;
const HEAD = 88;

/** The score: for each hand a lane per finger and one for the whole hand; `until` is the right edge, seconds. */
export function drawLanes(canvas: HTMLCanvasElement, bars: readonly Bar[], origin: number, now: number, until: number, strings: Strings, words: Readonly<Record<string, string>>): void {
  const [context, width, height] = sharp(canvas);
  const row = (height - 22) / 12;
  const from = until - SPAN_S;
  const x = (t: number) => HEAD + ((t - from) / SPAN_S) * (width - HEAD);
  const names = [...FINGERS, "hand"] as (keyof Strings)[];
  context.font = "12px system-ui, sans-serif";
  context.textBaseline = "middle";
  for (let lane = 0; lane < 12; lane++) {
    const y = (lane % 12) * row + (lane >= 6 ? 6 : 0);
    context.fillStyle = lane % 2 ? style("--lane") : style("--panel");
    context.fillRect(HEAD, y, width - HEAD, row - 1);
    context.fillStyle = style("--muted");
    context.textAlign = "right";
    const name = strings[names[lane % 6]!];
    context.fillText(lane % 6 === 0 ? `${lane < 6 ? strings.left : strings.right} ${name}` : name, HEAD - 6, y + row / 2);
  }
  context.textAlign = "center";
  context.fillStyle = style("--muted");
  for (let t = Math.ceil(from - origin); t <= until - origin; t++) {
    if (t >= 0 && t % 2 === 0) context.fillText(clock(t), Math.min(x(t + origin), width - 20), height - 7);
  }
  for (const { event, final, running } of bars) {
    const end = running ? Math.max(now, event.end) : event.end;
    if (end < from || event.start > until) continue;
    const [left, right] = [Math.max(x(event.start), HEAD), Math.max(x(end), x(event.start) + 4)];
    for (const lane of lanesOf(event)) {
      const y = ((event.hand === "right" ? 6 : 0) + lane) * row + (event.hand === "right" ? 6 : 0);
      context.fillStyle = COLOURS[lane]!;
      context.globalAlpha = final ? 1 : 0.6;
      context.beginPath();
      context.roundRect(left, y + 1, right - left, row - 3, 3);
      context.fill();
      context.globalAlpha = 1;
      context.save();
      context.clip();
      context.fillStyle = INK;
      context.textAlign = "left";
      context.fillText(barLabel(event, words), left + 4, y + row / 2);
      context.restore();
    }
  }
  if (now >= from && now <= until) {
    context.fillStyle = style("--accent");
    context.fillRect(x(now), 0, 1.5, height - 20);
  }
}
