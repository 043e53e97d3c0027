// Arrays of an .npz file as numpy writes them (format 1-3, little endian, C order; numbers, booleans, texts).
import { unzip } from "../bundle/zip";
import { SourceError } from "../errors";

export type Kind = "f" | "i" | "u" | "b" | "U";
export interface NpyArray {
  readonly kind: Kind;
  readonly shape: readonly number[];
  /** Numbers as floats, integers as bigints where they are of 64 bits, texts as strings. */
  readonly data: Float64Array | BigInt64Array | string[];
}

const BOUNDS = { files: 64, bytes: 256 << 20, total: 512 << 20 };

export function readNpz(bytes: Uint8Array, name: string): Map<string, NpyArray> {
  const files = unzip(bytes, BOUNDS, `The recording ${name}`, (text) => new SourceError(text));
  const out = new Map<string, NpyArray>();
  for (const [file, data] of files) out.set(file.replace(/\.npy$/, ""), readNpy(data, `${name}: ${file}`));
  return out;
}

function readNpy(bytes: Uint8Array, where: string): NpyArray {
  const bad = (why: string) => new SourceError(`${where} is not an array that figop reads: ${why}.`);
  if (bytes.length < 10 || String.fromCharCode(...bytes.subarray(1, 6)) !== "NUMPY") throw bad("it has no numpy header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = bytes[6]! > 1;
  const length = wide ? view.getUint32(8, true) : view.getUint16(8, true);
  const start = (wide ? 12 : 10) + length;
  if (start > bytes.length) throw bad("its header is cut short");
  const header = new TextDecoder("latin1").decode(bytes.subarray(wide ? 12 : 10, start));
  const descr = /'descr':\s*'([<>|=])([fiubU])(\d+)'/.exec(header);
  const shaped = /'shape':\s*\(([^)]*)\)/.exec(header);
  if (!descr || !shaped) throw bad("its header is of another kind");
  if (/'fortran_order':\s*True/.test(header)) throw bad("it is in Fortran order");
  const [, order, kind, widthText] = descr as unknown as [string, string, Kind, string];
  const width = Number(widthText);
  if (order === ">" ) throw bad("it is big endian");
  const shape = shaped[1]!.split(",").map((s) => s.trim()).filter(Boolean).map(Number);
  const n = shape.reduce((a, b) => a * b, 1);
  const size = kind === "U" ? 4 * width : width;
  if (!shape.every(Number.isSafeInteger) || start + n * size > bytes.length) throw bad("it is cut short");
  const at = (i: number) => start + i * size;
  if (kind === "U") {
    const data = Array.from({ length: n }, (_, i) => {
      let text = "";
      for (let k = 0; k < width; k++) {
        const code = view.getUint32(at(i) + 4 * k, true);
        if (code) text += String.fromCodePoint(Math.min(code, 0x10ffff));
      }
      return text;
    });
    return { kind, shape, data };
  }
  if ((kind === "i" || kind === "u") && width === 8) {
    const data = new BigInt64Array(n);
    for (let i = 0; i < n; i++) data[i] = view.getBigInt64(at(i), true);
    return { kind, shape, data };
  }
  const readers: Record<string, (o: number) => number> = {
    f4: (o) => view.getFloat32(o, true), f8: (o) => view.getFloat64(o, true),
    i1: (o) => view.getInt8(o), i2: (o) => view.getInt16(o, true), i4: (o) => view.getInt32(o, true),
    u1: (o) => view.getUint8(o), u2: (o) => view.getUint16(o, true), u4: (o) => view.getUint32(o, true),
    b1: (o) => view.getUint8(o),
  };
  const read = readers[kind + width];
  if (!read) throw bad(`it holds ${kind}${width}`);
  const data = new Float64Array(n);
  for (let i = 0; i < n; i++) data[i] = read(at(i));
  return { kind, shape, data };
}
