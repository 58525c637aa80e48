import { xoshiro128 } from '../../src/testing/sim-platform.ts'

/** 0 to `below - 1`. */
export type Dice = (below: number) => number

/** The same numbers for the same seed. */
export function diceOf(seed: number): Dice {
  const random = xoshiro128(seed)
  return (below) => Math.floor(random() * below)
}
