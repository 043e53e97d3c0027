// Recordings (edge/recording.py): hand landmarks over time in one .npz file.
import { type HandFrame, handFrame, type View } from "../core/frame";
import { SourceError } from "../errors";
import { type NpyArray, readNpz } from "./npz";

// 2 = with detections of things, of which this page does not tell
const SCHEMA = 2;

export interface Recording {
  readonly name: string;
  readonly frames: readonly HandFrame[];
  readonly view: View;
  readonly mirrored: boolean;
  readonly appearanceDigest: string;
}

class Arrays {
  constructor(private readonly held: Map<string, NpyArray>, private readonly name: string) {}

  has(key: string): boolean {
    return this.held.has(key);
  }

  /** Numbers [shape], or what stands for them where they are absent; -1 in `shape` = any length. */
  numbers(key: string, shape: readonly number[], absent: number): Float64Array {
    const found = this.held.get(key);
    if (!found) return new Float64Array(shape.reduce((a, b) => a * Math.max(b, 0), 1)).fill(absent);
    this.fits(key, found, shape);
    if (found.kind === "U") throw new SourceError(`${this.name}: ${key} must hold numbers, found text.`);
    return found.data instanceof BigInt64Array ? Float64Array.from(found.data, Number) : (found.data as Float64Array);
  }

  stamps(key: string): BigInt64Array {
    const found = this.held.get(key);
    if (!found || found.kind === "U" || found.kind === "f" || found.shape.length !== 1) {
      throw new SourceError(`${this.name}: ${key} must hold whole numbers, one a frame.`);
    }
    return found.data instanceof BigInt64Array ? found.data : BigInt64Array.from(found.data as Float64Array, (v) => BigInt(v));
  }

  text(key: string, absent: string): string {
    const found = this.held.get(key);
    if (!found) return absent;
    if (found.kind !== "U") throw new SourceError(`${this.name}: ${key} must hold text.`);
    return String(found.data[0] ?? absent);
  }

  private fits(key: string, found: NpyArray, shape: readonly number[]): void {
    if (found.shape.length !== shape.length || !shape.every((n, i) => n < 0 || n === found.shape[i])) {
      const wanted = shape.map((n) => (n < 0 ? "any" : n)).join(" x ") || "a single value";
      throw new SourceError(`${this.name}: ${key} has the shape ${found.shape.join(" x ")}, but ${wanted} is needed.`);
    }
  }
}

/** Read and check a recording. Throws SourceError naming what is wrong with it. */
export function readRecording(bytes: Uint8Array, name: string): Recording {
  const held = readNpz(bytes, name);
  const arrays = new Arrays(held, name);
  if (!arrays.has("t_ns") || !arrays.has("schema")) {
    throw new SourceError(`${name} is not a figop recording: it has no t_ns or no schema.`);
  }
  const schema = arrays.numbers("schema", [], 0)[0]!;
  if (schema > SCHEMA) throw new SourceError(`${name} is a recording of schema ${schema}; this figop reads up to ${SCHEMA}: update figop.`);
  const tNs = arrays.stamps("t_ns");
  const count = tNs.length;
  const landmarks = Float32Array.from(arrays.numbers("landmarks", [count, 2, 21, 3], NaN));
  const world = Float32Array.from(arrays.numbers("world", [count, 2, 21, 3], NaN));
  const wrist = Float32Array.from(arrays.numbers("wrist", [count, 2, 3], NaN));
  const seen = (i: number, hand: number) => {
    const at = (i * 2 + hand) * 63;
    return isFinite(world[at]!) || isFinite(landmarks[at]!);
  };
  // whoever has coordinates is there
  const presence = arrays.has("presence")
    ? Float32Array.from(arrays.numbers("presence", [count, 2], 0))
    : Float32Array.from({ length: count * 2 }, (_, i) => Number(seen(i >> 1, i & 1)));
  const trackId = arrays.has("track_id")
    ? Int32Array.from(arrays.numbers("track_id", [count, 2], 0))
    : Int32Array.from(presence, (p, i) => (p > 0 ? i & 1 : -1));
  const view = arrays.text("view", "facing");
  if (view !== "facing" && view !== "egocentric") {
    throw new SourceError(`${name}: the view must be one of facing, egocentric, found '${view}'.`);
  }
  const size = arrays.numbers("image_size", [2], 0);
  const keyframes = arrays.numbers("keyframes", [-1], 0);
  const appearance = Float32Array.from(arrays.numbers("appearance", [keyframes.length, 2, -1], NaN));
  const width = keyframes.length ? appearance.length / keyframes.length : 0;
  const keyed = new Map([...keyframes].map((frame, i) => [frame, appearance.subarray(i * width, (i + 1) * width)]));
  if ([...keyframes].some((k) => !(k >= 0 && k < count))) {
    throw new SourceError(`${name}: keyframes must number the ${count} frames from 0.`);
  }
  const frames = Array.from(tNs, (t, i) =>
    handFrame(t, {
      landmarks: landmarks.subarray(i * 126, i * 126 + 126),
      world: world.subarray(i * 126, i * 126 + 126),
      wrist: wrist.subarray(i * 6, i * 6 + 6),
      presence: presence.subarray(i * 2, i * 2 + 2),
      trackId: trackId.subarray(i * 2, i * 2 + 2),
      appearance: keyed.get(i) ?? null,
      imageSize: [size[0]!, size[1]!],
    }),
  );
  return {
    name, frames, view, mirrored: arrays.numbers("mirrored", [], 0)[0] !== 0, appearanceDigest: arrays.text("appearance_digest", ""),
  };
}
