// One truth: golden recordings give the events that Python gives, texts to the letter.
import { beforeAll, describe, expect, test } from "vitest";
import { row } from "../src/core/events";
import { Captioner } from "../src/core/pipeline";
import { openGraph } from "../src/io/ort";
import { language } from "../src/language/languages";
import { Speakers } from "../src/recognisers";
import { bundle, golden, GOLDEN, lines, same } from "./node";

const BUNDLES = { model: "figop-base", rules: "figop-rules" };
const speakers: Record<string, Speakers> = {};

beforeAll(async () => {
  for (const [speaker, name] of Object.entries(BUNDLES)) speakers[speaker] = await Speakers.open(await bundle(name), openGraph);
}, 60_000);

describe.each(Object.keys(BUNDLES))("%s", (speaker) => {
  test.each(GOLDEN)("says of %s what Python says", async (name) => {
    const recording = golden(name);
    const { bundle: from } = speakers[speaker]!;
    const recogniser = speakers[speaker]!.recogniser(recording.view, recording.mirrored);
    const wording = { language: language("en"), style: "descriptive", detail: "normal" } as const;
    const captioner = new Captioner(recogniser, wording, from.manifest.preprocessing);
    const events = [];
    for (const frame of recording.frames) events.push(...(await captioner.push(frame)));
    events.push(...(await captioner.flush()));
    const said = events.map((e) => {
      const { stages_ms: _, age_ms: __, ...rest } = row(e);
      return rest;
    });
    const wanted = lines(`tests/golden/${name}.${speaker}.jsonl`);
    expect(said.map((r) => [r.type, r.text ?? ""])).toEqual(wanted.map((r) => [r.type, r.text ?? ""]));
    said.forEach((r, i) => expect(same(r, wanted[i]), `${JSON.stringify(r)}\n${JSON.stringify(wanted[i])}`).toBe(true));
  }, 60_000);
});
