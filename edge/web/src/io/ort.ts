// Graphs by onnxruntime-web: WebAssembly with SIMD, one thread.
import * as ort from "onnxruntime-web/wasm";
import type { OpenGraph } from "../recognisers";
import { opener } from "./graphs";

// threads need cross-origin isolation, and networks of this size gain nothing from them
ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";

/** Where the runtime's own files lie; unset, the bundler's copies are used. */
export function runtimeFiles(paths: { wasm: string; mjs: string }): void {
  ort.env.wasm.wasmPaths = paths;
}

/** One Identity node: the smallest graph that there is. */
const NOTHING = "CAg6NwoQCgFhEgFiIghJZGVudGl0eRIBZ1oPCgFhEgoKCAgBEgQKAggBYg8KAWISCgoICAESBAoCCAFCBAoAEBE=";

/** Fetch and compile the runtime itself, so that this goes on while a bundle is still being fetched. */
export async function startRuntime(): Promise<void> {
  const bytes = Uint8Array.from(atob(NOTHING), (c) => c.charCodeAt(0));
  await (await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] })).release();
}

/** Load a graph. Throws BundleError where the runtime cannot. */
export const openGraph: OpenGraph = opener(ort, "wasm");
