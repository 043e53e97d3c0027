// A headset session: hands of WebXR in, captions in the room out.
import type { HandFrame } from "../core/frame";
import { FigopError, SourceError } from "../errors";
import { type Intake, nanoseconds, type Source } from "../sources/source";
import type { App } from "../ui/app";
import { type HandJoints, JointReader, JOINTS, type Point } from "./joints";
import { multiply, Panel } from "./panel";

/** Frames that may wait for the captioner; beyond it the oldest are left out. */
const WAITING = 45;

export class HeadsetSource implements Source {
  readonly view = "egocentric";
  readonly mirrored = false;
  readonly appearanceDigest = "";
  readonly pictures = false;
  missed = 0;
  private readonly reader = new JointReader();
  private readonly panel: Panel;
  private waiting: HandFrame[] = [];
  private busy: Promise<void> | null = null;
  private failed: unknown = null;

  private constructor(
    private readonly session: XRSession, private readonly space: XRReferenceSpace,
    private readonly gl: WebGL2RenderingContext, private readonly layer: XRWebGLLayer, private readonly app: App,
  ) {
    this.panel = new Panel(gl);
  }

  /** Begin a session; a click has to have asked for it. Throws SourceError where there is none. */
  static async enter(mode: "immersive-ar" | "immersive-vr", app: App): Promise<HeadsetSource> {
    const canvas = document.createElement("canvas");
    const gl = canvas.getContext("webgl2", { xrCompatible: true, alpha: true });
    if (!gl) throw new SourceError("The headset session needs WebGL, which this browser does not give.");
    let session: XRSession;
    try {
      session = await navigator.xr!.requestSession(mode, { requiredFeatures: ["hand-tracking", "local"] });
    } catch (error) {
      throw new SourceError(
        `The headset session with hand tracking was refused (${error instanceof Error ? error.message : error}): ` +
          "allow hand tracking in the headset's settings and for this site.",
      );
    }
    await gl.makeXRCompatible();
    const layer = new XRWebGLLayer(session, gl);
    await session.updateRenderState({ baseLayer: layer });
    return new HeadsetSource(session, await session.requestReferenceSpace("local"), gl, layer, app);
  }

  async run(intake: Intake, signal: AbortSignal): Promise<void> {
    const over = new Promise<void>((done) => this.session.addEventListener("end", () => done(), { once: true }));
    const end = () => void this.session.end().catch(() => undefined);
    signal.addEventListener("abort", end, { once: true });
    this.app.screen = this.panel;
    const step = (time: number, frame: XRFrame) => {
      if (this.failed) return end();
      this.session.requestAnimationFrame(step);
      this.step(time, frame, intake);
    };
    this.session.requestAnimationFrame(step);
    await over;
    this.app.screen = null;
    await this.busy;
    if (this.failed) throw this.failed instanceof Error ? this.failed : new FigopError(String(this.failed));
    if (this.waiting.length) await intake.frames(this.waiting.splice(0));
  }

  private step(time: number, frame: XRFrame, intake: Intake): void {
    const viewer = frame.getViewerPose(this.space);
    if (!viewer) return;
    const hands: [HandJoints, HandJoints] = [null, null];
    for (const input of this.session.inputSources) {
      if (!input.hand || input.handedness === "none") continue;
      hands[input.handedness === "left" ? 0 : 1] = this.joints(frame, input.hand);
    }
    const head = viewer.transform;
    this.waiting.push(this.reader.read(nanoseconds(time), head, hands));
    if (this.waiting.length > WAITING) {
      this.waiting.shift();
      this.missed += 1;
    }
    if (!this.busy) {
      const due = this.waiting.splice(0);
      this.busy = intake.frames(due).catch((error: unknown) => void (this.failed = error)).finally(() => (this.busy = null));
    }
    const wrist: Point | undefined = (hands[1] ?? hands[0])?.[0];
    this.panel.follow(wrist ?? null, head.position);
    this.draw(viewer);
  }

  private joints(frame: XRFrame, hand: XRHand): HandJoints {
    const points: Point[] = [];
    for (const name of JOINTS) {
      const space = hand.get(name);
      const pose = space && frame.getJointPose?.(space, this.space);
      if (!pose) return null;
      const { x, y, z } = pose.transform.position;
      points.push({ x, y, z });
    }
    return points;
  }

  private draw(viewer: XRViewerPose): void {
    const { gl, layer } = this;
    gl.bindFramebuffer(gl.FRAMEBUFFER, layer.framebuffer);
    const ar = this.session.environmentBlendMode && this.session.environmentBlendMode !== "opaque";
    gl.clearColor(ar ? 0 : 0.03, ar ? 0 : 0.04, ar ? 0 : 0.06, ar ? 0 : 1);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    for (const view of viewer.views) {
      const port = layer.getViewport(view);
      if (!port) continue;
      gl.viewport(port.x, port.y, port.width, port.height);
      this.panel.draw(multiply(view.projectionMatrix, view.transform.inverse.matrix));
    }
  }
}
