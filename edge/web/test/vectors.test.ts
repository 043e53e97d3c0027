// Features, texts and readings against vectors that Python wrote (`python -m export.web`).
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { PoseReader } from "../src/core/features";
import { present } from "../src/core/frame";
import { FeatureReader } from "../src/core/modelFeatures";
import { Resampler } from "../src/core/resample";
import { eventRow, type FingerEvent, fingerEvent } from "../src/core/score";
import { language } from "../src/language/languages";
import { type Detail, narrate, type Style } from "../src/language/narrator";
import { parse } from "../src/language/parser";
import { golden, same } from "./node";

interface Vectors {
  features: {
    name: string;
    ticks: { index: number; t: number; values: number[] }[];
    poses: { frame: number; slot: number; values: (number | null)[] }[];
  }[];
  texts: { score: never[]; wordings: { language: string; style: Style; detail: Detail; text: string }[]; parsed: never[] }[];
}
const vectors = JSON.parse(readFileSync(new URL("./vectors.json", import.meta.url), "utf8")) as Vectors;

/** Python computes features in float32: motion features are differences times ten. */
const FEATURE = 2e-4;
/** Degrees and palm lengths, float32 in Python. */
const POSE = 2e-3;

describe.each(vectors.features)("$name", ({ name, ticks, poses }) => {
  const recording = golden(name);
  test("features", () => {
    const resampler = new Resampler(recording.mirrored);
    const reader = new FeatureReader(recording.view);
    const read = recording.frames.flatMap((frame) => resampler.push(frame)).map((tick) => ({ tick, values: reader.read(tick) }));
    expect(ticks.length).toBeGreaterThan(3);
    for (const wanted of ticks) {
      const { tick, values } = read[wanted.index]!;
      expect(Math.abs(tick.t - wanted.t)).toBeLessThan(1e-9);
      expect(values.length).toBe(wanted.values.length);
      wanted.values.forEach((v, i) => expect(Math.abs(values[i]! - v), `tick ${wanted.index}, number ${i}`).toBeLessThan(FEATURE));
    }
  });

  test("poses", () => {
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
