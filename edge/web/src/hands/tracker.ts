// placeholder until ported
import type { OpenGraph } from "../recognisers";
import type { HandFrame } from "../core/frame";
import type { Picture } from "../protocol";
export interface NativeTracker { track(p: Picture, t: bigint, a: boolean): Promise<HandFrame>; }
export async function openTracker(_p: Uint8Array, _l: Uint8Array, _m: boolean, _o: OpenGraph): Promise<NativeTracker> { throw new Error("x"); }
