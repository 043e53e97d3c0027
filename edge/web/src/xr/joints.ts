// WebXR hands -> hand frames (edge/skeleton.py): 25 named joints to 21 landmarks, in axes that go with the person.
import { type HandFrame, handFrame } from "../core/frame";

const FINGERS = ["index", "middle", "ring", "pinky"].flatMap((f) =>
  ["phalanx-proximal", "phalanx-intermediate", "phalanx-distal", "tip"].map((part) => `${f}-finger-${part}` as XRHandJoint),
);
/** The WebXR joints of the 21 landmarks: all but the four finger metacarpals. By name, so that no order can be wrong. */
export const JOINTS: readonly XRHandJoint[] = [
  "wrist", "thumb-metacarpal", "thumb-phalanx-proximal", "thumb-phalanx-distal", "thumb-tip", ...FINGERS,
];
/** Seconds in which the axes follow a turn of the head: quick looks aside must not look like swipes of the hand. */
const FOLLOW_S = 2;

export interface Point {
  readonly x: number;
  readonly y: number;
  readonly z: number;
}
export interface Orientation extends Point {
  readonly w: number;
}

/** Joints of one hand in the reference space, [21]; null = this hand is not tracked. */
export type HandJoints = readonly Point[] | null;

/** Turns joints in a gravity-aligned space into hand frames. State: where the person faces, and track ids. */
export class JointReader {
  private yaw: number | null = null;
  private last = 0;
  private readonly ids = [-1, -1];
  private next = 0;

  /** tNs: time. head: of the viewer, in the same space. hands: left, right. */
  read(tNs: bigint, head: { position: Point; orientation: Orientation }, hands: readonly [HandJoints, HandJoints]): HandFrame {
    const t = Number(tNs) * 1e-9;
    const { x, y, z, w } = head.orientation;
    // where the head looks, on the ground: rotation about up, 0 = along -z
    const facing = Math.atan2(2 * (x * z + w * y), 1 - 2 * (x * x + y * y));
    const dt = Math.max(t - this.last, 0);
    this.last = t;
    if (this.yaw === null) this.yaw = facing;
    else this.yaw += (Math.atan2(Math.sin(facing - this.yaw), Math.cos(facing - this.yaw)) * dt) / (dt + FOLLOW_S);
    const [c, s] = [Math.cos(this.yaw), Math.sin(this.yaw)];
    const world = new Float32Array(126).fill(NaN);
    const wrist = new Float32Array(6).fill(NaN);
    const presence = new Float32Array(2);
    hands.forEach((joints, slot) => {
      if (!joints || !joints.every((p) => isFinite(p.x + p.y + p.z))) {
        this.ids[slot] = -1;
        return;
      }
      if (this.ids[slot]! < 0) this.ids[slot] = this.next++;
      presence[slot] = 1;
      // into the person's axes, then x right, y down, z away
      const turn = (p: Point, from: Point): [number, number, number] => {
        const [dx, dy, dz] = [p.x - from.x, p.y - from.y, p.z - from.z];
        return [c * dx - s * dz, -dy, -(s * dx + c * dz)];
      };
      joints.forEach((p, j) => world.set(turn(p, joints[0]!), slot * 63 + j * 3));
      wrist.set(turn(joints[0]!, head.position), slot * 3);
    });
    return handFrame(tNs, { world, wrist, presence, trackId: Int32Array.from(this.ids) });
  }
}
