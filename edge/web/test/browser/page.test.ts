// The page in a real browser: recordings, offline use, broken bundles, keyboard and screen readers.
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GOLDEN, lines, ROOT, same } from "../node";
import { browse, here, picture, ready, rows, serve, type Served, type Stage, take, why } from "./stage";

const finals = (all: Record<string, unknown>[]) => all.filter((r) => r.type === "caption" && r.final && r.text).map((r) => r.text);

describe.skipIf(!here)(`the page (${why})`, () => {
  let served: Served;
  let stage: Stage;

  beforeAll(async () => {
    served = await serve();
    stage = await browse();
    await stage.page.goto(`${served.url}?fast&language=en`);
    await ready(stage.page);
  });
  afterAll(async () => {
    await stage?.close();
    await served?.stop();
  });

  test.each(GOLDEN)("says of %s what Python says", async (name) => {
    await take(stage.page, `${ROOT}tests/golden/${name}.npz`);
    const said = await rows(stage.page);
    const wanted = lines(`tests/golden/${name}.model.jsonl`);
    expect(said.map((r) => [r.type, r.text ?? ""])).toEqual(wanted.map((r) => [r.type, r.text ?? ""]));
    said.forEach((r, i) => expect(same(r, wanted[i]), `${JSON.stringify(r)}\n${JSON.stringify(wanted[i])}`).toBe(true));
    const shown = await stage.page.locator("#said li").allInnerTexts();
    expect(shown.map((text) => text.split("\n").at(-1))).toEqual(finals(wanted));
  });

  test("is quiet in the console, and shows lanes, list and captions", async () => {
    await take(stage.page, `${ROOT}tests/golden/two_hands.npz`);
    expect(await stage.page.locator("#said").getAttribute("aria-live")).toBe("polite");
    expect(await stage.page.locator("#rows tr").count()).toBeGreaterThan(2);
    expect(await stage.page.locator("#alert").innerText()).toBe("");
    await picture(stage.page, "web.png");
    expect(stage.complaints).toEqual([]);
  });

  test("speaks Chinese, page and captions", async () => {
    await stage.page.selectOption("#language", "zh");
    await take(stage.page, `${ROOT}tests/golden/two_hands.npz`);
    const said = finals(await rows(stage.page)) as string[];
    expect(said.length).toBeGreaterThan(0);
    for (const text of said) expect(text).toMatch(/[左右双].*。$/);
    expect(await stage.page.locator("html").getAttribute("lang")).toBe("zh");
    // the score too, as a list and on the lanes
    const score = await stage.page.locator("#rows td").allInnerTexts();
    expect(score.length).toBeGreaterThan(8);
    for (const text of score) expect(text).not.toMatch(/[a-z]{2}/);
    await picture(stage.page, "web-zh.png");
    await stage.page.selectOption("#language", "en");
  });

  test("works by keyboard, and every control has a name", async () => {
    await stage.page.keyboard.press("Escape");
    await stage.page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
    const reached: string[] = [];
    for (let i = 0; i < 12; i++) {
      await stage.page.keyboard.press("Tab");
      reached.push(await stage.page.evaluate(() => document.activeElement?.id || document.activeElement?.tagName || ""));
    }
    for (const id of ["file", "language", "SUMMARY", "lanes"]) expect(reached, reached.join()).toContain(id);
    const unnamed = await stage.page.evaluate(() =>
      [...document.querySelectorAll<HTMLElement>("button:not([hidden]), select")].filter((e) => {
        const label = e.closest("label")?.textContent || e.textContent || e.ariaLabel;
        return !label?.trim();
      }).length,
    );
    expect(unnamed).toBe(0);
  });

  test("what is no recording gets one sentence", async () => {
    const folder = mkdtempSync(join(tmpdir(), "figop-web-"));
    const bad = join(folder, "broken.npz");
    writeFileSync(bad, readFileSync(`${ROOT}tests/golden/two_hands.npz`).subarray(0, 4000));
    await take(stage.page, bad);
    expect(await stage.page.locator("#alert").innerText()).toContain("The recording broken.npz is not a whole zip archive");
    await picture(stage.page, "web-error.png");
    await take(stage.page, `${ROOT}tests/golden/left_facing.npz`); // and the page goes on
    expect(finals(await rows(stage.page)).length).toBeGreaterThan(0);
  });

  test("a damaged bundle is refused by name, and the one that was open goes on", async () => {
    const folder = mkdtempSync(join(tmpdir(), "figop-web-"));
    cpSync(`${ROOT}edge/bundles/figop-base`, join(folder, "bundle"), { recursive: true });
    const rules = join(folder, "bundle/rules.json");
    writeFileSync(rules, readFileSync(rules, "utf8").replace("36.0", "37.0"));
    pack(join(folder, "bundle"), join(folder, "broken.figop"));
    const other = await browse();
    await other.page.goto(`${served.url}?bundle=${encodeURIComponent("./nowhere/")}`);
    await other.page.waitForFunction(() => document.querySelector("#alert")?.textContent);
    expect(await other.page.locator("#alert").innerText()).toMatch(/is damaged: manifest.json is missing \(404\)/);
    await other.close();
    await stage.page.setInputFiles("#pick", join(folder, "broken.figop"));
    await stage.page.waitForFunction(() => document.querySelector("#alert")?.textContent);
    expect(await stage.page.locator("#alert").innerText()).toMatch(
      /The bundle broken.figop is damaged: rules.json does not have the sha256 that its manifest states/,
    );
  });
});

/** A folder as a .figop file, by Python, as figop itself packs bundles. */
function pack(folder: string, file: string): void {
  const code = "import sys, pathlib; from edge.bundle_files import zipped; f = pathlib.Path(sys.argv[1]); " +
    "pathlib.Path(sys.argv[2]).write_bytes(zipped({p.name: p.read_bytes() for p in f.iterdir()}))";
  execFileSync(process.env.FIGOP_PYTHON ?? "python3", ["-c", code, folder, file], { cwd: ROOT, env: { ...process.env, PYTHONPATH: ROOT } });
}

describe.skipIf(!here)("without a network", () => {
  test("the page reloads and captions", async () => {
    const served = await serve();
    const stage = await browse();
    try {
      await stage.page.goto(`${served.url}?fast&language=en`);
      await ready(stage.page);
      await stage.page.waitForFunction(() => document.querySelector("#about")?.textContent?.includes("Kept for use"), undefined, { timeout: 90_000 });
      await served.stop();
      await stage.context.setOffline(true);
      await stage.page.reload();
      await ready(stage.page);
      await take(stage.page, `${ROOT}tests/golden/right_facing.npz`);
      expect(finals(await rows(stage.page))).toEqual(finals(lines("tests/golden/right_facing.model.jsonl")));
    } finally {
      await stage.close();
    }
  });
});
