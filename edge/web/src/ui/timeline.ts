// What has been said so far, as bars on lanes (edge/timeline.py): the newest revision of each caption and gesture.
import type { Caption, FigopEvent } from "../core/events";
import { type FingerEvent, FINGERS, sameList } from "../core/score";

export interface Bar {
  readonly event: FingerEvent;
  readonly final: boolean;
  readonly running: boolean;
}

export class Timeline {
  private readonly captions = new Map<string, Caption>();
  private readonly gestures = new Map<string, { event: FingerEvent; over: boolean }>();

  add(events: readonly FigopEvent[]): void {
    for (const e of events) {
      if (e.type === "caption") {
        this.captions.delete(e.id); // the newest revision stands last
        this.captions.set(e.id, e);
      } else if (e.type === "gesture_end" && e.confidence === 0) this.gestures.delete(e.id); // withdrawn
      else if ((e.type === "gesture_start" || e.type === "gesture_end") && e.event) {
        this.gestures.set(e.id, { event: e.event, over: e.type === "gesture_end" });
      }
    }
  }

  clear(): void {
    this.captions.clear();
    this.gestures.clear();
  }

  /** Final captions in order of time. */
  finals(): Caption[] {
    return [...this.captions.values()].filter((c) => c.final && c.text).sort((a, b) => a.tStart - b.tStart || a.tEnd - b.tEnd);
  }

  /** The caption of the phrase that still runs. */
  provisional(): Caption | null {
    return [...this.captions.values()].findLast((c) => !c.final) ?? null;
  }

  /** Every finger event once: a caption's score, and the gestures that no caption has taken up yet. */
  bars(): Bar[] {
    const bars: Bar[] = [...this.captions.values()].flatMap((c) => c.score.map((event) => ({ event, final: c.final, running: false })));
    const said = bars.map((b) => b.event);
    for (const { event, over } of this.gestures.values()) {
      if (!said.some((o) => alike(event, o, !over))) bars.push({ event, final: over, running: !over });
    }
    return bars.filter((b) => b.event.motion !== "rest").sort((a, b) => a.event.start - b.event.start);
  }
}

function alike(a: FingerEvent, b: FingerEvent, running: boolean): boolean {
  const overlap = a.start <= b.end && (running || b.start <= a.end);
  return overlap && a.hand === b.hand && a.motion === b.motion && sameList(a.fingers, b.fingers);
}

/** The words on a bar: motion, direction or contact, repetition; in the page's language, or the score's own. */
export function barLabel(e: FingerEvent, words: Readonly<Record<string, string>> = {}): string {
  const say = (word: string) => words[word] ?? word;
  const said = [say(e.motion)];
  if (e.direction) said.push(say(e.direction));
  if (e.contact && !(e.contact === "thumb" && (e.motion === "pinch" || e.motion === "release"))) said.push(`· ${say(e.contact)}`);
  if (e.repeat > 1) said.push(`×${e.repeat}`);
  return said.join(" ");
}

/** Lane numbers 0..4 = the fingers, 5 = the whole hand. */
export function lanesOf(e: FingerEvent): number[] {
  return e.fingers.length ? e.fingers.map((f) => FINGERS.indexOf(f)) : [FINGERS.length];
}

/** 0:03.2. */
export function clock(seconds: number): string {
  const tenths = Math.max(0, Math.round(seconds * 10));
  return `${Math.trunc(tenths / 600)}:${String(Math.trunc((tenths % 600) / 10)).padStart(2, "0")}.${tenths % 10}`;
}
