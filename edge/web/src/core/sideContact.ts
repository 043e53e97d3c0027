// The thumb on the side of the index finger (edge/sidecontact.py): episodes of touch, followed frame by frame.
import { type Atom, atom, type RuleSettings } from "./atoms";
import { run } from "./channels";
import type { Pose } from "./features";

const SIDE_STILL_S = 0.2;

export class SideContact {
  private near = false;
  private told = false;
  private track: [number, number, number][] = [];
  private wasFree = false;

  constructor(readonly settings: RuleSettings) {}

  reset(): void {
    this.near = this.told = this.wasFree = false;
    this.track = [];
  }

  /** When the thumb was last seen on the finger without having come to rest there; else -Infinity. */
  get movedAt(): number {
    return this.near && !this.told ? this.track.at(-1)![0] : -Infinity;
  }

  /** Follow the distance thumb tip - index side; returns what has become known. */
  push(pose: Pose, bends: readonly number[], reaches: readonly number[]): Atom | null {
    const s = this.settings;
    const [along, across, far] = positionOnIndex(pose.local);
    const beside = bends[1]! < s.side_bend_max;
    const t = pose.t;
    if (!this.near) {
      if (far > 1.4 * s.side_reach) this.wasFree = true;
      else if (far < s.side_reach && along < 0.9 && beside && this.wasFree) {
        this.near = true;
        this.told = false;
        this.track = [[t, along, across]];
      }
      return null;
    }
    if (far < 1.4 * s.side_reach && beside) {
      if (far < s.side_reach) this.track.push([t, along, across]); // further out the thumb comes or goes: no slide
      if (this.told || t - this.track[0]![0] < s.side_stay_s || !this.settled(t)) return null;
      this.told = true;
      return this.episode(bends, reaches, t - SIDE_STILL_S);
    }
    this.near = false;
    const until = this.track.at(-1)![0];
    if (this.told) return atom("lift", 1, run(0, 1, until, t), bends, reaches);
    return this.episode(bends, reaches, until);
  }

  /** Close a touch that is under way: the stream, or the sight of the hand, ends here. */
  flush(bends: readonly number[], reaches: readonly number[]): Atom | null {
    if (!this.near || this.told) return null;
    this.near = false;
    return this.episode(bends, reaches, this.track.at(-1)![0]);
  }

  private episode(bends: readonly number[], reaches: readonly number[], until: number): Atom {
    const along = extremes(this.track.map((p) => p[1]));
    const across = extremes(this.track.map((p) => p[2]));
    const [start, first] = this.track[0]!;
    return atom("side", 1, run(first, first + along, start, until), bends, reaches, { across, stays: this.told });
  }

  /** Whether the thumb has kept its place on the finger for a moment. */
  private settled(t: number): boolean {
    const recent = this.track.filter((p) => p[0] >= t - SIDE_STILL_S);
    const reach = (k: 1 | 2) => Math.max(...recent.map((p) => p[k])) - Math.min(...recent.map((p) => p[k]));
    return recent.length > 0 && Math.max(reach(1), reach(2)) < 0.06;
  }
}

/** From one extreme to the other, in the order in which they came. */
function extremes(values: readonly number[]): number {
  const low = Math.min(...values);
  const high = Math.max(...values);
  return values.indexOf(low) < values.indexOf(high) ? high - low : low - high;
}

/** Thumb tip against the index finger (MCP to TIP): position along 0..1, offset out of the palm, distance. */
export function positionOnIndex(local: Float32Array): [number, number, number] {
  const at = (joint: number, k: number) => local[joint * 3 + k]!;
  const bones = [0, 1, 2].map((i) => [0, 1, 2].map((k) => at(6 + i, k) - at(5 + i, k)) as [number, number, number]);
  const sizes = bones.map((b) => Math.sqrt(b[0] * b[0] + b[1] * b[1] + b[2] * b[2]));
  const whole = Math.max(sizes[0]! + sizes[1]! + sizes[2]!, 1e-6);
  let best: [number, number, number] = [0, 0, Infinity];
  let length = 0;
  bones.forEach((bone, i) => {
    const way = [0, 1, 2].map((k) => at(4, k) - at(5 + i, k)) as [number, number, number];
    const dot = way[0] * bone[0] + way[1] * bone[1] + way[2] * bone[2];
    const u = Math.min(Math.max(dot / Math.max(sizes[i]! ** 2, 1e-9), 0), 1);
    const offset = way.map((w, k) => w - u * bone[k]!) as [number, number, number];
    const far = Math.sqrt(offset[0] * offset[0] + offset[1] * offset[1] + offset[2] * offset[2]);
    if (far < best[2]) best = [(length + u * sizes[i]!) / whole, offset[2], far];
    length += sizes[i]!;
  });
  return best;
}
