// What the page and the worker say to each other. The worker owns bundle, networks and captioner; the page owns screens.
import type { FigopEvent } from "./core/events";
import type { HandFrame, View } from "./core/frame";
import type { Detail, Style } from "./language/narrator";

export interface WordingNames {
  readonly language: string;
  readonly style: Style;
  readonly detail: Detail;
}

export interface StreamSettings {
  readonly view: View;
  readonly mirrored: boolean;
  readonly wording: WordingNames;
  /** Of the network whose keyframe features the frames carry; "" = none, or not known. */
  readonly appearanceDigest: string;
  /** The source gives pictures: the bundle's hand networks are fetched and opened. */
  readonly pictures: boolean;
  /** Its pictures do not wait: those that come while one is read are lost. */
  readonly live: boolean;
  /** Take a GPU that the processor emulates too: for tests. */
  readonly emulatedGpu: boolean;
}

export interface BundleInfo {
  readonly name: string;
  readonly version: string;
  readonly speaker: string;
  readonly hands: boolean;
  readonly notes: readonly string[];
  readonly urls: readonly string[];
}

/** RGBA pixels of one picture. */
export interface Picture {
  readonly data: Uint8ClampedArray<ArrayBuffer>;
  readonly width: number;
  readonly height: number;
}

export type Request =
  | { readonly kind: "open"; readonly url: string }
  | { readonly kind: "open-file"; readonly name: string; readonly bytes: ArrayBuffer }
  | { readonly kind: "start"; readonly settings: StreamSettings }
  | { readonly kind: "wording"; readonly wording: WordingNames }
  | { readonly kind: "frames"; readonly frames: readonly HandFrame[] }
  | { readonly kind: "picture"; readonly tNs: bigint; readonly picture: Picture }
  | { readonly kind: "flush" }
  | { readonly kind: "figures" };

/** Milliseconds, measured in the worker: per hand frame after its landmarks, and per final caption's own words. */
export interface Figures {
  readonly frameMs: readonly number[];
  readonly decodeMs: readonly number[];
  readonly trackMs: readonly number[];
  /** What was done when, on the clock of performance.timeOrigin. */
  readonly marks: Readonly<Record<string, number>>;
  /** Every graph has run often enough for the engine to have compiled it well. */
  readonly warm: boolean;
}

/** What a request answers; `frame` is the hand frame that a picture became. */
export interface Answer {
  readonly events: readonly FigopEvent[];
  readonly frame?: HandFrame;
  readonly info?: BundleInfo;
  readonly figures?: Figures;
  /** Of a stream of pictures: whether the hand networks run on a GPU. */
  readonly gpu?: boolean;
}

export type Reply = { readonly id: number; readonly answer: Answer } | { readonly id: number; readonly error: string };
