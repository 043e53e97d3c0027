// What the browser tests share: figop web as a user starts it, and Debian's Chromium.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import type { Figures } from "../../src/protocol";
import { ROOT } from "../node";

const CHROMIUM = process.env.FIGOP_CHROMIUM ?? "/usr/bin/chromium";
export const PYTHON = process.env.FIGOP_PYTHON ?? "python3";
/** Nothing that the browser does for itself: it would only ask for hosts that are not there. */
const QUIET = [
  "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
  "--disable-sync", "--disable-default-apps", "--disable-extensions", "--disable-domain-reliability", "--mute-audio",
];

export const here = existsSync(CHROMIUM) && existsSync(join(ROOT, "edge/web/dist/index.html"));
export const why = `needs ${CHROMIUM} and a built app (make web)`;

export interface Served {
  readonly url: string;
  stop(): Promise<void>;
}

/** `figop web` on a free port. */
export async function serve(...more: string[]): Promise<Served> {
  const child: ChildProcess = spawn(PYTHON, ["-m", "edge.cli", "web", "--port", "0", "--json", ...more], {
    cwd: ROOT, env: { ...process.env, PYTHONPATH: ROOT }, stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  const url = await new Promise<string>((done, failed) => {
    child.stdout!.on("data", (data: Buffer) => {
      said += data.toString();
      if (said.includes("\n")) done((JSON.parse(said) as { url: string }).url);
    });
    child.stderr!.on("data", (data: Buffer) => (said += data.toString()));
    child.on("exit", (code) => failed(new Error(`figop web ended with ${code}: ${said}`)));
  });
  const gone = new Promise<void>((done) => child.on("exit", () => done()));
  return {
    url,
    async stop() {
      child.kill("SIGINT");
      await gone;
    },
  };
}

export interface Stage {
  readonly page: Page;
  readonly context: BrowserContext;
  /** What the page complained of in its console. */
  readonly complaints: string[];
  close(): Promise<void>;
}

/** A fresh browser with an empty profile. */
export async function browse(options: { args?: string[]; viewport?: { width: number; height: number }; script?: string } = {}): Promise<Stage> {
  const profile = mkdtempSync(join(tmpdir(), "figop-chromium-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    headless: true,
    viewport: options.viewport ?? { width: 1180, height: 1000 },
    permissions: ["camera"],
    args: [...QUIET, ...(options.args ?? ["--disable-gpu"])],
  });
  const browser: Browser | null = context.browser();
  const page = context.pages()[0] ?? (await context.newPage());
  if (options.script) await page.addInitScript({ content: options.script });
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  return {
    page,
    context,
    complaints,
    async close() {
      await context.close();
      await browser?.close();
    },
  };
}

/** Wait until the page's bundle is open; fails at once with the page's own words where it cannot be. */
export async function ready(page: Page): Promise<void> {
  const found = await page.waitForFunction(
    () => document.documentElement.dataset.ready ?? document.querySelector("#alert")?.textContent, undefined, { timeout: 100_000 },
  );
  const said = await found.jsonValue();
  if (said !== "true") throw new Error(`The page did not get ready: ${said}`);
}

/** Every event that the page has, as JSON rows without what was measured. */
export async function rows(page: Page): Promise<Record<string, unknown>[]> {
  const all = await page.evaluate(() => JSON.stringify((globalThis as unknown as { figop: { rows: unknown[] } }).figop.rows));
  return (JSON.parse(all) as Record<string, unknown>[]).map(({ stages_ms: _, age_ms: __, ...rest }) => rest);
}

/** What the worker measured so far; its marks in milliseconds from the navigation's start. */
export async function measured(page: Page): Promise<Figures> {
  return page.evaluate(async () => {
    const app = (globalThis as unknown as { figop: { engine: { ask(r: unknown): Promise<{ figures: Figures }> } } }).figop;
    const { figures } = await app.engine.ask({ kind: "figures" });
    const marks = Object.entries(figures.marks).map(([name, at]) => [name, at - performance.timeOrigin]);
    return { ...figures, marks: Object.fromEntries(marks) };
  });
}

/** Have the page read a file, and wait for its end. */
export async function take(page: Page, path: string): Promise<void> {
  await page.evaluate(() => (document.querySelector("#state")!.textContent = ""));
  await page.setInputFiles("#pick", path);
  await page.waitForFunction(
    () => /^(Ended|已结束)/.test(document.querySelector("#state")?.textContent ?? "") || document.querySelector("#alert")?.textContent,
    undefined,
    { timeout: 200_000 },
  );
}

/** Pictures for docs/images are written only when asked for: FIGOP_PICTURES=1. */
export async function picture(page: Page, name: string): Promise<void> {
  const path = join(ROOT, "docs/images", name);
  await page.screenshot(process.env.FIGOP_PICTURES ? { path } : {});
}
