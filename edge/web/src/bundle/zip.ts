// Zip archives (.figop, .npz) without trusting them: names, counts and sizes are bounded before anything is unpacked.
import { unzipSync } from "fflate";
import { FigopError } from "../errors";

export interface Bounds {
  readonly files: number;
  readonly bytes: number;
  readonly total: number;
}

/** The files of a zip. `what` begins the sentence of an error; `fail` makes it. */
export function unzip(data: Uint8Array, bounds: Bounds, what: string, fail: (text: string) => FigopError): Map<string, Uint8Array> {
  const sizes = new Map<string, number>();
  let total = 0;
  let refused: FigopError | null = null;
  let files: Record<string, Uint8Array>;
  try {
    files = unzipSync(data, {
      filter: ({ name, originalSize }) => {
        if (name.endsWith("/")) return false;
        total += originalSize;
        if (sizes.has(name)) refused ??= fail(`${what} is refused: ${name} is in it twice.`);
        if (!safeName(name)) refused ??= fail(`${what} is refused: the name '${name}' leads out of it.`);
        if (originalSize > bounds.bytes || total > bounds.total) refused ??= fail(`${what} is refused: ${name} unpacks to ${originalSize} bytes.`);
        sizes.set(name, originalSize);
        if (sizes.size > bounds.files) refused ??= fail(`${what} is refused: it has more than ${bounds.files} files.`);
        return refused === null;
      },
    });
  } catch (error) {
    throw fail(`${what} is not a whole zip archive (${error instanceof Error ? error.message : error}): copy it again, or choose another.`);
  }
  if (refused) throw refused;
  return new Map(Object.entries(files));
}

/** Whether a name is a plain relative path that stays inside. */
export function safeName(name: string): boolean {
  const parts = name.split("/");
  return parts.every((p) => p !== "" && p !== "." && p !== "..") && !/[\\:*?"<>|\u0000-\u001f]/.test(name);
}
