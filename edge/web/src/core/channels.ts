// One measured quantity over time -> monotone runs (edge/channels.py): a causal zig-zag with a moving base.
const SECOND_DIFFERENCE = 1.954;
const JITTER_S = 0.4;
const JITTER_LEAVE = 2.2;
const TAIL = 0.247 / 0.506;

export interface ChannelSettings {
  readonly leave: number;
  readonly turn: number;
  readonly settleS: number;
  readonly baseS: number;
  readonly smoothS: number;
}

export function channelSettings(leave: number, turn: number, rest: Partial<ChannelSettings> = {}): ChannelSettings {
  return { leave, turn, settleS: 0.13, baseS: 1, smoothS: 0.03, ...rest };
}

/** A monotone run: from value `first` to `last`, from `start` to `end` seconds. */
export interface Run {
  readonly first: number;
  readonly last: number;
  readonly start: number;
  readonly end: number;
}

export const run = (first: number, last: number, start: number, end: number): Run => ({ first, last, start, end });
export const change = (r: Run): number => r.last - r.first;

/** Streaming state of one quantity. `push` returns the run that closed, if one did. */
export class Channel {
  private value = NaN;
  private t = 0;
  private raw = NaN;
  private raw2 = NaN;
  private jitter = 0;
  private leave = 0;
  private base = 0;
  private sign = 0;
  private best = 0;
  private bestT = 0;
  private mark = 0;
  private history: [number, number][] = [];

  constructor(readonly settings: ChannelSettings) {
    this.reset();
  }

  reset(): void {
    this.value = this.raw = this.raw2 = NaN;
    this.t = this.jitter = this.base = this.sign = this.best = this.bestT = this.mark = 0;
    this.leave = this.settings.leave;
    this.history = [];
  }

  /** When the open run last made visible progress, seconds. */
  get progressedAt(): number {
    return this.bestT;
  }

  /** The run that is still open, as it stands. */
  progress(): Run | null {
    return this.sign ? this.runTo(this.bestT) : null;
  }

  push(t: number, raw: number): Run | null {
    if (Number.isNaN(raw)) return null;
    const s = this.settings;
    if (Number.isNaN(this.value)) {
      this.value = this.base = this.raw = raw;
      this.t = t;
      this.history.push([t, raw]);
      return null;
    }
    const dt = Math.max(t - this.t, 1e-4);
    this.t = t;
    const bend = Math.abs(raw - 2 * this.raw + this.raw2);
    if (!Number.isNaN(bend)) {
      this.jitter += ((bend / SECOND_DIFFERENCE - this.jitter) * dt) / (dt + JITTER_S);
      this.leave = Math.max(s.leave, JITTER_LEAVE * this.jitter);
    }
    this.raw2 = this.raw;
    this.raw = raw;
    this.value += ((raw - this.value) * dt) / (dt + s.smoothS);
    const x = this.value;
    this.history.push([t, x]);
    if (this.sign === 0) {
      while (this.history[0]![0] < t - 0.5) this.history.shift();
      if (Math.abs(x - this.base) >= this.leave) {
        this.sign = x > this.base ? 1 : -1;
        this.best = this.mark = x;
        this.bestT = t;
      } else this.base += ((x - this.base) * dt) / (dt + s.baseS);
      return null;
    }
    if (this.sign * (x - this.best) > 0) {
      this.best = x;
      // progress must be visible, or tracker jitter on a plateau would keep the run open for ever
      if (this.sign * (x - this.mark) > 0.15 * this.leave) {
        this.mark = x;
        this.bestT = t;
      }
    }
    const back = this.sign * (this.best - x);
    const amplitude = Math.abs(this.best - this.base);
    if (back >= Math.max(s.turn, 0.25 * amplitude, this.leave)) {
      const closed = this.runTo(this.bestT);
      this.base = this.best;
      this.sign = -this.sign;
      this.history = this.history.filter((h) => h[0] >= closed.end - 0.1);
      this.best = this.mark = x;
      this.bestT = t;
      return closed;
    }
    if (t - this.bestT >= s.settleS) {
      const closed = this.runTo(this.bestT);
      this.base = x;
      this.sign = 0;
      return closed;
    }
    return null;
  }

  /** Close what is open: the stream ends here. */
  flush(): Run | null {
    if (!this.sign) return null;
    const closed = this.runTo(this.t);
    this.base = this.value;
    this.sign = 0;
    // what was told is over: the next run must not reach back into it
    this.history = this.history.filter((h) => h[0] >= closed.end);
    return closed;
  }

  /** The run up to tEnd with its times extrapolated to the ends of a minimum-jerk profile. */
  private runTo(tEnd: number): Run {
    const amplitude = this.best - this.base;
    let low = tEnd;
    let high = tEnd;
    for (let i = this.history.length - 1; i >= 0; i--) {
      const [when, x] = this.history[i]!;
      if (when > tEnd) continue;
      const share = (x - this.base) / amplitude;
      if (share >= 0.9) high = when;
      low = when;
      if (share <= 0.1) break;
    }
    const tail = TAIL * (high - low);
    const firstSeen = this.history.length ? this.history[0]![0] : low;
    return run(this.base, this.best, Math.max(low - tail, firstSeen), Math.min(high + tail, this.t));
  }
}
