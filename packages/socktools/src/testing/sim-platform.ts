import { nodePlatform } from '../platform/node.ts'
import type { Platform, Timer } from '../platform/platform.ts'
import { SimDisk } from './sim-disk.ts'

interface Event {
  readonly at: number
  /** Events of one time run in the order in which they were set. */
  readonly order: number
  fn: (() => void) | undefined
}

/** What the clock on the wall shows when virtual time begins: the first of January 2026. */
const EPOCH = 1_767_225_600_000

/**
 * A platform whose clock stands still until {@link run} moves it, and whose randomness comes from a seed:
 * the same seed and the same program give the same run, in no time at all.
 */
export class SimPlatform implements Platform {
  readonly random: () => number
  readonly disk: SimDisk
  /** Errors that reached the last resort. */
  readonly reports: Error[] = []
  #now = 0
  #order = 0
  readonly #heap: Event[] = []
  #deferred: (() => void)[] = []

  constructor(seed = 1) {
    this.random = xoshiro128(seed)
    this.disk = new SimDisk({ random: this.random, wallClock: () => EPOCH + this.#now })
  }

  readonly now = (): number => this.#now

  /** From the seed, as everything here: anybody can guess them. */
  readonly randomBytes = (length: number): Uint8Array =>
    Uint8Array.from({ length }, () => Math.floor(this.random() * 256))

  readonly hash = nodePlatform.hash

  readonly setTimer = (fn: () => void, ms: number): Timer => {
    const event = this.#add(fn, this.#now + Math.max(0, ms))
    return {
      cancel: () => {
        event.fn = undefined
      },
    }
  }

  readonly defer = (fn: () => void): void => {
    this.#deferred.push(fn)
  }

  readonly afterPoll = (fn: () => void): void => {
    this.#add(fn, this.#now)
  }

  readonly unlink = (): Promise<void> => Promise.resolve()

  readonly report = (error: Error): void => {
    this.reports.push(error)
  }

  /**
   * Runs `scenario` in virtual time until it settles, and gives what it gave. Throws when nothing is left to
   * happen while it still waits, or at `limit` milliseconds of virtual time (default: a day). `after` is called after
   * each event, once everything that it set off is done; what it throws ends the run.
   */
  async run<T>(
    scenario: () => Promise<T>,
    { limit = 86_400_000, after }: { readonly limit?: number; readonly after?: () => void } = {},
  ): Promise<T> {
    let settled = false
    const result = scenario().finally(() => {
      settled = true
    })
    result.catch(() => undefined)
    return new Promise((resolve, reject) => {
      // Without a promise of its own for each event, of which there are many.
      const turn = (): void => {
        try {
          const deferred = this.#deferred
          if (deferred.length > 0) {
            this.#deferred = []
            for (const fn of deferred) fn()
          } else {
            after?.()
            if (settled) {
              resolve(result)
              return
            }
            this.#happen(limit)
          }
          whenQuiet()
        } catch (thrown) {
          const why = thrown as Error
          reject(why)
        }
      }
      // A real nextTick runs after all microtasks, and there is no poll phase on the way. Only one that a microtask asks
      // for: those of one and the same tick come before them.
      const ask = (): void => nodePlatform.defer(turn)
      const whenQuiet = (): void => void QUIET.then(ask)
      whenQuiet()
    })
  }

  /** The next event, of those until `limit`. */
  #happen(limit: number): void {
    const event = this.#next()
    if (event === undefined)
      throw new Error(`the scenario waits for something that never happens, at ${this.#now} ms`)
    if (event.at > limit) throw new Error(`the scenario was not done after ${limit} ms`)
    this.#now = Math.max(this.#now, event.at)
    event.fn?.()
  }

  /** Virtual sleep. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.setTimer(resolve, ms)
    })
  }

  #add(fn: () => void, at: number): Event {
    const event: Event = { at, order: this.#order++, fn }
    const heap = this.#heap
    let i = heap.push(event) - 1
    while (i > 0) {
      const up = (i - 1) >> 1
      const parent = heap[up] as Event
      if (before(parent, event)) break
      heap[i] = parent
      i = up
    }
    heap[i] = event
    return event
  }

  /** Takes the earliest event that was not cancelled. */
  #next(): Event | undefined {
    for (;;) {
      const first = this.#pop()
      if (first?.fn !== undefined || first === undefined) return first
    }
  }

  #pop(): Event | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (last === undefined || last === first) return first
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      const right = heap[child + 1]
      if (right !== undefined && before(right, heap[child] as Event)) child++
      if (before(last, heap[child] as Event)) break
      heap[i] = heap[child] as Event
      i = child
    }
    heap[i] = last
    return first
  }
}

const QUIET = Promise.resolve()

const before = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

/** xoshiro128** (Blackman and Vigna), seeded through splitmix32. Not for secrets. */
export function xoshiro128(seed: number): () => number {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x9e3779b9) >>> 0
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return (z ^ (z >>> 15)) >>> 0
  }
  let [a, b, c, d] = [next(), next(), next(), next()]
  const rotl = (x: number, k: number): number => (x << k) | (x >>> (32 - k))
  return () => {
    const result = Math.imul(rotl(Math.imul(b, 5), 7), 9)
    const t = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= t
    d = rotl(d, 11)
    return (result >>> 0) / 2 ** 32
  }
}
