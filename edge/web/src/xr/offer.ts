// Shows the headset buttons where a headset with hand tracking can be reached.
import type { App } from "../ui/app";

const MODES = { ar: "immersive-ar", vr: "immersive-vr" } as const;

export async function offerHeadset(app: App): Promise<void> {
  const { xr } = navigator;
  if (!xr) return;
  for (const [id, mode] of Object.entries(MODES)) {
    if (!(await xr.isSessionSupported(mode).catch(() => false))) continue;
    const button = document.getElementById(id) as HTMLButtonElement;
    button.hidden = false;
    button.disabled = !app.info;
    button.addEventListener("click", () => {
      void app.guarded(async () => {
        const { HeadsetSource } = await import("./session");
        await app.run(await HeadsetSource.enter(mode, app));
      });
    });
  }
}
