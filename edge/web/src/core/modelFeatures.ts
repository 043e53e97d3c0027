// Ticks -> what the encoder sees (edge/model_features.py): per hand 6 part tokens (5 fingers, palm) of 54 numbers.
import { allFinite, type View } from "./frame";
import { TICK_HZ, type Tick } from "./resample";

export const PARTS = 6;
export const WIDTH = 54;
const IMAGE = 30;
/** Person's (right, up, forward) from camera axes (right, down, away), by view. */
export const PERSON_AXES: Record<View, readonly [number, number, number]> = {
  facing: [-1, -1, -1],
  egocentric: [1, -1, 1],
};
const SCALE_TICKS = Math.trunc(TICK_HZ);
const FORGET_TICKS = 10;
const PLACE_TICKS = 20;
const SPEED_GAIN = 8;
const TIP_GAIN = 8;
const DEPTH_GAIN = 4;
const TURN_GAIN = 10;
const ZOOM_SHARE = Math.fround(0.1);
const LIMIT = 6;
const SPREAD_FROM = [2, 5, 9, 13, 17];
const SPREAD_TO = [4, 6, 10, 14, 18];
const INDEX_MCP = 5;
const MIDDLE_MCP = 9;
const PINKY_MCP = 17;
const MIDDLE = [0, INDEX_MCP, MIDDLE_MCP, PINKY_MCP];

/** Python computes in float32: arrays round as its do, so that thresholds within (nearest bone, clipping) fall alike. */
type Numbers = Float32Array<ArrayBuffer>;

/** What one hand's tick holds before any memory; 0 where unknown. points, axes: by world landmarks, by image ones. */
interface Geometry {
  points: [Numbers, Numbers]; // [21,3]
  axes: [Numbers, Numbers]; // [3,3], columns
  length: number;
  flat: Numbers; // [21,2]
  zoom: number;
  score: number;
  wrist: Numbers;
  present: boolean;
  hasWorld: boolean;
  hasImage: boolean;
  hasWrist: boolean;
}

const r = Math.fround;
/** x y' + ... in float32, step by step. */
const dot = (a: number, b: number, c: number, x: number, y: number, z: number) => r(r(r(a * x) + r(b * y)) + r(c * z));
const hypot = (x: number, y: number, z: number) => r(Math.sqrt(dot(x, y, z, x, y, z)));

/** Palm axes as columns [3,3] of points [21,3] with the wrist at the origin; they mean the same for both hands. */
export function palmAxes(p: ArrayLike<number>, left: boolean, least = r(1e-6)): Numbers {
  const way = (from: number, to: number) => [0, 1, 2].map((k) => r(p[to * 3 + k]! - p[from * 3 + k]!)) as [number, number, number];
  const unit = (v: [number, number, number]) => {
    const long = Math.max(hypot(...v), least);
    return v.map((n) => r(n / long)) as [number, number, number];
  };
  const x = unit([p[MIDDLE_MCP * 3]!, p[MIDDLE_MCP * 3 + 1]!, p[MIDDLE_MCP * 3 + 2]!]);
  const across = way(PINKY_MCP, INDEX_MCP);
  const along = dot(...across, ...x);
  const y = unit(across.map((v, k) => r(v - r(along * x[k]!))) as [number, number, number]);
  const side = left ? 1 : -1;
  const out = new Float32Array(9);
  for (let i = 0; i < 3; i++) {
    const [j, k] = [(i + 1) % 3, (i + 2) % 3] as const;
    out[i * 3] = x[i]!;
    out[i * 3 + 1] = y[i]!;
    out[i * 3 + 2] = side * r(r(x[j]! * y[k]!) - r(x[k]! * y[j]!));
  }
  return out;
}

function geometry(tick: Tick, slot: number, view: readonly number[]): Geometry {
  const world = tick.world.subarray(slot * 63, slot * 63 + 63);
  const image = new Float32Array(tick.image.subarray(slot * 63, slot * 63 + 63));
  const here = tick.present[slot]!;
  const hasWorld = here && allFinite(world, 0, 63);
  let hasImage = here;
  for (let j = 0; j < 21; j++) hasImage &&= isFinite(image[j * 3]!) && isFinite(image[j * 3 + 1]!);
  const hasWrist = here && allFinite(tick.wrist, slot * 3, slot * 3 + 3);
  const seen = here && (hasWorld || hasImage);
  for (let i = 0; i < 63; i++) if (!isFinite(image[i]!)) image[i] = 0;
  const shown = new Float32Array(63);
  const first = new Float32Array(63);
  for (let i = 0; i < 63; i++) {
    shown[i] = image[i]! - image[i % 3]!;
    first[i] = hasWorld ? world[i]! - world[i % 3]! : shown[i]!;
  }
  let zoom = 1;
  if (hasImage && hasWorld) {
    // weak perspective: the image is about `zoom` times the world seen along the camera's axis
    let both = 0;
    let own = 0;
    for (let j = 0; j < 63; j += 3) {
      both = r(r(both + r(shown[j]! * first[j]!)) + r(shown[j + 1]! * first[j + 1]!));
      own = r(r(own + r(first[j]! * first[j]!)) + r(first[j + 1]! * first[j + 1]!));
    }
    zoom = Math.max(r(both / Math.max(own, r(1e-9))), r(1e-6));
  }
  const flat = new Float32Array(42);
  for (let j = 0; j < 21; j++) {
    flat[j * 2] = image[j * 3]! * view[0]!;
    flat[j * 2 + 1] = image[j * 3 + 1]! * view[1]!;
  }
  const wrist = new Float32Array(3);
  for (let k = 0; k < 3; k++) wrist[k] = (hasWrist ? tick.wrist[slot * 3 + k]! : 0) * view[k]!;
  const m = MIDDLE_MCP * 3;
  return {
    points: [first, shown],
    axes: [palmAxes(first, slot === 0), palmAxes(shown, slot === 0)],
    length: hypot(first[m]!, first[m + 1]!, first[m + 2]!),
    flat,
    zoom,
    score: seen ? Math.min(Math.max(tick.score[slot]!, 0), 1) : 0,
    wrist,
    present: seen,
    hasWorld,
    hasImage,
    hasWrist,
  };
}

/** What one hand's features remember. */
class Memory {
  unseen = FORGET_TICKS + 1;
  count = 0;
  scale = 1;
  zoom = 0;
  place = new Float32Array(3);
  home = new Float32Array(3);
  tips: [Numbers, Numbers] = [new Float32Array(15), new Float32Array(15)];
  axes: [Numbers, Numbers] = [new Float32Array(9), new Float32Array(9)];
  roll = 0;
  out = new Float32Array(PARTS * WIDTH);
}

/** Adds what needs memory: scale, motion, place. One object per stream. */
export class FeatureReader {
  private readonly view: readonly [number, number, number];
  private hands: [Memory, Memory] = [new Memory(), new Memory()];

  constructor(view: View = "facing") {
    this.view = PERSON_AXES[view];
  }

  reset(): void {
    this.hands = [new Memory(), new Memory()];
  }

  /** Features [2,6,54] of one tick. */
  read(tick: Tick): Float32Array {
    const now = [geometry(tick, 0, this.view), geometry(tick, 1, this.view)] as const;
    const steps = now.map((g, slot) => this.measure(this.hands[slot]!, g, tick.fresh[slot]!));
    const beside =
      now[0].present && now[1].present &&
      ((now[0].hasWrist && now[1].hasWrist) || (now[0].hasImage && now[1].hasImage));
    const out = new Float32Array(2 * PARTS * WIDTH);
    for (const slot of [0, 1]) {
      const memory = this.hands[slot]!;
      const g = now[slot]!;
      const step = steps[slot]!;
      if (g.present) {
        const tokens = this.tokens(g, step, memory);
        const other = steps[1 - slot]!.place;
        const palm = 5 * WIDTH;
        for (let k = 0; k < 3; k++) {
          const apart = other[k]! - step.place[k]!;
          tokens[palm + 24 + k] = beside ? Math.min(Math.max(apart, -6), 6) * 0.3 : 0;
        }
        tokens[palm + 27] = beside ? 1 : 0;
        for (let i = 0; i < tokens.length; i++) tokens[i] = Math.min(Math.max(tokens[i]!, -LIMIT), LIMIT);
        memory.out = tokens;
        memory.place = step.place;
        memory.tips = step.tips;
        memory.axes = g.axes;
      } else {
        // an unseen hand stands still for a moment, marked as unseen, before it goes to nothing
        if (memory.unseen > FORGET_TICKS) memory.out = new Float32Array(PARTS * WIDTH);
        memory.home = memory.place;
      }
      memory.out[5 * WIDTH + 20] = g.present ? 1 : 0;
      memory.out[5 * WIDTH + IMAGE + 10] = g.score;
      out.set(memory.out, slot * PARTS * WIDTH);
    }
    return out;
  }

  private measure(memory: Memory, g: Geometry, fresh: boolean) {
    const seen = g.present;
    const renewed = seen && (fresh || memory.unseen > FORGET_TICKS);
    memory.unseen = seen ? 0 : memory.unseen + 1;
    if (renewed) memory.count = 0;
    if (seen && memory.count < SCALE_TICKS) {
      memory.count += 1;
      memory.scale = r(memory.scale + r(r(g.length - memory.scale) * r(1 / memory.count)));
    }
    const scale = Math.max(memory.scale, r(1e-6));
    const zoom = r(Math.log(g.zoom));
    if (renewed) memory.zoom = zoom;
    else if (seen) memory.zoom = r(memory.zoom + r(r(zoom - memory.zoom) * ZOOM_SHARE));
    // palm length in the image: slow, for depth that errs would else shake all coordinates
    const size = Math.max(r(r(Math.exp(memory.zoom)) * scale), r(1e-6));
    const local = [project(g.points[0], g.axes[0], scale), project(g.points[1], g.axes[1], size)] as const;
    const tips = local.map((points) => {
      const out = new Float32Array(15);
      for (let f = 0; f < 5; f++) for (let k = 0; k < 3; k++) out[f * 3 + k] = points[(4 + 4 * f) * 3 + k]!;
      return out;
    }) as [Numbers, Numbers];
    const place = this.where(g, memory, scale);
    const again = seen && !renewed;
    const speed = place.map((p, k) => (again ? p - memory.place[k]! : 0));
    const flow = tips.map((now, i) => now.map((p, k) => (again ? p - memory.tips[i]![k]! : 0)));
    const turn = [0, 1].map((i) => (again ? turned(memory.axes[i]!, g.axes[i]!) : 0));
    memory.roll = renewed ? 0 : memory.roll * (1 - 1 / PLACE_TICKS) + turn[0]!;
    if (seen) memory.home = renewed ? place.slice() : memory.home.map((h, k) => h + (place[k]! - h) / PLACE_TICKS);
    return { local, tips, place, speed, flow, turn, scale, size };
  }

  /** Place of the middle knuckle in palm lengths, person's right, up, forward. */
  private where(g: Geometry, memory: Memory, scale: number): Numbers {
    const out = new Float32Array(3);
    if (g.hasWrist) {
      for (let k = 0; k < 3; k++) out[k] = (g.wrist[k]! + g.points[0][MIDDLE_MCP * 3 + k]! * this.view[k]!) / scale;
      return out;
    }
    // the image's own palm length where there is no world: zoom is 1 and scale is in image widths
    const size = r(r(Math.exp(memory.zoom)) * scale);
    for (let k = 0; k < 2; k++) out[k] = (g.flat[MIDDLE_MCP * 2 + k]! - 0.5 * this.view[k]!) / size;
    // 1 / zoom grows with the distance from the camera: its logarithm stands for depth
    out[2] = -DEPTH_GAIN * Math.log(g.zoom) * this.view[2];
    return out;
  }

  private tokens(g: Geometry, step: ReturnType<FeatureReader["measure"]>, memory: Memory): Float32Array<ArrayBuffer> {
    const { local, tips, flow, scale, size, place, speed, turn } = step;
    const out = new Float32Array(PARTS * WIDTH);
    const see = g.hasImage ? 1 : 0;
    const world = local[0];
    const palm = [0, 1, 2].map((k) => 0.25 * MIDDLE.reduce((sum, j) => sum + world[j * 3 + k]!, 0));
    const spread = spreads(world);
    const bones = [boneVectors(local[0]), boneVectors(local[1])] as const;
    const flatSize = Math.max(g.zoom * scale, 1e-6);
    for (let f = 0; f < 5; f++) {
      const at = f * WIDTH;
      const shown = at + IMAGE;
      for (let i = 0; i < 12; i++) {
        out[at + i] = world[(1 + 4 * f) * 3 + i]!;
        out[shown + i] = see * local[1][(1 + 4 * f) * 3 + i]!;
      }
      for (let j = 0; j < 3; j++) {
        out[at + 12 + j] = angleBetween(bones[0], f * 4 + j, f * 4 + j + 1);
        out[shown + 12 + j] = see * angleBetween(bones[1], f * 4 + j, f * 4 + j + 1);
      }
      if (f < 4) out[at + 15] = spread[f]!;
      if (f > 0) out[at + 16] = spread[f - 1]!;
      const apart = [0, 0];
      for (let k = 0; k < 3; k++) {
        out[at + 17 + k] = flow[0]![f * 3 + k]! * TIP_GAIN;
        out[shown + 15 + k] = see * flow[1]![f * 3 + k]! * TIP_GAIN;
        for (const i of [0, 1]) {
          const gap = tips[i]![f * 3 + k]! - tips[i]![k]!;
          apart[i]! += gap * gap;
          out[i ? shown + 18 + k : at + 20 + k] = i ? see * gap : gap;
        }
      }
      out[at + 23] = Math.sqrt(apart[0]!);
      out[shown + 21] = see * Math.sqrt(apart[1]!);
      const tip = tips[0]!;
      out[at + 24] = hypot(tip[f * 3]! - palm[0]!, tip[f * 3 + 1]! - palm[1]!, tip[f * 3 + 2]! - palm[2]!);
      const [u, v] = [0, 1].map((k) => g.flat[(4 + 4 * f) * 2 + k]! - g.flat[8 + k]!) as [number, number];
      out[at + 25] = see * hypot(u / flatSize, v / flatSize, 0);
      [out[at + 26], out[at + 27]] = onChain(world, bones[0], f);
      out[at + 28] = g.hasWorld ? 1 : 0;
      out[at + 29] = see;
      for (let k = 0; k < 2; k++) {
        out[shown + 22 + k] = (see * (g.flat[(4 + 4 * f) * 2 + k]! - g.flat[(1 + 4 * f) * 2 + k]!)) / size;
      }
    }
    const at = 5 * WIDTH;
    for (let i = 0; i < 9; i++) {
      out[at + i] = g.axes[0][i]! * this.view[Math.trunc(i / 3)]!;
      out[at + IMAGE + i] = see * g.axes[1][i]! * this.view[Math.trunc(i / 3)]!;
    }
    for (let k = 0; k < 3; k++) {
      out[at + 9 + k] = speed[k]! * SPEED_GAIN;
      out[at + 12 + k] = place[k]! - memory.home[k]!;
      out[at + 15 + k] = palm[k]!;
    }
    out[at + 18] = g.length / scale;
    out[at + 19] = g.zoom * scale;
    out[at + 20] = 1;
    out[at + 21] = g.hasWorld ? 1 : 0;
    out[at + 22] = see;
    out[at + 23] = g.hasWrist ? 1 : 0;
    out[at + 28] = turn[0]! * TURN_GAIN;
    out[at + 29] = memory.roll;
    out[at + IMAGE + 9] = see * turn[1]! * TURN_GAIN;
    return out;
  }
}

/** Points [21,3] in the axes (columns), divided by a length. */
export function project(points: ArrayLike<number>, axes: ArrayLike<number>, length: number): Numbers {
  const out = new Float32Array(63);
  for (let j = 0; j < 63; j += 3) {
    for (let k = 0; k < 3; k++) {
      out[j + k] = dot(points[j]!, points[j + 1]!, points[j + 2]!, axes[k]!, axes[3 + k]!, axes[6 + k]!) / length;
    }
  }
  return out;
}

/** The 20 bones [20,3], finger by finger; the first of each begins at the wrist, the origin. */
function boneVectors(local: Numbers): Numbers {
  const out = new Float32Array(60);
  for (let f = 0; f < 5; f++) {
    for (let b = 0; b < 4; b++) {
      const joint = (1 + 4 * f + b) * 3;
      for (let k = 0; k < 3; k++) out[(f * 4 + b) * 3 + k] = local[joint + k]! - (b ? local[joint - 3 + k]! : 0);
    }
  }
  return out;
}

/** Radians between two rows: half-angles of unit vectors by atan2, exact near straight and folded. */
function angleBetween(rows: Numbers, a: number, b: number): number {
  const unit = (i: number) => {
    const [x, y, z] = [rows[i * 3]!, rows[i * 3 + 1]!, rows[i * 3 + 2]!];
    const long = Math.max(hypot(x, y, z), r(1e-6));
    return [r(x / long), r(y / long), r(z / long)] as const;
  };
  const [u, v] = [unit(a), unit(b)];
  const less = hypot(r(u[0] - v[0]), r(u[1] - v[1]), r(u[2] - v[2]));
  const more = hypot(r(u[0] + v[0]), r(u[1] + v[1]), r(u[2] + v[2]));
  return 2 * r(Math.atan2(less, more));
}

function spreads(local: Numbers): number[] {
  const across = new Float32Array(15);
  for (let f = 0; f < 5; f++) {
    for (let k = 0; k < 3; k++) across[f * 3 + k] = local[SPREAD_TO[f]! * 3 + k]! - local[SPREAD_FROM[f]! * 3 + k]!;
  }
  return [0, 1, 2, 3].map((f) => angleBetween(across, f, f + 1));
}

/** Rotation about the forearm's axis between two palm frames, radians; + = clockwise. */
export function turned(before: ArrayLike<number>, now: ArrayLike<number>): number {
  const axis = [now[0]!, now[3]!, now[6]!] as const;
  const side = [now[1]!, now[4]!, now[7]!] as const;
  const was = [before[1]!, before[4]!, before[7]!] as const;
  const along = dot(...was, ...axis);
  const old = was.map((v, k) => r(v - r(along * axis[k]!))) as unknown as readonly [number, number, number];
  const over = [0, 1, 2].map((i) => {
    const [j, k] = [(i + 1) % 3, (i + 2) % 3] as [number, number];
    return r(r(old[j]! * side[k]!) - r(old[k]! * side[j]!));
  }) as unknown as readonly [number, number, number];
  return r(Math.atan2(dot(...axis, ...over), dot(...old, ...side)));
}

/** Thumb tip against a finger's bones beyond the knuckle: how far along (0..1), how far away. */
function onChain(local: Numbers, bones: Numbers, f: number): [number, number] {
  let best: [number, number] = [0, Infinity];
  for (let b = 0; b < 3; b++) {
    const joint = (1 + 4 * f + b) * 3;
    const at = (f * 4 + b + 1) * 3;
    const [x, y, z] = [bones[at]!, bones[at + 1]!, bones[at + 2]!];
    const [wx, wy, wz] = [r(local[12]! - local[joint]!), r(local[13]! - local[joint + 1]!), r(local[14]! - local[joint + 2]!)];
    const u = Math.min(Math.max(r(dot(wx, wy, wz, x, y, z) / Math.max(dot(x, y, z, x, y, z), r(1e-6))), 0), 1);
    const far = hypot(r(wx - r(u * x)), r(wy - r(u * y)), r(wz - r(u * z)));
    if (far < best[1]) best = [(u + b) / 3, far];
  }
  return best;
}
