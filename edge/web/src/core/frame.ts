// `HandFrame`: everything that later stages know about one instant (edge/hands/frame.py).
export const LEFT = 0;
export const RIGHT = 1;
export type View = "facing" | "egocentric";

/** Up to two hands at one time stamp. Slot 0 = left, 1 = right, anatomical. What a source cannot give is NaN.
 *
 * tNs: nanoseconds of the source. landmarks [2,21,3]: image fractions, z relative. world [2,21,3]: metres, wrist at
 * the origin, x right, y down, z away. wrist [2,3]: metres. presence [2]: 0..1. trackId [2]: -1 = no hand.
 * appearance [2,D] or null. imageSize: pixels, [0, 0] without an image. */
export interface HandFrame {
  readonly tNs: bigint;
  readonly landmarks: Float32Array;
  readonly world: Float32Array;
  readonly wrist: Float32Array;
  readonly presence: Float32Array;
  readonly trackId: Int32Array;
  readonly appearance: Float32Array | null;
  readonly imageSize: readonly [number, number];
  readonly stagesMs: Record<string, number>;
}

const nans = (n: number) => new Float32Array(n).fill(NaN);

export function handFrame(tNs: bigint, given: Partial<Omit<HandFrame, "tNs">> = {}): HandFrame {
  return {
    tNs,
    landmarks: given.landmarks ?? nans(126),
    world: given.world ?? nans(126),
    wrist: given.wrist ?? nans(6),
    presence: given.presence ?? new Float32Array(2),
    trackId: given.trackId ?? new Int32Array(2).fill(-1),
    appearance: given.appearance ?? null,
    imageSize: given.imageSize ?? [0, 0],
    stagesMs: given.stagesMs ?? {},
  };
}

/** Time in seconds. */
export function seconds(frame: HandFrame): number {
  return Number(frame.tNs) * 1e-9;
}

/** Whether this hand is seen: presence at least one half, and coordinates of some kind. */
export function present(frame: HandFrame, slot: number): boolean {
  return frame.presence[slot]! >= 0.5 && (isFinite(frame.world[slot * 63]!) || isFinite(frame.landmarks[slot * 63]!));
}

export function allFinite(values: Float32Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (!isFinite(values[i]!)) return false;
  return true;
}

/** Image fractions of one hand [21,3] in units of the image's width; a selfie's are flipped back. */
export function squarePixels(frame: HandFrame, slot: number, mirrored: boolean): Float32Array {
  const out = frame.landmarks.slice(slot * 63, slot * 63 + 63);
  const [width, height] = frame.imageSize;
  const tall = width && height ? Math.fround(height / width) : 1;
  for (let i = 0; i < 63; i += 3) {
    if (mirrored) out[i] = 1 - out[i]!;
    out[i + 1] = out[i + 1]! * tall;
  }
  return out;
}
