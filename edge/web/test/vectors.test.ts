// Features, texts and readings against vectors that Python wrote (`python -m export.web`).
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { PoseReader } from "../src/core/features";
import { present } from "../src/core/frame";
import { FeatureReader } from "../src/core/modelFeatures";
import { Resampler } from "../src/core/resample";
import { eventRow, type FingerEvent, fingerEvent } from "../src/core/score";
import { language } from "../src/language/languages";
import { type Detail, narrate, type Style } from "../src/language/narrator";
import { parse } from "../src/language/parser";
import { readNpz } from "../src/io/npz";
import { readRecording } from "../src/io/recording";
import { golden, ROOT, same } from "./node";

interface Vectors {
  poses: { name: string; poses: { frame: number; slot: number; values: (number | null)[] }[] }[];
  texts: { score: never[]; wordings: { language: string; style: Style; detail: Detail; text: string }[]; parsed: never[] }[];
}
const vectors = JSON.parse(readFileSync(new URL("./vectors.json", import.meta.url), "utf8")) as Vectors;

/** The most that two implementations may differ in any feature (export.vectors.TOLERANCE). */
const TOLERANCE = 1e-5;
/** Degrees and palm lengths, float32 in Python. */
const POSE = 2e-3;
const FEATURES = `${ROOT}tests/vectors/features`;

describe("features", () => {
  test.each(readdirSync(FEATURES).filter((name) => name.endsWith(".npz")))("%s", (name) => {
    const bytes = new Uint8Array(readFileSync(`${FEATURES}/${name}`));
    const recording = readRecording(bytes, name);
    const arrays = readNpz(bytes, name);
    const numbers = (key: string) => arrays.get(key)!.data as Float64Array;
    const resampler = new Resampler(recording.mirrored);
    const reader = new FeatureReader(recording.view);
    const ticks = recording.frames.flatMap((frame) => resampler.push(frame));
    const times = numbers("tick_t");
    expect(ticks.length).toBe(times.length);
    expect(ticks.flatMap((t) => t.present.map(Number))).toEqual([...numbers("tick_present")]);
    expect(ticks.flatMap((t) => t.fresh.map(Number))).toEqual([...numbers("tick_fresh")]);
    const wanted = numbers("features");
    const each = wanted.length / times.length;
    let worst = 0;
    let where = "";
    ticks.forEach((tick, n) => {
      expect(Math.abs(tick.t - times[n]!)).toBeLessThan(1e-9);
      reader.read(tick).forEach((v, i) => {
        const off = Math.abs(v - wanted[n * each + i]!);
        if (off > worst) where = `tick ${n}, hand ${Math.trunc(i / 324)}, part ${Math.trunc(i / 54) % 6}, number ${i % 54}: ${v}`;
        worst = Math.max(worst, off);
      });
    });
    expect(worst, where).toBeLessThan(TOLERANCE);
  });
});

describe.each(vectors.poses)("poses of $name", ({ name, poses }) => {
  const recording = golden(name);
  test("agree", () => {
    const readers = [new PoseReader(0, recording.mirrored), new PoseReader(1, recording.mirrored)];
    const read = recording.frames.map((frame) => [0, 1].map((slot) => (present(frame, slot) ? readers[slot]!.read(frame) : null)));
    expect(poses.length).toBeGreaterThan(3);
    for (const wanted of poses) {
      const pose = read[wanted.frame]![wanted.slot]!;
      const values = [...pose.bend, ...pose.spread, ...pose.reach, ...pose.reachImage, ...pose.place];
      wanted.values.forEach((v, i) => {
        if (v === null) expect(values[i]).toBeNaN();
        else expect(Math.abs(values[i]! - v), `frame ${wanted.frame}, number ${i}`).toBeLessThan(POSE);
      });
    }
  });
});

describe("texts", () => {
  const event = (r: Record<string, unknown>): FingerEvent => fingerEvent(String(r.hand), String(r.motion), r as Partial<FingerEvent>);
  test.each(vectors.texts.map((t, i) => [i, t] as const))("score %i", (_, { score, wordings, parsed }) => {
    const events = score.map(event);
    for (const w of wordings) expect(narrate(events, language(w.language), w.style, w.detail)).toBe(w.text);
    const plain = wordings.find((w) => w.language === "en" && w.style === "descriptive" && w.detail === "normal")!;
    expect(same(parse(plain.text, language("en")).map(eventRow), parsed)).toBe(true);
  });
});
