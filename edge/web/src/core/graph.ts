// One way to run a network, so that the core does not know which runtime is below it.
export interface Tensor {
  readonly data: Float32Array | Int32Array;
  readonly dims: readonly number[];
}

/** A loaded graph. Arrays that `run` returns belong to the caller. */
export interface Graph {
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly outputs: Readonly<Record<string, readonly number[]>>;
  run(feeds: Readonly<Record<string, Tensor>>): Promise<Record<string, Float32Array>>;
  /** Inputs of zeros. */
  nothing(): Record<string, Tensor>;
  release(): Promise<void>;
}

export const count = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);
