// The page: what is chosen, what runs, and what is shown of it.
import { type FigopEvent, row } from "../core/events";
import { type HandFrame, seconds, type View } from "../core/frame";
import { EngineClient } from "../engine";
import { FigopError, SourceError } from "../errors";
import { readRecording } from "../io/recording";
import type { Detail, Style } from "../language/narrator";
import { LANGUAGES } from "../language/languages";
import type { BundleInfo, Picture, WordingNames } from "../protocol";
import { CameraSource, FileSource } from "../sources/pictures";
import { RecordingSource } from "../sources/recording";
import type { Intake, Source } from "../sources/source";
import { keepOffline } from "./offline";
import { drawHands, drawLanes, SPAN_S } from "./draw";
import { SCORE_WORDS, STRINGS, type Strings } from "./strings";
import { barLabel, clock, Timeline } from "./timeline";

const $ = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const KEPT = 20_000;

/** What a headset session shows besides the page: the newest caption. */
export interface Screen {
  show(text: string, final: boolean): void;
}

export class App {
  readonly engine = new EngineClient();
  readonly timeline = new Timeline();
  /** Every event so far, as JSON rows. */
  readonly rows: Record<string, unknown>[] = [];
  info: BundleInfo | null = null;
  screen: Screen | null = null;
  private stopping: AbortController | null = null;
  private running: Promise<void> = Promise.resolve();
  private frame: HandFrame | null = null;
  private changed = true;
  private origin: number | null = null;
  private now = 0;
  private back = 0;
  private stateKey: keyof Strings = "opening";
  private readonly still = matchMedia("(prefers-reduced-motion: reduce)");

  /** `query`: of the page's address; may name a language, and a bundle's folder. */
  constructor(private readonly query: URLSearchParams) {
    const asked = query.get("language") ?? navigator.language.slice(0, 2);
    $<HTMLSelectElement>("language").value = LANGUAGES.includes(asked) ? asked : "en";
    $<HTMLInputElement>("fast").checked = query.has("fast");
    this.listen();
    this.relabel();
  }

  get strings(): Strings {
    return STRINGS[$<HTMLSelectElement>("language").value]!;
  }

  private get words(): Readonly<Record<string, string>> {
    return SCORE_WORDS[$<HTMLSelectElement>("language").value]!;
  }

  /** Open the bundle that is served beside the page. */
  async open(url: string): Promise<void> {
    const whole = new URL(url, location.href).href; // the worker's own address is another one
    await this.guarded(async () => this.opened((await this.engine.ask({ kind: "open", url: whole })).info!));
  }

  private opened(info: BundleInfo): void {
    this.info = info;
    for (const id of ["file", "camera", "ar", "vr"]) $<HTMLButtonElement>(id).disabled = false;
    $<HTMLButtonElement>("camera").disabled = !info.hands;
    $("camera").title = info.hands ? "" : this.strings.noHands;
    this.state("ready");
    this.about();
    performance.mark("figop-ready");
    document.documentElement.dataset.ready = "true";
    if (info.urls.length) void keepOffline(info.urls).then((kept) => kept && this.about(this.strings.offline));
  }

  private about(more = ""): void {
    const { info } = this;
    if (!info) return;
    const notes = info.notes.includes("extra-gestures") ? this.strings.extraGestures : "";
    $("about").textContent = [`${info.name} ${info.version} (${info.speaker}).`, notes, more].filter(Boolean).join(" ");
  }

  /** Run a source to its end; another one that runs is stopped first. */
  async run(source: Source): Promise<void> {
    await this.stop();
    const control = new AbortController();
    this.stopping = control;
    this.running = this.guarded(() => this.caption(source, control.signal)).finally(() => {
      if (this.stopping === control) this.stopping = null;
      $<HTMLButtonElement>("stop").disabled = true;
      $("video").hidden = true;
    });
    await this.running;
  }

  async stop(): Promise<void> {
    this.stopping?.abort();
    await this.running;
  }

  private async caption(source: Source, signal: AbortSignal): Promise<void> {
    this.clear();
    const settings = {
      view: source.view ?? ($<HTMLSelectElement>("view").value as View),
      mirrored: source.mirrored ?? $<HTMLInputElement>("mirrored").checked,
      wording: this.wording(),
      appearanceDigest: source.appearanceDigest,
      pictures: source.pictures,
      live: source.live ?? false,
      emulatedGpu: this.query.has("emulated-gpu"),
    };
    const { gpu } = await this.engine.ask({ kind: "start", settings });
    if (gpu !== undefined) this.about(gpu ? this.strings.gpu : this.strings.noGpu);
    this.state("running");
    $<HTMLButtonElement>("stop").disabled = false;
    $("video").hidden = !source.pictures;
    $("hint").hidden = true;
    this.animate(signal);
    const intake: Intake = {
      frames: async (frames) => {
        this.say((await this.engine.ask({ kind: "frames", frames })).events, frames.at(-1));
      },
      picture: async (tNs, picture: Picture) => {
        const answer = await this.engine.ask({ kind: "picture", tNs, picture }, [picture.data.buffer]);
        this.say(answer.events, answer.frame);
      },
    };
    try {
      await source.run(intake, signal);
    } finally {
      this.say((await this.engine.ask({ kind: "flush" })).events);
      this.state("ended");
      if (source.missed) $("about").textContent = this.strings.missed + source.missed;
      if (!this.timeline.finals().length) $("now").textContent = this.strings.nothing;
      this.paint();
    }
  }

  private clear(): void {
    this.timeline.clear();
    this.rows.length = 0;
    this.origin = null;
    this.frame = null;
    this.now = this.back = 0;
    $("said").replaceChildren();
    $("rows").replaceChildren();
    $("now").textContent = "";
    $("alert").textContent = "";
  }

  private say(events: readonly FigopEvent[], frame?: HandFrame): void {
    this.changed = true;
    if (frame) {
      this.frame = frame;
      this.now = seconds(frame);
      this.origin ??= this.now;
    }
    if (!events.length) return;
    this.timeline.add(events);
    for (const event of events) {
      if (this.rows.length < KEPT) this.rows.push(row(event));
      if (event.type === "caption") this.sayCaption(event.text, event.final, event.tStart, event.tEnd);
    }
    $<HTMLButtonElement>("save").disabled = $<HTMLButtonElement>("saveText").disabled = false;
    this.list();
  }

  private sayCaption(text: string, final: boolean, tStart: number, tEnd: number): void {
    const now = $("now");
    now.textContent = text;
    now.lang = this.wording().language;
    now.classList.toggle("provisional", !final);
    this.screen?.show(text, final);
    if (!final || !text) return; // final without words: there was nothing after all
    const item = document.createElement("li");
    item.lang = now.lang;
    const time = document.createElement("time");
    const origin = this.origin ?? 0;
    time.textContent = `${clock(tStart - origin)} – ${clock(tEnd - origin)}`;
    item.append(time, text);
    $("said").append(item);
    item.scrollIntoView({ block: "nearest" });
  }

  private list(): void {
    const origin = this.origin ?? 0;
    const strings = this.strings as unknown as Record<string, string>;
    const rows = this.timeline.bars().slice(-60).map(({ event: e }) => {
      const line = document.createElement("tr");
      const fingers = e.fingers.length ? e.fingers.map((f) => strings[f]).join(", ") : strings.hand;
      for (const text of [`${clock(e.start - origin)} – ${clock(e.end - origin)}`, strings[e.hand], fingers, barLabel(e, this.words)]) {
        line.insertCell().textContent = text ?? "";
      }
      return line;
    });
    $("rows").replaceChildren(...rows);
  }

  private animate(signal: AbortSignal): void {
    const step = () => {
      if (this.changed) this.paint(); // a screen is drawn more often than hands are read
      if (!signal.aborted && this.stopping?.signal === signal) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  /** Draw hands and lanes. Where less motion is wished, time moves on in whole seconds. */
  paint(): void {
    this.changed = false;
    const origin = this.origin ?? 0;
    const now = this.still.matches ? Math.ceil(this.now) : this.now;
    const until = Math.max(now - this.back, origin + SPAN_S);
    drawHands($<HTMLCanvasElement>("hands"), this.frame, this.strings);
    drawLanes($<HTMLCanvasElement>("lanes"), this.timeline.bars(), origin, this.now, until, this.strings, this.words);
  }

  private wording(): WordingNames {
    return {
      language: $<HTMLSelectElement>("language").value,
      style: $<HTMLSelectElement>("style").value as Style,
      detail: $<HTMLSelectElement>("detail").value as Detail,
    };
  }

  private state(key: keyof Strings): void {
    this.stateKey = key;
    $("state").textContent = this.strings[key];
  }

  private relabel(): void {
    document.documentElement.lang = $<HTMLSelectElement>("language").value;
    for (const element of document.querySelectorAll<HTMLElement>("[data-says]")) {
      element.textContent = this.strings[element.dataset.says as keyof Strings];
    }
    $("lanes").ariaLabel = this.strings.scoreLabel;
    this.state(this.stateKey);
    this.about();
    this.list();
    this.paint();
  }

  /** Read what was dropped or picked: a bundle, a recording or a video. */
  async take(file: File): Promise<void> {
    await this.guarded(async () => {
      const kind = /\.(figop|zip)$/i.test(file.name) ? "bundle" : /\.npz$/i.test(file.name) ? "recording" : "video";
      if (kind === "bundle") {
        await this.stop();
        this.state("opening");
        const bytes = await file.arrayBuffer();
        this.opened((await this.engine.ask({ kind: "open-file", name: file.name, bytes }, [bytes])).info!);
      } else if (kind === "recording") {
        const recording = readRecording(new Uint8Array(await file.arrayBuffer()), file.name);
        await this.run(new RecordingSource(recording, $<HTMLInputElement>("fast").checked));
      } else {
        if (file.type && !file.type.startsWith("video/")) {
          throw new SourceError(`${file.name} is neither a recording (.npz), a bundle (.figop) nor a video.`);
        }
        await this.run(new FileSource($<HTMLVideoElement>("video"), file));
      }
    });
  }

  private listen(): void {
    const on = (id: string, name: string, act: () => void) => $(id).addEventListener(name, act);
    const pick = $<HTMLInputElement>("pick");
    on("file", "click", () => pick.click());
    on("pick", "change", () => {
      if (pick.files?.[0]) void this.take(pick.files[0]);
      pick.value = "";
    });
    on("camera", "click", () => void this.run(new CameraSource($<HTMLVideoElement>("video"))));
    on("stop", "click", () => void this.stop());
    on("save", "click", () => save("figop-events.jsonl", this.rows.map((r) => JSON.stringify(r)).join("\n") + "\n"));
    on("saveText", "click", () => save("figop-captions.vtt", this.subtitles()));
    on("language", "change", () => this.relabel());
    for (const id of ["language", "style", "detail"]) {
      on(id, "change", () => void this.engine.ask({ kind: "wording", wording: this.wording() }));
    }
    const lanes = $("lanes");
    lanes.tabIndex = 0;
    lanes.addEventListener("keydown", ({ key }) => {
      if (key !== "ArrowLeft" && key !== "ArrowRight") return;
      const most = Math.max(this.now - (this.origin ?? 0) - SPAN_S, 0);
      this.back = Math.min(Math.max(this.back + (key === "ArrowLeft" ? 2 : -2), 0), most);
      this.paint();
    });
    addEventListener("resize", () => this.paint());
    addEventListener("dragover", (event) => {
      event.preventDefault();
      document.body.classList.add("over");
    });
    addEventListener("dragleave", () => document.body.classList.remove("over"));
    addEventListener("drop", (event: DragEvent) => {
      event.preventDefault();
      document.body.classList.remove("over");
      const file = event.dataTransfer?.files[0];
      if (file) void this.take(file);
    });
  }

  private subtitles(): string {
    const origin = this.origin ?? 0;
    const stamp = (t: number) => new Date(Math.max(t - origin, 0) * 1e3).toISOString().slice(11, 23);
    return `WEBVTT\n\n${this.timeline.finals().map((c) => `${stamp(c.tStart)} --> ${stamp(c.tEnd)}\n${c.text}\n`).join("\n")}`;
  }

  /** An error that a user can act on becomes one sentence on the page. */
  async guarded(work: () => Promise<void>): Promise<void> {
    $("alert").textContent = "";
    try {
      await work();
    } catch (error) {
      $("alert").textContent = error instanceof FigopError ? error.message : `figop failed: ${error instanceof Error ? error.message : error}`;
      this.state(this.info ? "readyShort" : "closed");
      if (!(error instanceof FigopError)) console.error(error);
    }
  }
}

function save(name: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
