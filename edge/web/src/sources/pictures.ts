// Pictures of a camera or a video file, shrunk to what the hand networks can use.
import { SourceError } from "../errors";
import type { Picture } from "../protocol";
import { type Intake, nanoseconds, type Source } from "./source";

/** Longer side of a picture that is read: the networks look at 192 and 224 pixels. */
const LONGEST = 640;

class Grabber {
  private readonly canvas = new OffscreenCanvas(2, 2);
  private readonly context = this.canvas.getContext("2d", { willReadFrequently: true })!;

  grab(video: HTMLVideoElement): Picture {
    const scale = Math.min(1, LONGEST / Math.max(video.videoWidth, video.videoHeight));
    const width = Math.max(16, Math.round(video.videoWidth * scale));
    const height = Math.max(16, Math.round(video.videoHeight * scale));
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    this.context.drawImage(video, 0, 0, width, height);
    return { data: this.context.getImageData(0, 0, width, height).data as Picture["data"], width, height };
  }
}

/** The next picture that the video shows, with its time in seconds; null when it has ended or was stopped. */
function nextFrame(video: HTMLVideoElement, signal: AbortSignal): Promise<VideoFrameCallbackMetadata | null> {
  return new Promise((done) => {
    const over = () => done(null);
    video.addEventListener("ended", over, { once: true });
    signal.addEventListener("abort", over, { once: true });
    video.requestVideoFrameCallback((_, metadata) => {
      video.removeEventListener("ended", over);
      signal.removeEventListener("abort", over);
      done(metadata);
    });
    if (video.ended || signal.aborted) over();
  });
}

abstract class VideoSource implements Source {
  readonly appearanceDigest = "";
  readonly pictures = true;
  missed = 0;
  private readonly grabber = new Grabber();
  protected shown = 0;

  constructor(protected readonly video: HTMLVideoElement) {}

  abstract run(intake: Intake, signal: AbortSignal): Promise<void>;

  protected read(intake: Intake, t: number, metadata: VideoFrameCallbackMetadata): Promise<void> {
    this.missed += Math.max(metadata.presentedFrames - this.shown - 1, 0);
    this.shown = metadata.presentedFrames;
    return intake.picture(nanoseconds(t), this.grabber.grab(this.video));
  }
}

/** A camera: what comes while a picture is being read is left out, and counted. */
export class CameraSource extends VideoSource {
  readonly live = true;

  async run(intake: Intake, signal: AbortSignal): Promise<void> {
    let stream: MediaStream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } } });
    } catch (error) {
      const reason = error instanceof DOMException ? error.name : String(error);
      const why: Record<string, string> = {
        NotAllowedError: "this page was not allowed to use it: allow it in the browser's site settings",
        NotFoundError: "there is none: connect one",
        NotReadableError: "another program is using it: close that program",
      };
      throw new SourceError(`The camera cannot be used: ${why[reason] ?? reason}.`);
    }
    this.video.srcObject = stream;
    try {
      await this.video.play();
      this.shown = 0;
      for (let frame = await nextFrame(this.video, signal); frame; frame = await nextFrame(this.video, signal)) {
        if (!this.shown) this.shown = frame.presentedFrames - 1;
        await this.read(intake, frame.captureTime ?? performance.now(), frame);
      }
    } finally {
      for (const track of stream.getTracks()) track.stop();
      this.video.srcObject = null;
    }
  }
}

/** A video file: it waits while a picture is being read, so that none is left out. */
export class FileSource extends VideoSource {
  constructor(video: HTMLVideoElement, private readonly file: File) {
    super(video);
  }

  async run(intake: Intake, signal: AbortSignal): Promise<void> {
    const { video } = this;
    const url = URL.createObjectURL(this.file);
    video.src = url;
    try {
      await new Promise<void>((done, failed) => {
        video.onloadeddata = () => done();
        video.onerror = () => failed(new SourceError(`${this.file.name} is not a video that this browser plays.`));
      });
      let frame = nextFrame(video, signal);
      await video.play();
      for (let now = await frame; now; now = await frame) {
        video.pause();
        await this.read(intake, now.mediaTime * 1e3, now);
        frame = nextFrame(video, signal);
        if (!video.ended && !signal.aborted) await video.play().catch(() => undefined);
      }
    } finally {
      video.removeAttribute("src");
      video.load();
      URL.revokeObjectURL(url);
    }
  }
}
