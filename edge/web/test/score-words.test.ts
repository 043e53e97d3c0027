// Every word of the score has its Chinese, so that no lane falls back to English.
import { expect, test } from "vitest";
import TABLES from "../src/tables.json";
import { SCORE_WORDS } from "../src/ui/strings";

test("the words of the score are Chinese, every one", () => {
  const words = [...TABLES.motions.map((m) => m.name), ...TABLES.directions, ...TABLES.contacts];
  expect(words.length).toBeGreaterThan(30);
  expect(words.filter((w) => !/^[\u4e00-\u9fff]+$/.test(SCORE_WORDS.zh![w] ?? ""))).toEqual([]);
});
