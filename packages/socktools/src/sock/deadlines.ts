import type { Platform, Timer } from '../platform/platform.ts'

/** Takes a deadline back. Harmless when it has passed or was cancelled. */
export interface Deadline {
  cancel(): void
}

/** What a system timer can count. Beyond it Node's fire at once; one that is early is set again. */
const MAX_TIMER = 2 ** 31 - 1

/**
 * Every deadline of a sock on one timer. Deadlines that fall close together share a bucket, so setting and
 * cancelling one costs a set operation and no system timer.
 *
 * One fires when its time has come or up to 1/32 of its delay later (at least 4 ms), never before.
 */
export class Deadlines {
  readonly #platform: Platform
  /** When a bucket is due → what is to be called then. */
  readonly #buckets = new Map<number, Set<() => void>>()
  /** The bucket whose turn it is: what one of it cancels does not fire either. */
  #firing: Set<() => void> | undefined
  #timer: Timer | undefined
  #armedFor = Infinity

  constructor(platform: Platform) {
    this.#platform = platform
  }

  set(ms: number, fn: () => void): Deadline {
    const grain = grainOf(ms)
    const due = Math.ceil((this.#platform.now() + ms) / grain) * grain
    let bucket = this.#buckets.get(due)
    if (bucket === undefined) this.#buckets.set(due, (bucket = new Set()))
    const own = (): void => {
      fn()
    }
    bucket.add(own)
    if (due < this.#armedFor) this.#arm(due)
    return { cancel: () => this.#cancel(due, own) }
  }

  clear(): void {
    this.#buckets.clear()
    this.#firing?.clear()
    this.#disarm()
  }

  #cancel(due: number, own: () => void): void {
    this.#firing?.delete(own)
    const bucket = this.#buckets.get(due)
    if (bucket?.delete(own) !== true || bucket.size > 0) return
    this.#buckets.delete(due)
    // A timer left behind would keep the process alive for nothing.
    if (this.#buckets.size === 0) this.#disarm()
  }

  #arm(due: number): void {
    this.#timer?.cancel()
    this.#armedFor = due
    // Rounded up: a timer that is early by a fraction would find nothing due and arm itself again.
    const ms = Math.min(Math.max(0, Math.ceil(due - this.#platform.now())), MAX_TIMER)
    this.#timer = this.#platform.setTimer(() => {
      // The loop may have been busy: what came meanwhile is read before anyone is judged for silence.
      this.#platform.afterPoll(() => this.#fire())
    }, ms)
  }

  #disarm(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#armedFor = Infinity
  }

  #fire(): void {
    this.#disarm()
    const now = this.#platform.now()
    const due: number[] = []
    for (const at of this.#buckets.keys()) if (at <= now) due.push(at)
    for (const at of due.sort((a, b) => a - b)) {
      this.#firing = this.#buckets.get(at)
      this.#buckets.delete(at)
      for (const fn of this.#firing ?? []) fn()
    }
    this.#firing = undefined
    let next = Infinity
    for (const at of this.#buckets.keys()) if (at < next) next = at
    if (next < this.#armedFor) this.#arm(next)
  }
}

/** A power of two, at most 1/32 of the delay: about 64 buckets for each doubling of the delays in use. */
export const grainOf = (ms: number): number => Math.max(4, 2 ** Math.floor(Math.log2(Math.max(ms, 1) / 32)))
