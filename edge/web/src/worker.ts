// The worker: opens a bundle, reads frames one after the other, and answers with events.
import { archive, Bundle, folder, HAND_GRAPHS, sha256, STUDENT_GRAPHS } from "./bundle/bundle";
import { Captioner } from "./core/pipeline";
import { FigopError, RuntimeUnavailable, SourceError } from "./errors";
import type { HandNetworks, NativeTracker } from "./hands/tracker";
import { openGraph, startRuntime } from "./io/ort";
import { language } from "./language/languages";
import type { Answer, BundleInfo, Picture, Request, StreamSettings, WordingNames } from "./protocol";
import { Speakers } from "./recognisers";

const KEPT = 100_000;

interface OpenHands {
  readonly networks: HandNetworks;
  readonly digest: string;
  readonly gpu: boolean;
}

class Engine {
  private speakers: Speakers | null = null;
  private captioner: Captioner | null = null;
  private tracker: NativeTracker | null = null;
  private hands: Promise<OpenHands> | null = null;
  private warm = false;
  private readonly times = { frameMs: [] as number[], decodeMs: [] as number[], trackMs: [] as number[] };

  async answer(request: Request): Promise<Answer> {
    switch (request.kind) {
      case "open":
        return this.open(await Bundle.open(folder(request.url)), request.url);
      case "open-file":
        return this.open(await Bundle.open(archive(new Uint8Array(request.bytes), request.name)), "");
      case "start":
        return { events: [], ...(await this.start(request.settings)) };
      case "wording":
        if (this.captioner) this.captioner.wording = wordingOf(request.wording);
        return { events: [] };
      case "frames": {
        const captioner = this.running();
        const events = [];
        for (const frame of request.frames) events.push(...(await this.timed(() => captioner.push(frame), this.times.frameMs)));
        return { events };
      }
      case "picture":
        return this.picture(request.tNs, request.picture);
      case "flush":
        return { events: await this.running().flush() };
      case "figures":
        return { events: [], figures: { ...this.times, marks: marks(), warm: this.warm } };
    }
  }

  private async open(bundle: Bundle, url: string): Promise<Answer> {
    performance.mark("bundle");
    const speakers = await Speakers.open(bundle, openGraph);
    performance.mark("graphs");
    await this.speakers?.release();
    this.speakers = speakers;
    this.warm = false;
    this.captioner = null;
    this.tracker = null;
    void this.hands?.then(({ networks }) => networks.release(), () => undefined);
    this.hands = null;
    const names = Object.values(bundle.manifest.captions).filter((n) => n in bundle.manifest.files);
    for (const role of bundle.student ? STUDENT_GRAPHS : []) names.push(bundle.manifest.graphs[role]!.onnx!);
    const info: BundleInfo = {
      name: bundle.name,
      version: bundle.manifest.version,
      speaker: !bundle.student ? "rules" : bundle.student.fallback ? "model+rules" : "model",
      hands: HAND_GRAPHS.every((role) => bundle.has(role)),
      notes: bundle.extraGestures ? ["extra-gestures"] : [],
      urls: url ? ["manifest.json", ...names].map((name) => bundle.files.url?.(name) ?? "") : [],
    };
    return { events: [], info };
  }

  private async start(settings: StreamSettings): Promise<{ gpu?: boolean }> {
    const speakers = this.speakers;
    if (!speakers) throw new SourceError("No bundle is open: open one first.");
    const { bundle } = speakers;
    let digest = settings.appearanceDigest;
    let gpu: boolean | undefined;
    if (settings.pictures) {
      const { NativeTracker } = await import("./hands/tracker");
      this.hands ??= this.openHands(bundle, settings.emulatedGpu);
      const hands = await this.hands.catch((error: unknown) => {
        this.hands = null; // the next try may find a network
        throw error;
      });
      this.tracker = new NativeTracker(hands.networks, settings.mirrored, settings.live);
      ({ digest, gpu } = hands);
    }
    const known = digest === "" || digest === bundle.manifest.appearance_digest;
    const recogniser = speakers.recogniser(settings.view, settings.mirrored, known);
    const words = recogniser.words.bind(recogniser);
    recogniser.words = async () => {
      const began = performance.now();
      const said = await words();
      const ms = performance.now() - began;
      if (ms > 1) note(this.times.decodeMs, ms); // the captioner was asked, and not only whether it should be
      return said;
    };
    this.captioner = new Captioner(recogniser, wordingOf(settings.wording), bundle.manifest.preprocessing);
    return gpu === undefined ? {} : { gpu };
  }

  /** The bundle's hand networks: fetched and opened only when pictures are to be read, and then kept. */
  private async openHands(bundle: Bundle, emulatedGpu: boolean): Promise<OpenHands> {
    if (!HAND_GRAPHS.every((role) => bundle.has(role))) {
      throw new RuntimeUnavailable(
        `The bundle ${bundle.name} holds no hand networks, which pictures need: ` +
          "make one that does by figop export --device browser-wasm --with-hands -o web.figop, and serve it by figop web --bundle web.figop.",
      );
    }
    const { openHands } = await import("./hands/tracker");
    const [palm, landmark] = await Promise.all([bundle.graph("palm"), bundle.graph("landmark")]);
    const digest = await sha256(landmark);
    if (await hasGpu(emulatedGpu)) {
      try {
        const { openOnGpu } = await import("./io/gpu");
        return { networks: await openHands(palm, landmark, openOnGpu), digest, gpu: true };
      } catch (error) {
        console.info("WebGPU is there, but does not run the hand networks:", error);
      }
    }
    return { networks: await openHands(palm, landmark, openGraph), digest, gpu: false };
  }

  private async picture(tNs: bigint, picture: Picture): Promise<Answer> {
    const captioner = this.running();
    if (!this.tracker) throw new SourceError("A picture arrived on a stream of hands.");
    const began = performance.now();
    const frame = await this.tracker.track(picture, tNs, captioner.keyframeNext(Number(tNs) * 1e-9));
    note(this.times.trackMs, performance.now() - began);
    return { events: await this.timed(() => captioner.push(frame, began), this.times.frameMs), frame };
  }

  /** What is still to be run once, so that first captions take no longer than later ones. */
  *warming(): Generator<() => Promise<unknown>> {
    const { speakers } = this;
    if (!speakers || this.warm) return;
    for (const run of speakers.warming()) {
      if (this.speakers !== speakers) return;
      yield run;
    }
    this.warm = true;
  }

  private running(): Captioner {
    if (!this.captioner) throw new SourceError("No stream is running.");
    return this.captioner;
  }

  private async timed<T>(work: () => Promise<T>, into: number[]): Promise<T> {
    const began = performance.now();
    const done = await work();
    note(into, performance.now() - began);
    return done;
  }
}

/** Whether there is WebGPU, and a GPU behind it; one that the processor emulates is slower than the processor itself. */
async function hasGpu(emulated: boolean): Promise<boolean> {
  const { gpu } = navigator as Navigator & { gpu?: { requestAdapter(): Promise<{ info?: { isFallbackAdapter?: boolean } } | null> } };
  const found = await gpu?.requestAdapter().catch(() => null);
  return Boolean(found && (emulated || !found.info?.isFallbackAdapter));
}

function note(into: number[], ms: number): void {
  if (into.length < KEPT) into.push(ms);
}

/** When what was done, milliseconds of the clock that page and worker share. */
const marks = (): Record<string, number> =>
  Object.fromEntries(performance.getEntriesByType("mark").map((m) => [m.name, performance.timeOrigin + m.startTime]));

const wordingOf = (w: WordingNames) => ({ language: language(w.language), style: w.style, detail: w.detail });

performance.mark("worker");
// its failure is told by the first graph that needs it
void startRuntime().then(() => performance.mark("runtime"), () => undefined);

const engine = new Engine();
let queue: Promise<void> = Promise.resolve();
/** One at a time and in order: the captioner is a stream. */
function enqueue(work: () => Promise<void>): Promise<void> {
  return (queue = queue.then(work));
}

self.onmessage = ({ data }: MessageEvent<{ id: number; request: Request }>) => {
  void enqueue(async () => {
    try {
      self.postMessage({ id: data.id, answer: await engine.answer(data.request) });
    } catch (error) {
      const text = error instanceof FigopError ? error.message : `The worker failed: ${error instanceof Error ? error.message : error}`;
      self.postMessage({ id: data.id, error: text });
    }
  }).then(() => (data.request.kind.startsWith("open") ? warmUp() : undefined));
};

/** Between requests, which come first. */
async function warmUp(): Promise<void> {
  for (const run of engine.warming()) {
    await new Promise((next) => setTimeout(next));
    await enqueue(() => run().then(() => undefined, () => undefined));
  }
}
