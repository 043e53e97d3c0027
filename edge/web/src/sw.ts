// Service worker: the app's own files by their hashed names, the bundle by its manifest.
/** Written by the build: every file of the app that is not fetched on demand only, and a digest of all. */
declare const FIGOP_FILES: readonly string[];
declare const FIGOP_BUILD: string;

const worker = self as unknown as ServiceWorkerGlobalScope;
const APP = `figop-app-${FIGOP_BUILD}`;
const BUNDLE = "figop-bundle";

worker.addEventListener("install", (event) => {
  event.waitUntil(caches.open(APP).then((cache) => cache.addAll(FIGOP_FILES as string[])).then(() => worker.skipWaiting()));
});

worker.addEventListener("activate", (event) => {
  const tidy = async () => {
    for (const name of await caches.keys()) if (name.startsWith("figop-app-") && name !== APP) await caches.delete(name);
    await worker.clients.claim();
  };
  event.waitUntil(tidy());
});

/** A page says which files of a bundle it uses; what was kept of another bundle before is let go. */
worker.addEventListener("message", (event) => {
  const urls = (event.data as { keep?: string[] }).keep;
  if (!urls) return;
  const keep = async () => {
    const cache = await caches.open(BUNDLE);
    await cache.addAll(urls);
    const folder = new URL("./", urls[0]).href;
    for (const held of await cache.keys()) if (!held.url.startsWith(folder)) await cache.delete(held);
    event.ports[0]?.postMessage(true);
  };
  event.waitUntil(keep().catch(() => event.ports[0]?.postMessage(false)));
});

worker.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== worker.location.origin) return;
  event.respondWith(answer(event.request, url));
});

async function answer(request: Request, url: URL): Promise<Response> {
  const scope = new URL(worker.registration.scope).pathname;
  const path = url.pathname.slice(scope.length);
  const hashed = path.startsWith("assets/");
  const app = await caches.open(APP);
  const kept = (await app.match(path === "" || path === "index.html" ? "./" : request, { ignoreSearch: true })) ??
    (await (await caches.open(BUNDLE)).match(request, { ignoreSearch: true }));
  // names with a digest never change their content; all else is asked for anew while there is a network
  if (kept && hashed) return kept;
  try {
    const fresh = await fetch(request);
    // what is fetched on demand only (hand networks, the GPU's runtime) is kept from its first use on
    if (fresh.ok && hashed) await app.put(request, fresh.clone());
    if (fresh.ok && path.endsWith(".onnx")) await (await caches.open(BUNDLE)).put(request, fresh.clone());
    if (fresh.ok || !kept) return fresh;
  } catch (error) {
    if (!kept) throw error;
  }
  return kept!;
}
