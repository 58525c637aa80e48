import type { Platform } from '../platform/platform.ts'

/** Delays between attempts, in milliseconds. */
export interface Backoff {
  readonly first: number
  readonly max: number
  /**
   * A connection that held for so long was healthy: the next failure counts as the first again. So was one over which a
   * session moved on, however short.
   */
  readonly healthy: number
}

export const DEFAULT_BACKOFF: Backoff = { first: 100, max: 30_000, healthy: 10_000 }

/**
 * Full jitter (Brooker, "Exponential Backoff And Jitter"): uniform between 0 and a ceiling that doubles with
 * each failure, so that many who failed together do not come back together.
 *
 * @param failures in a row, from 1.
 * @param random uniform in [0, 1).
 */
export function backoffDelay(failures: number, { first, max }: Backoff, random: number): number {
  return random * Math.min(max, first * 2 ** Math.min(failures - 1, 30))
}

/** The failures in a row of one that dials again and again, and how long it waits after each. */
export class Failures {
  readonly #backoff: Backoff
  readonly #platform: Pick<Platform, 'now' | 'random'>
  #count = 0
  /** Over before it was up: it never held. */
  #upSince = Infinity

  constructor(backoff: Backoff, platform: Pick<Platform, 'now' | 'random'>) {
    this.#backoff = backoff
    this.#platform = platform
  }

  /** A connection came up. That alone says little: whoever takes and drops us at once is waited for ever longer. */
  up(): void {
    this.#upSince = this.#platform.now()
  }

  /** It is over. `moved`: something of the application's got through. */
  over(moved: boolean): void {
    if (moved || this.#platform.now() - this.#upSince >= this.#backoff.healthy) this.#count = 0
    this.#upSince = Infinity
  }

  /** One more. How long to wait now. */
  next(): number {
    return backoffDelay(++this.#count, this.#backoff, this.#platform.random())
  }
}
