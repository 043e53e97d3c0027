// WebXR joints -> hand frames: axes, places, and what a turn of the head does.
import { describe, expect, test } from "vitest";
import { seconds } from "../src/core/frame";
import { type HandJoints, JointReader, JOINTS, type Point } from "../src/xr/joints";

const UPRIGHT = { x: 0, y: 0, z: 0, w: 1 };
const turned = (angle: number) => ({ x: 0, y: Math.sin(angle / 2), z: 0, w: Math.cos(angle / 2) });
/** A made-up hand whose joints are told apart. */
const hand = (at: Point): HandJoints => JOINTS.map((_, j) => ({ x: at.x + 0.001 * j, y: at.y + 0.002 * j, z: at.z - 0.004 * j }));
const around = (p: Point, angle: number): Point => ({
  x: p.x * Math.cos(angle) + p.z * Math.sin(angle), y: p.y, z: -p.x * Math.sin(angle) + p.z * Math.cos(angle),
});

describe("joints", () => {
  test("21 of them, by name, wrist first, fingertips last of each finger", () => {
    expect(JOINTS.length).toBe(21);
    expect(new Set(JOINTS).size).toBe(21);
    expect([JOINTS[0], JOINTS[4], JOINTS[8], JOINTS[20]]).toEqual(["wrist", "thumb-tip", "index-finger-tip", "pinky-finger-tip"]);
  });

  test("y turns down and z away; the wrist is the world's origin and has a place of its own", () => {
    const frame = new JointReader().read(2_000_000_000n, { position: { x: 0, y: 1.6, z: 0 }, orientation: UPRIGHT }, [
      null, hand({ x: 0.2, y: 1.2, z: -0.4 }),
    ]);
    expect(seconds(frame)).toBe(2);
    expect([...frame.presence]).toEqual([0, 1]);
    expect([...frame.trackId]).toEqual([-1, 0]);
    const near = (got: ArrayLike<number>, want: number[]) => want.forEach((v, i) => expect(got[i]).toBeCloseTo(v, 5));
    near(frame.wrist.subarray(3), [0.2, 0.4, 0.4]);
    near(frame.world.subarray(63, 66), [0, 0, 0]);
    near(frame.world.subarray(63 + 60, 63 + 63), [0.02, -0.04, 0.08]);
    expect(frame.world[0]).toBeNaN();
  });

  test("a person who has turned around before the stream began sees the same hand", () => {
    const head = { x: 0.3, y: 1.6, z: 0.1 };
    const joints = hand({ x: 0.2, y: 1.2, z: -0.4 })!;
    const plain = new JointReader().read(0n, { position: { x: 0, y: 1.6, z: 0 }, orientation: UPRIGHT }, [joints, null]);
    const moved = joints.map((p) => {
      const q = around({ ...p, y: 0 }, 2.1);
      return { x: q.x + head.x, y: p.y, z: q.z + head.z };
    });
    const other = new JointReader().read(0n, { position: head, orientation: turned(2.1) }, [moved, null]);
    [...plain.world.subarray(0, 63), ...plain.wrist.subarray(0, 3)].forEach((v, i) => {
      expect([...other.world.subarray(0, 63), ...other.wrist.subarray(0, 3)][i]).toBeCloseTo(v, 5);
    });
  });

  test("a quick look aside hardly moves the hand; the axes follow in the end", () => {
    const reader = new JointReader();
    const joints = hand({ x: 0, y: 1.2, z: -0.4 });
    const position = { x: 0, y: 1.6, z: 0 };
    const at = (ms: number, angle: number) => reader.read(BigInt(ms) * 1_000_000n, { position, orientation: turned(angle) }, [null, joints]).wrist[3]!;
    at(0, 0);
    let x = 0;
    for (let ms = 11; ms <= 200; ms += 11) x = at(ms, 0.6);
    expect(Math.abs(x)).toBeLessThan(0.04);
    for (let ms = 211; ms <= 15_000; ms += 11) x = at(ms, 0.6);
    expect(x).toBeCloseTo(0.4 * Math.sin(0.6), 2);
  });

  test("a hand that comes back is another track, and broken joints are no hand", () => {
    const reader = new JointReader();
    const head = { position: { x: 0, y: 1.6, z: 0 }, orientation: UPRIGHT };
    const joints = hand({ x: 0, y: 1.2, z: -0.4 });
    expect(reader.read(0n, head, [joints, null]).trackId[0]).toBe(0);
    expect(reader.read(1n, head, [null, null]).trackId[0]).toBe(-1);
    expect(reader.read(2n, head, [joints, null]).trackId[0]).toBe(1);
    const broken = reader.read(3n, head, [joints!.map((p, j) => (j === 7 ? { ...p, y: NaN } : p)), null]);
    expect(broken.presence[0]).toBe(0);
    expect(broken.world[0]).toBeNaN();
  });
});
