/*
 * The exchange of the demo, on the plain wire. On each connection both sides do the same at once:
 *
 *   1. their name
 *   2. `numbered` messages: the text "A>B 0", "A>B 1" … from A to B
 *   3. the lines of the file `text`, without their LF
 *   4. frames of `sizes`, cut from pseudo-random bytes
 *   5. 64 hex digits: the SHA-256 of 2 to 4 as they are on the wire, lengths and payloads
 *
 * The receiver checks every number, and its own SHA-256 against the sender's. A party tells the coordinator by
 * one line of JSON each where it listens ({ listening }) and how each exchange went ({ result }).
 * interop/python/demo.py does all of this again in Python.
 */

/** What one party is to do. */
export interface Plan {
  readonly name: string
  /** How many will connect, and where to listen for them if there are any. */
  readonly accept: number
  readonly listen: string
  readonly dial: readonly string[]
  readonly numbered: number
  /** A file. */
  readonly text: string
  readonly sizes: readonly number[]
  /** What this party does wrong on purpose, towards everyone: a check that cannot fail proves nothing. */
  readonly fault?: Fault | undefined
}

/** Change a byte, swap two messages, leave one out, never finish, or die midway. */
export type Fault = 'flip' | 'swap' | 'drop' | 'hang' | 'crash'

/** How the exchange with one peer went, as one side of it saw it. */
export interface Result {
  readonly peer: string
  /** Received; the payloads' bytes. */
  readonly messages: number
  readonly bytes: number
  /** SHA-256 of what was sent and of what was received. */
  readonly sent: string
  readonly received: string
  /** What was wrong, if anything. */
  readonly why: string | null
  readonly seconds: number
}

/** What a party says, a line each. */
export type Report<R = Result> = { readonly listening: string } | { readonly result: R }

const LARGEST = 8 * 1024 * 1024

/**
 * Frame sizes that add up to `total`: an empty one and the largest for sure, the others random by order of
 * magnitude. The same on each run.
 */
export function frameSizes(total: number): number[] {
  const random = seeded(64)
  const sizes = [0, Math.min(total, LARGEST)]
  for (let left = total - Math.min(total, LARGEST); left > 0; left -= sizes.at(-1) ?? 0) {
    sizes.push(Math.min(left, Math.floor(LARGEST ** random()) - 1))
  }
  return sizes.sort(() => random() - 0.5)
}

/** Mulberry32 (Tommy Ettinger): numbers in [0, 1), the same ones for the same seed. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
