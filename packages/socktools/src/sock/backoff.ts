/** Delays between attempts, in milliseconds. */
export interface Backoff {
  readonly first: number
  readonly max: number
  /** A connection that held for so long was healthy: the next failure counts as the first again. */
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
