// A recording of landmarks: played at its own speed, or read as fast as possible.
import { type HandFrame, seconds, type View } from "../core/frame";
import type { Recording } from "../io/recording";
import type { Intake, Source } from "./source";

const CHUNK = 15;

export class RecordingSource implements Source {
  readonly pictures = false;

  constructor(private readonly recording: Recording, private readonly fast: boolean) {}

  get view(): View {
    return this.recording.view;
  }

  get mirrored(): boolean {
    return this.recording.mirrored;
  }

  get appearanceDigest(): string {
    return this.recording.appearanceDigest;
  }

  async run(intake: Intake, signal: AbortSignal): Promise<void> {
    const { frames } = this.recording;
    const first = frames[0];
    if (!first) return;
    const began = performance.now();
    for (let i = 0; i < frames.length && !signal.aborted; ) {
      const due: HandFrame[] = [];
      if (this.fast) due.push(...frames.slice(i, i + CHUNK));
      else {
        const at = seconds(first) + (performance.now() - began) / 1e3;
        while (frames[i + due.length] && seconds(frames[i + due.length]!) <= at) due.push(frames[i + due.length]!);
      }
      i += due.length;
      if (due.length) await intake.frames(due);
      else await new Promise((next) => setTimeout(next, 8));
    }
  }
}
