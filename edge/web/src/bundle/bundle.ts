// Bundles (edge/bundle.py): every file is checked against the manifest's sha256 before anything of it is used.
import { RULE_DEFAULTS, type RuleSettings } from "../core/atoms";
import { Confidence } from "../core/confidence";
import type { DecodeSettings } from "../core/decode";
import type { FallbackSettings } from "../core/fallback";
import type { Cutting } from "../core/figop";
import { BundleError } from "../errors";
import { safeName, unzip } from "./zip";

const MANIFEST = "manifest.json";
const SIGNATURE = "signature.json";
const SCHEMA = 2;
const BOUNDS = { files: 256, bytes: 64 << 20, total: 128 << 20 };
/** What a bundle whose captions come from a model must hold. */
export const STUDENT_GRAPHS = ["encoder", "units", "prefill", "step"] as const;
export const HAND_GRAPHS = ["palm", "landmark"] as const;
export type Role = (typeof STUDENT_GRAPHS)[number] | (typeof HAND_GRAPHS)[number];

interface Entry {
  readonly sha256: string;
  readonly bytes: number;
}
interface Manifest {
  readonly schema: number;
  readonly name: string;
  readonly version: string;
  readonly digest: string;
  readonly appearance_digest: string;
  readonly files: Readonly<Record<string, Entry>>;
  readonly graphs: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly captions: Readonly<Record<string, string>>;
  readonly preprocessing: Partial<Cutting>;
}

/** How the model reads and speaks (student.json). */
export interface Student {
  readonly appearance: boolean;
  readonly sure: number;
  readonly decode: DecodeSettings;
  readonly fallback: FallbackSettings | null;
  readonly confidence: Confidence | null;
}

/** Where a bundle's files come from: a folder behind a URL, or a .figop zip in memory. */
export interface Files {
  readonly name: string;
  /** The bytes of a file; throws BundleError where it is missing. */
  read(name: string): Promise<Uint8Array>;
  /** Names that are there, where that is known. */
  readonly names: ReadonlySet<string> | null;
  /** Where a file is fetched from, if it is. */
  url?(name: string): string;
}

/** A bundle served as it lies in its folder: only the files that are used are fetched. */
export function folder(url: string): Files {
  const base = url.endsWith("/") ? url : `${url}/`;
  return {
    name: base,
    names: null,
    url: (name) => base + name,
    async read(name) {
      let answer: Response;
      try {
        // the manifest says what the others must be: it alone may have changed since it was last fetched
        answer = await fetch(base + name, { cache: name === MANIFEST ? "no-cache" : "default" });
      } catch {
        throw new BundleError(`The bundle at ${base} cannot be read: ${name} did not arrive; is figop web still running?`);
      }
      if (!answer.ok) throw new BundleError(`The bundle at ${base} is damaged: ${name} is missing (${answer.status}).`);
      return new Uint8Array(await answer.arrayBuffer());
    },
  };
}

/** A .figop file. */
export function archive(bytes: Uint8Array, name: string): Files {
  const held = unzip(bytes, BOUNDS, `The bundle ${name}`, (text) => new BundleError(text));
  return {
    name,
    names: new Set(held.keys()),
    async read(file) {
      const data = held.get(file);
      if (!data) throw new BundleError(`The bundle ${name} is damaged: ${file} is missing.`);
      return data;
    },
  };
}

export class Bundle {
  private constructor(
    readonly files: Files, readonly manifest: Manifest, readonly rules: RuleSettings, readonly vocabulary: readonly string[],
    readonly student: Student | null,
  ) {}

  get name(): string {
    return this.manifest.name;
  }

  /** Gestures that a bundle adds to the motions; they are not watched for here. */
  get extraGestures(): boolean {
    return Object.keys(this.manifest.files).some((n) => n === "gestures.json" || n.startsWith("gesture_head"));
  }

  /** Read and verify the manifest and the small files; graphs are verified as they are read. Throws BundleError. */
  static async open(files: Files): Promise<Bundle> {
    const raw = await files.read(MANIFEST);
    const manifest = await readManifest(raw, files.name);
    for (const name of files.names ?? []) {
      if (!(name in manifest.files) && name !== MANIFEST && name !== SIGNATURE) {
        throw new BundleError(`The bundle ${files.name} is refused: ${name} is not in its manifest; remove it.`);
      }
    }
    const json = async (role: string): Promise<unknown> => {
      const name = manifest.captions[role];
      if (!name) throw new BundleError(`The bundle ${files.name} is refused: its manifest names no ${role}.`);
      try {
        return JSON.parse(new TextDecoder().decode(await verified(files, manifest, name)));
      } catch (error) {
        if (error instanceof BundleError) throw error;
        throw new BundleError(`${name} of the bundle ${files.name} is not readable JSON.`);
      }
    };
    const source = manifest.captions.source;
    if (source !== "rules" && source !== "model") {
      throw new BundleError(`The bundle ${files.name} takes its captions from '${source}', and this figop knows rules, model: update figop.`);
    }
    const [settings, vocabulary, about] = (await Promise.all(
      ["rules", "vocabulary", ...(source === "model" ? ["student"] : [])].map(json),
    )) as [Partial<RuleSettings>, string[], Record<string, unknown> | undefined];
    for (const name of Object.keys(settings)) {
      if (!(name in RULE_DEFAULTS)) throw new BundleError(`The bundle ${files.name} is refused: its rules set the unknown '${name}'.`);
    }
    const student = about ? studentOf(about, files.name) : null;
    if (student) {
      for (const role of STUDENT_GRAPHS) {
        if (manifest.graphs[role]?.onnx) continue;
        throw new BundleError(
          `The bundle ${files.name} has no graph '${role}' for onnx, which browsers need: figop export --device browser-wasm makes one.`,
        );
      }
    }
    return new Bundle(files, manifest, { ...RULE_DEFAULTS, ...settings }, vocabulary, student);
  }

  /** The verified ONNX graph of a role. */
  async graph(role: Role): Promise<Uint8Array> {
    const name = this.manifest.graphs[role]?.onnx;
    if (!name) throw new BundleError(`The bundle ${this.name} has no graph '${role}' for onnx.`);
    return verified(this.files, this.manifest, name);
  }

  has(role: Role): boolean {
    return this.manifest.graphs[role]?.onnx !== undefined;
  }
}

async function readManifest(raw: Uint8Array, where: string): Promise<Manifest> {
  let manifest: Manifest;
  const text = new TextDecoder().decode(raw);
  try {
    manifest = JSON.parse(text) as Manifest;
  } catch {
    throw new BundleError(`${where}: ${MANIFEST} is not readable JSON.`);
  }
  if (typeof manifest !== "object" || manifest === null || !Number.isInteger(manifest.schema)) {
    throw new BundleError(`${where}: ${MANIFEST} is not a bundle manifest: it has no schema number.`);
  }
  if (manifest.schema < 1 || manifest.schema > SCHEMA) {
    throw new BundleError(`The bundle ${where} is of schema ${manifest.schema}, and this figop reads schemas 1 to ${SCHEMA}: update figop.`);
  }
  // its own digest is over the very bytes, without the line that holds it
  const line = new RegExp(`^ "digest": "${manifest.digest}",\\n`, "m");
  const stripped = text.replace(line, "");
  if (stripped === text || (await sha256(new TextEncoder().encode(stripped))) !== manifest.digest) {
    throw new BundleError(`The bundle ${where}: its manifest does not have the digest that it states: it was edited or damaged.`);
  }
  for (const name of Object.keys(manifest.files)) {
    if (!safeName(name)) throw new BundleError(`The bundle ${where} is refused: its manifest lists '${name}', which leads out of it.`);
  }
  return manifest;
}

async function verified(files: Files, manifest: Manifest, name: string): Promise<Uint8Array> {
  const entry = manifest.files[name];
  if (!entry) throw new BundleError(`The bundle ${files.name} is refused: its manifest names ${name}, which it does not list.`);
  const data = await files.read(name);
  if (data.length !== entry.bytes) {
    throw new BundleError(`The bundle ${files.name} is damaged: ${name} has ${data.length} bytes instead of ${entry.bytes}.`);
  }
  if ((await sha256(data)) !== entry.sha256) {
    throw new BundleError(`The bundle ${files.name} is damaged: ${name} does not have the sha256 that its manifest states.`);
  }
  return data;
}

export async function sha256(data: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", data as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (b) => b.toString(16).padStart(2, "0")).join("");
}

function studentOf(about: Record<string, unknown>, where: string): Student {
  try {
    const numbers = (of: unknown, names: readonly string[]) => {
      const held = of as Record<string, number>;
      for (const name of names) if (!Number.isFinite(held[name])) throw new TypeError(`it has no number ${name}`);
      return held;
    };
    const decode = numbers(about.decode, ["switch", "bias", "least_s", "sure", "together_s", "moves", "rests"]);
    return {
      appearance: Boolean(about.appearance),
      sure: numbers(about, ["sure"]).sure!,
      decode: decode as unknown as DecodeSettings,
      fallback: about.fallback ? (numbers(about.fallback, ["sure", "trust"]) as unknown as FallbackSettings) : null,
      confidence: about.confidence ? new Confidence(about.confidence as ConstructorParameters<typeof Confidence>[0]) : null,
    };
  } catch (error) {
    throw new BundleError(
      `The bundle ${where} describes its student in a way that is not known: ${error instanceof Error ? error.message : error}.`,
    );
  }
}
