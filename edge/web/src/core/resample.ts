// Fixed ticks (edge/resample.py): any 15-60 fps stream becomes a 30 Hz one, causally.
import { type HandFrame, present, seconds, squarePixels } from "./frame";

export const TICK_HZ = 30;
const SLACK_S = 0.002;

/** Both hands at one tick. world, image [2,21,3], wrist [2,3] (NaN where unknown), score, present, fresh [2]. */
export interface Tick {
  readonly index: number;
  readonly t: number;
  readonly world: Float32Array;
  readonly image: Float32Array;
  readonly wrist: Float32Array;
  readonly score: Float32Array;
  readonly present: readonly [boolean, boolean];
  readonly fresh: readonly [boolean, boolean];
}

interface Points {
  readonly world: Float32Array;
  readonly image: Float32Array;
  readonly wrist: Float32Array;
}

/** HandFrames in, ticks out. State: the last frame, the tick count and the tracks. */
export class Resampler {
  private first: number | null = null;
  private next = 0;
  private last: { t: number; points: Points; here: boolean[]; track: Int32Array } | null = null;
  private track = new Int32Array(2).fill(-1);

  constructor(readonly mirrored = false) {}

  reset(): void {
    this.first = null;
    this.next = 0;
    this.last = null;
    this.track = new Int32Array(2).fill(-1);
  }

  push(frame: HandFrame): Tick[] {
    const t = seconds(frame);
    const image = new Float32Array(126);
    for (const slot of [0, 1]) image.set(squarePixels(frame, slot, this.mirrored), slot * 63);
    const now: Points = { world: frame.world, image, wrist: frame.wrist };
    const here: [boolean, boolean] = [present(frame, 0), present(frame, 1)];
    const first = (this.first ??= t);
    const ticks: Tick[] = [];
    while (first + this.next / TICK_HZ <= t + SLACK_S) {
      const at = first + this.next / TICK_HZ;
      const last = this.last;
      let points = now;
      if (last) {
        const share = Math.fround(Math.min(Math.max((at - last.t) / (t - last.t), 0), 1));
        const both = [0, 1].map((s) => here[s]! && last.here[s]! && frame.trackId[s] === last.track[s]);
        const blend = (old: Float32Array, fresh: Float32Array, each: number) =>
          fresh.map((v, i) => (both[i < each ? 0 : 1] ? old[i]! + Math.fround(share * Math.fround(v - old[i]!)) : v));
        points = {
          world: blend(last.points.world, now.world, 63),
          image: blend(last.points.image, now.image, 63),
          wrist: blend(last.points.wrist, now.wrist, 3),
        };
      }
      const fresh: [boolean, boolean] = [
        here[0] && frame.trackId[0] !== this.track[0],
        here[1] && frame.trackId[1] !== this.track[1],
      ];
      this.track = this.track.map((old, s) => (here[s] ? frame.trackId[s]! : old));
      // the newer frame's certainty, not a blend: it says whether these landmarks can be trusted
      ticks.push({ index: this.next, t: at, ...points, score: frame.presence, present: here, fresh });
      this.next += 1;
    }
    this.last = { t, points: now, here, track: frame.trackId.slice() };
    return ticks;
  }
}
