/** How long to wait between attempts. */
export interface BackoffOptions {
  /** The longest first wait, in milliseconds. */
  readonly firstMs: number;
  /** What each further wait is multiplied with. */
  readonly factor: number;
  /** The longest wait, in milliseconds. */
  readonly maxMs: number;
  /** The share of each wait that chance may take away, from 0 to 1: clients must not return all at once. */
  readonly jitter: number;
}

/** Quick at first, since most interruptions are short; then at most four times a minute. */
export const DEFAULT_BACKOFF: BackoffOptions = { firstMs: 300, factor: 2, maxMs: 15_000, jitter: 0.5 };

/** Exponential back-off with jitter. Pure: chance is given. */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: () => number;
  #attempts = 0;

  /** @param random yields numbers from 0 (included) to 1 (excluded). */
  constructor(options: BackoffOptions, random: () => number) {
    this.#options = options;
    this.#random = random;
  }

  /** How many waits there were since the last success. */
  get attempts(): number {
    return this.#attempts;
  }

  /** The next wait, in milliseconds. */
  next(): number {
    const { firstMs, factor, maxMs, jitter } = this.#options;
    const longest = Math.min(maxMs, firstMs * factor ** this.#attempts);
    this.#attempts += 1;
    return longest * (1 - jitter * this.#random());
  }

  /** To be called after a success: the next wait is a first one again. */
  reset(): void {
    this.#attempts = 0;
  }
}
