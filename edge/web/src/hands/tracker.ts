// The tracking loop (edge/hands/native.py): a tracked hand costs one landmark run a picture; palms are looked for
// when no hand is tracked, or now and then when another one may be found.
import { type HandFrame, handFrame } from "../core/frame";
import type { Picture } from "../protocol";
import type { OpenGraph } from "../recognisers";
import { assign, SideVote } from "./identity";
import { LandmarkNetwork, type Reading } from "./landmark";
import { type Palm, PALM_JOINTS, PalmDetector } from "./palm";
import { fromLandmarks, inside, type Roi, roiIou } from "./roi";

const PRESENCE = 0.5;
const SAME_IOU = 0.5;
const SAME_DISTANCE = 0.15;
const MEMORY_NS = 500_000_000n;
const NEAR = 0.75;
const SEARCH_NS = 150_000_000n;
/** A live picture in so many looks for another hand: where pictures are slow, the time above would have each of them do. */
const LIVE_SEARCH = 4;
const MAX_HANDS = 2;

interface Track {
  readonly id: number;
  roi: Roi;
  seenNs: bigint;
  reading: Reading;
  readonly vote: SideVote;
}

/** The bundle's two networks, opened. */
export interface HandNetworks {
  readonly detector: PalmDetector;
  readonly network: LandmarkNetwork;
  release(): Promise<void>;
}

export async function openHands(palm: Uint8Array, landmark: Uint8Array, open: OpenGraph): Promise<HandNetworks> {
  const graphs = [await open(palm, "The palm network"), await open(landmark, "The landmark network")] as const;
  const release = async () => {
    for (const graph of graphs) await graph.release();
  };
  return { detector: new PalmDetector(graphs[0]), network: new LandmarkNetwork(graphs[1]), release };
}

export class NativeTracker {
  private tracks: Track[] = [];
  private lost: Track[] = [];
  private searchedNs: bigint | null = null;
  private sinceSearch = 0;
  private next = 0;

  /** live: pictures that come while one is read are lost, so that none may take long. */
  constructor(private readonly networks: HandNetworks, private readonly mirrored: boolean, private readonly live = false) {}

  /** Both hands of one picture. With `appearance`, also read out the keyframe feature. */
  async track(picture: Picture, tNs: bigint, appearance: boolean): Promise<HandFrame> {
    const began = performance.now();
    await this.follow(picture, tNs, appearance);
    this.sinceSearch += 1;
    const stages: Record<string, number> = {};
    if (this.mustSearch(tNs)) {
      const from = performance.now();
      const palms = await this.networks.detector.detect(picture);
      stages.detect = performance.now() - from;
      this.searchedNs = tNs;
      this.sinceSearch = 0;
      for (const palm of palms.slice(0, MAX_HANDS + this.tracks.length)) {
        if (this.tracks.length >= MAX_HANDS) break;
        await this.attempt(palm, picture, tNs, appearance);
      }
    }
    stages.landmarks = performance.now() - began - (stages.detect ?? 0);
    return this.frame(picture, tNs, appearance, stages);
  }

  /** Look for every tracked hand where it was. */
  private async follow(picture: Picture, tNs: bigint, feature: boolean): Promise<void> {
    const followed: Track[] = [];
    for (const track of this.tracks) {
      const reading = await this.read(picture, track.roi, feature);
      if (!reading) this.lost.push(track);
      else {
        this.update(track, reading, tNs);
        if (!followed.some((t) => coincide(reading.landmarks, t.reading.landmarks, t.roi))) followed.push(track);
      }
    }
    this.tracks = followed;
    this.lost = this.lost.filter((t) => tNs >= t.seenNs && tNs - t.seenNs <= MEMORY_NS);
  }

  private mustSearch(tNs: bigint): boolean {
    if (this.tracks.length >= MAX_HANDS) return false;
    if (!this.tracks.length || this.searchedNs === null) return true;
    if (this.live && this.sinceSearch < LIVE_SEARCH) return false;
    // a clock that went backwards counts as due; half a millisecond forgives rounded time stamps
    const since = tNs - this.searchedNs;
    return since < 0n || since >= SEARCH_NS - 500_000n;
  }

  private async attempt(palm: Palm, picture: Picture, tNs: bigint, feature: boolean): Promise<void> {
    const { roi } = palm;
    if (this.tracks.some((t) => onHand(palm, t))) return;
    const reading = await this.read(picture, roi, feature);
    if (!reading || this.tracks.some((t) => coincide(reading.landmarks, t.reading.landmarks, t.roi))) return;
    const gap = (t: Track) => Math.hypot(t.roi.x - roi.x, t.roi.y - roi.y) / t.roi.size;
    const nearest = [...this.lost].sort((a, b) => gap(a) - gap(b))[0];
    let found: Track;
    if (nearest && gap(nearest) < NEAR) {
      this.lost = this.lost.filter((t) => t !== nearest);
      found = nearest;
    } else found = { id: this.next++, roi, seenNs: tNs, reading, vote: new SideVote() };
    this.update(found, reading, tNs);
    this.tracks.push(found);
  }

  private async read(picture: Picture, roi: Roi, feature: boolean): Promise<Reading | null> {
    return inside(roi, picture.width, picture.height) ? this.networks.network.read(picture, roi, PRESENCE, feature) : null;
  }

  private update(track: Track, reading: Reading, tNs: bigint): void {
    track.vote.add(this.mirrored ? 1 - reading.side : reading.side, Number(tNs - track.seenNs) * 1e-9);
    track.reading = reading;
    track.roi = fromLandmarks({ data: reading.landmarks, stride: 3 });
    track.seenNs = tNs;
  }

  private frame({ width, height }: Picture, tNs: bigint, appearance: boolean, stagesMs: Record<string, number>): HandFrame {
    const size = appearance ? this.networks.network.featureSize : 0;
    const frame = handFrame(tNs, {
      appearance: size ? new Float32Array(2 * size).fill(NaN) : null, imageSize: [width, height], stagesMs,
    });
    const slots = assign(this.tracks.map((t) => t.vote));
    this.tracks.forEach((track, i) => {
      const slot = slots[i]!;
      if (slot < 0) return;
      const seen = track.reading;
      for (let j = 0; j < 63; j++) frame.landmarks[slot * 63 + j] = seen.landmarks[j]! / (j % 3 === 1 ? height : width);
      frame.world.set(seen.world, slot * 63);
      frame.wrist.set(wristPosition(seen, width, height), slot * 3);
      if (this.mirrored) {
        for (let j = 0; j < 63; j += 3) frame.world[slot * 63 + j]! *= -1;
        frame.wrist[slot * 3]! *= -1;
      }
      frame.presence[slot] = seen.presence;
      frame.trackId[slot] = track.id;
      if (frame.appearance && seen.feature) frame.appearance.set(seen.feature, slot * size);
    });
    return frame;
  }
}

/** Where the wrist is in space (edge/hands/position.py): the hand's own size tells its distance. */
function wristPosition({ landmarks, world }: Reading, width: number, height: number): [number, number, number] {
  const mean = (p: Float32Array, k: number) => {
    let sum = 0;
    for (let j = k; j < 63; j += 3) sum += p[j]!;
    return sum / 21;
  };
  const [mx, my, wx, wy] = [mean(landmarks, 0), mean(landmarks, 1), mean(world, 0), mean(world, 1)];
  let extent = 0;
  let both = 0;
  for (let j = 0; j < 63; j += 3) {
    const [x, y] = [world[j]! - wx, world[j + 1]! - wy];
    extent += x * x + y * y;
    both += x * (landmarks[j]! - mx) + y * (landmarks[j + 1]! - my);
  }
  const scale = extent > 0 ? both / extent : 0;
  if (!(scale > 0 && isFinite(scale))) return [NaN, NaN, NaN];
  const focal = Math.max(width, height);
  const z = focal / scale - mean(world, 2);
  return [((landmarks[0]! - width / 2) * z) / focal, ((landmarks[1]! - height / 2) * z) / focal, z];
}

/** Whether a palm is that of a tracked hand: the squares overlap, or the palm's points lie on its joints. */
function onHand(palm: Palm, track: Track): boolean {
  if (roiIou(palm.roi, track.roi) > SAME_IOU) return true;
  const joints = PALM_JOINTS.flatMap((j) => [track.reading.landmarks[j * 3]!, track.reading.landmarks[j * 3 + 1]!]);
  return apart(palm.points, 2, joints, 2) < SAME_DISTANCE * track.roi.size;
}

/** Whether joints a and b are those of one hand; `roi` is the square around b. */
function coincide(a: Float32Array, b: Float32Array, roi: Roi): boolean {
  return apart(a, 3, b, 3) < SAME_DISTANCE * roi.size;
}

function apart(a: ArrayLike<number>, strideA: number, b: ArrayLike<number>, strideB: number): number {
  const n = a.length / strideA;
  let sum = 0;
  for (let j = 0; j < n; j++) sum += Math.hypot(a[j * strideA]! - b[j * strideB]!, a[j * strideA + 1]! - b[j * strideB + 1]!);
  return sum / n;
}
