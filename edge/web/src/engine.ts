// The page's side of the worker: requests are promises.
import { FigopError } from "./errors";
import type { Answer, Reply, Request } from "./protocol";

export class EngineClient {
  private readonly worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  private readonly waiting = new Map<number, { done: (a: Answer) => void; failed: (e: Error) => void }>();
  private next = 0;

  constructor() {
    this.worker.onmessage = ({ data }: MessageEvent<Reply>) => {
      const promise = this.waiting.get(data.id);
      this.waiting.delete(data.id);
      if ("error" in data) promise?.failed(new FigopError(data.error));
      else promise?.done(data.answer);
    };
    this.worker.onerror = (event) => {
      for (const { failed } of this.waiting.values()) failed(new FigopError(`The worker stopped: ${event.message}`));
      this.waiting.clear();
    };
  }

  /** How many requests are not answered yet. */
  get pending(): number {
    return this.waiting.size;
  }

  ask(request: Request, transfer: Transferable[] = []): Promise<Answer> {
    const id = this.next++;
    return new Promise((done, failed) => {
      this.waiting.set(id, { done, failed });
      this.worker.postMessage({ id, request }, transfer);
    });
  }
}
