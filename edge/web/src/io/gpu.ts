// Graphs by onnxruntime-web's WebGPU build: for the hand networks alone, and fetched only where there is a GPU.
import * as ort from "onnxruntime-web/webgpu";
import type { OpenGraph } from "../recognisers";
import { opener } from "./graphs";

ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";

export const openOnGpu: OpenGraph = opener(ort, "webgpu");
