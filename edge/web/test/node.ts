// What the tests in Node share: the repository's own bundle, recordings and vectors.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Bundle, type Files } from "../src/bundle/bundle";
import { type Recording, readRecording } from "../src/io/recording";

export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
export const GOLDEN = ["egocentric", "headset_60fps", "image_only_15fps", "left_facing", "mirrored", "right_facing", "two_hands"];

export function localFolder(path: string): Files {
  return { name: path, names: null, read: async (name) => new Uint8Array(readFileSync(`${path}/${name}`)) };
}

export const bundle = (name = "figop-base") => Bundle.open(localFolder(`${ROOT}edge/bundles/${name}`));

export function golden(name: string): Recording {
  return readRecording(new Uint8Array(readFileSync(`${ROOT}tests/golden/${name}.npz`)), `${name}.npz`);
}

export function lines(path: string): Record<string, unknown>[] {
  return readFileSync(`${ROOT}${path}`, "utf8").trim().split("\n").map((line) => JSON.parse(line));
}

/** Equal, but for the last digit of numbers (they are written with three decimals). */
export function same(a: unknown, b: unknown): boolean {
  if (typeof a === "number" && typeof b === "number") return Math.abs(a - b) <= 2e-3;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((x, i) => same(x, b[i]));
  if (a && b && typeof a === "object" && typeof b === "object") {
    const keys = Object.keys(a).sort();
    return keys.join() === Object.keys(b).sort().join() && keys.every((k) => same((a as never)[k], (b as never)[k]));
  }
  return a === b;
}
