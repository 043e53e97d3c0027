// Graphs by onnxruntime-web: WebAssembly with SIMD, one thread.
import * as ort from "onnxruntime-web/wasm";
import { count, type Graph, type Tensor } from "../core/graph";
import { BundleError } from "../errors";

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
export async function openGraph(data: Uint8Array, name: string): Promise<Graph> {
  let session: ort.InferenceSession;
  try {
    session = await ort.InferenceSession.create(data, { executionProviders: ["wasm"], graphOptimizationLevel: "all" });
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new BundleError(`${name} is not a model that ONNX Runtime can load: ${reason}.`);
  }
  const shapes = (rows: readonly ort.InferenceSession.ValueMetadata[]) =>
    Object.fromEntries(rows.map((r) => [r.name, r.isTensor ? r.shape.map((n) => (typeof n === "number" ? n : -1)) : []]));
  const wrap = (t: Tensor) =>
    t.data instanceof Int32Array ? new ort.Tensor("int32", t.data, t.dims) : new ort.Tensor("float32", t.data, t.dims);
  const zeros = ({ name, ...about }: ort.InferenceSession.ValueMetadata): [string, Tensor] => {
    const dims = about.isTensor ? about.shape.map(Number) : [];
    return [name, { data: new (about.isTensor && about.type === "int32" ? Int32Array : Float32Array)(count(dims)), dims }];
  };
  return {
    inputs: shapes(session.inputMetadata),
    outputs: shapes(session.outputMetadata),
    async run(feeds) {
      const out = await session.run(Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, wrap(t)])));
      return Object.fromEntries(Object.entries(out).map(([name, t]) => [name, t.data as Float32Array]));
    },
    nothing: () => Object.fromEntries(session.inputMetadata.map(zeros)),
    release: () => session.release(),
  };
}
