import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

/** Writes sw.js with the list of the files that it keeps: all but what is loaded on demand only. */
function serviceWorker(): Plugin {
  return {
    name: "figop-service-worker",
    apply: "build",
    async generateBundle(_, bundle) {
      const names = Object.keys(bundle).filter((n) => n.startsWith("assets/") && !/gpu-|asyncify/.test(n)).sort();
      const files = ["./", "./app.webmanifest", "./icon.svg", ...names.map((n) => `./${n}`)];
      const digest = createHash("sha256");
      for (const name of Object.keys(bundle).sort()) {
        const file = bundle[name]!;
        digest.update(name).update(file.type === "asset" ? file.source : file.code);
      }
      const { transformWithOxc } = await import("vite");
      const source = readFileSync(new URL("src/sw.ts", import.meta.url), "utf8");
      const { code } = await transformWithOxc(source, "sw.ts");
      const head = `const FIGOP_FILES = ${JSON.stringify(files)};\nconst FIGOP_BUILD = ${JSON.stringify(digest.digest("hex").slice(0, 16))};\n`;
      this.emitFile({ type: "asset", fileName: "sw.js", source: head + code });
    },
  };
}

/** Lays a .gz beside every file that shrinks by it, so that no server has to do it while somebody waits; of the runtimes
 * (41 MB) only the .gz stays, which is what a wheel carries. */
function compressed(): Plugin {
  return {
    name: "figop-compressed",
    apply: "build",
    enforce: "post",
    closeBundle() {
      const out = new URL("dist/", import.meta.url);
      for (const name of readdirSync(out, { recursive: true, encoding: "utf8" })) {
        if (/\.(js|css|html|wasm|svg|webmanifest)$/.test(name)) {
          writeFileSync(new URL(`${name}.gz`, out), gzipSync(readFileSync(new URL(name, out)), { level: 9 }));
          if (name.endsWith(".wasm")) rmSync(new URL(name, out));
        }
      }
    },
  };
}

export default defineConfig({
  base: "./",
  plugins: [serviceWorker(), compressed()],
  build: { target: "es2023", sourcemap: false, chunkSizeWarningLimit: 800, assetsInlineLimit: 0 },
  worker: { format: "es" },
  server: { fs: { allow: ["../.."] } },
  // in Node; what needs a browser has a configuration of its own
  test: { include: ["test/*.test.ts"] },
} as import("vite").UserConfig);
