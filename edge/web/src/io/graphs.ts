// What opens graphs by one of ONNX Runtime's builds.
import type * as ort from "onnxruntime-web";
import { count, type Graph, type Tensor } from "../core/graph";
import { BundleError } from "../errors";
import type { OpenGraph } from "../recognisers";

/** Throws BundleError where the runtime cannot. */
export function opener(runtime: typeof ort, provider: "wasm" | "webgpu"): OpenGraph {
  return (data, name) => openGraph(runtime, provider, data, name);
}

async function openGraph(runtime: typeof ort, provider: "wasm" | "webgpu", data: Uint8Array, name: string): Promise<Graph> {
  let session: ort.InferenceSession;
  try {
    session = await runtime.InferenceSession.create(data, { executionProviders: [provider], graphOptimizationLevel: "all" });
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new BundleError(`${name} is not a model that ONNX Runtime can load: ${reason}.`);
  }
  const shapes = (rows: readonly ort.InferenceSession.ValueMetadata[]) =>
    Object.fromEntries(rows.map((r) => [r.name, r.isTensor ? r.shape.map((n) => (typeof n === "number" ? n : -1)) : []]));
  const wrap = (t: Tensor) =>
    t.data instanceof Int32Array ? new runtime.Tensor("int32", t.data, t.dims) : new runtime.Tensor("float32", t.data, t.dims);
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
