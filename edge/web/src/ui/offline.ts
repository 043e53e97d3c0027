// The service worker: keeps the app and the bundle, so that the page loads without a network.

/** Register it, where the browser has secure contexts; localhost counts as one. */
export async function register(): Promise<void> {
  if (!("serviceWorker" in navigator) || import.meta.env.DEV) return;
  try {
    await navigator.serviceWorker.register("./sw.js", { scope: "./" });
  } catch (error) {
    // a certificate that the browser does not trust: the page works, but not offline
    console.info("figop is not kept for offline use:", error);
  }
}

/** Have the files of the open bundle kept; false where nothing keeps them. */
export async function keepOffline(urls: readonly string[]): Promise<boolean> {
  if (!("serviceWorker" in navigator) || import.meta.env.DEV) return false;
  const found = await Promise.race([navigator.serviceWorker.ready, new Promise<null>((none) => setTimeout(none, 20_000, null))]);
  const worker = found?.active;
  if (!worker) return false;
  const channel = new MessageChannel();
  return new Promise((done) => {
    channel.port1.onmessage = ({ data }) => done(Boolean(data));
    worker.postMessage({ keep: urls.map((url) => new URL(url, location.href).href) }, [channel.port2]);
  });
}
