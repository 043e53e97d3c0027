// FiGOP (edge/figop.py): one sparse keyframe plus the dense hand frames up to the next, and when phrases end.
import type { Pose } from "./features";
import { type HandFrame, seconds } from "./frame";

const MIN_UNIT_S = 0.1;

/** A bundle's `preprocessing`. */
export interface Cutting {
  readonly unit_s: number;
  readonly pose_threshold: number;
  readonly rest_s: number;
  readonly cap_s: number;
}
export const CUTTING: Cutting = { unit_s: 0.5, pose_threshold: 0.45, rest_s: 0.3, cap_s: 6 };

/** One FiGOP unit: the keyframe first; `early` = the pose had left the keyframe's before. */
export interface Unit {
  readonly index: number;
  readonly frames: readonly HandFrame[];
  readonly early: boolean;
}

/** Cuts a stream of frames into units; `keyframeNext` says beforehand whether a frame will open one. */
export class FigopBuffer {
  private frames: HandFrame[] = [];
  private keyPose: [Pose | null, Pose | null] = [null, null];
  private index = 0;
  private early = false;
  private leave = false;

  constructor(readonly unitS: number, readonly poseThreshold: number) {}

  reset(): void {
    this.frames = [];
    this.keyPose = [null, null];
    this.early = this.leave = false;
  }

  /** Whether a frame at t seconds will be a keyframe. Half a millisecond of slack for rounded stamps. */
  keyframeNext(t: number): boolean {
    return !this.frames.length || this.leave || t - seconds(this.frames[0]!) >= this.unitS - 5e-4;
  }

  /** Add one frame; returns the unit that it closes, if any. */
  push(frame: HandFrame, poses: [Pose | null, Pose | null]): Unit | null {
    let closed: Unit | null = null;
    const t = seconds(frame);
    if (this.keyframeNext(t)) {
      closed = this.flush();
      this.early = this.leave;
      this.leave = false;
      this.keyPose = [...poses];
    }
    this.frames.push(frame);
    if (t - seconds(this.frames[0]!) >= MIN_UNIT_S) this.leave ||= this.left(poses);
    return closed;
  }

  /** Close the open unit: the stream ends here. */
  flush(): Unit | null {
    if (!this.frames.length) return null;
    const unit = { index: this.index, frames: this.frames, early: this.early };
    this.index += 1;
    this.frames = [];
    return unit;
  }

  /** Whether a hand's pose is further from the keyframe's than the threshold, or a hand has appeared. */
  private left(poses: [Pose | null, Pose | null]): boolean {
    return poses.some((now, hand) => {
      if (!now) return false;
      const key = this.keyPose[hand];
      if (!key) return true;
      let sum = 0;
      for (let j = 0; j < 63; j += 3) {
        sum += Math.sqrt([0, 1, 2].reduce((a, k) => a + (now.local[j + k]! - key.local[j + k]!) ** 2, 0));
      }
      return sum / 21 > this.poseThreshold;
    });
  }
}

/** When a phrase starts and ends: consecutive units between two rests, or up to the cap. */
export class PhraseClock {
  start: number | null = null;
  private lastMotion = 0;

  constructor(readonly restS: number, readonly capS: number) {}

  reset(): void {
    this.start = null;
    this.lastMotion = 0;
  }

  get open(): boolean {
    return this.start !== null;
  }

  push(t: number, movedAt: number): "open" | "close" | "" {
    if (this.start === null) {
      if (movedAt < t - this.restS) return "";
      this.start = t;
      this.lastMotion = movedAt;
      return "open";
    }
    this.lastMotion = Math.max(this.lastMotion, movedAt);
    return t - this.lastMotion >= this.restS || t - this.start >= this.capS ? "close" : "";
  }
}
