// How sure the student may be of an event (edge/confidence.py): a logistic model of what its heads said.
export const MEASURES = ["mean", "weakest", "second", "seconds", "attributes", "others"] as const;

/** A confidence whose log-odds are divided by the temperature. */
export function softened(confidence: number, temperature: number): number {
  if (temperature === 1) return confidence;
  const p = Math.min(Math.max(confidence, 1e-4), 1 - 1e-4);
  return 1 / (1 + Math.exp(-Math.log(p / (1 - p)) / temperature));
}

export class Confidence {
  private readonly weights: readonly number[];
  private readonly motions: Readonly<Record<string, number>>;

  /** From a bundle. Throws TypeError where it does not fit this version. */
  constructor(data: { weights: Record<string, number>; motions: Record<string, number> }) {
    this.weights = MEASURES.map((name) => Number(data.weights[name]));
    this.motions = data.motions;
    if (![...this.weights, this.motions[""]].every((v) => typeof v === "number" && isFinite(v))) {
      throw new TypeError("the confidence's weights are not those of this version");
    }
  }

  /** Probability (0..1) that an event of this motion with these measures is right. */
  of(motion: string, measures: readonly number[]): number {
    const odds = this.weights.reduce((sum, w, i) => sum + w * measures[i]!, 0) + (this.motions[motion] ?? this.motions[""]!);
    return 1 / (1 + Math.exp(-Math.min(Math.max(odds, -30), 30)));
  }
}

/** `MEASURES` of an event. motions [T][motions]: probabilities while it lasts. */
export function measures(
  motions: readonly (readonly number[])[], motion: number, seconds: number, attributes: number, others: number,
): number[] {
  const own = motions.map((row) => Math.min(Math.max(row[motion]!, 1e-4), 1 - 1e-4));
  const rest = motions.map((row) => Math.max(...row.filter((_, i) => i !== 0 && i !== motion)));
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const weakest = [...own].sort((a, b) => a - b).slice(0, Math.max(own.length >> 2, 1));
  return [
    mean(own.map((p) => Math.log(p / (1 - p)))),
    mean(weakest.map(Math.log)),
    mean(rest.map((p) => Math.log(Math.max(p, 1e-4)))) / 5,
    Math.min(seconds, 1.5),
    Math.max(attributes, -3),
    others,
  ];
}
