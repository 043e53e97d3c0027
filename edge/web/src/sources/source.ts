// A source gives hand frames, or pictures, until it ends or is stopped.
import type { HandFrame, View } from "../core/frame";
import type { Picture } from "../protocol";

/** Where a source's frames go; every promise resolves when the captioner has read them. */
export interface Intake {
  frames(frames: readonly HandFrame[]): Promise<void>;
  picture(tNs: bigint, picture: Picture): Promise<void>;
}

export interface Source {
  /** What the source itself knows about how it looks; what it leaves out, the page's settings say. */
  readonly view?: View;
  readonly mirrored?: boolean;
  readonly appearanceDigest: string;
  readonly pictures: boolean;
  readonly live?: boolean;
  /** Pictures that came while the one before was still being read. */
  readonly missed?: number;
  run(intake: Intake, signal: AbortSignal): Promise<void>;
}

export const nanoseconds = (ms: number): bigint => BigInt(Math.round(ms * 1e6));
