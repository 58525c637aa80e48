import type { Platform, Timer } from '../platform/platform.ts'

export interface Tick {
  /** 1, 2, 3 … */
  readonly count: number
  /** Milliseconds since the tick before (since the start, for the first). */
  readonly elapsed: number
  /** Milliseconds by which this tick missed its time. */
  readonly late: number
  /** Ticks left out since the one before, because their time had passed or it was not done: there is no burst. */
  readonly missed: number
}

/** Calls `onTick` at a fixed rate: tick n is due at start + n × interval, whatever the others took. One whose
 * promise is pending when the next is due keeps that one from being called. */
export class Ticker {
  readonly #platform: Platform
  readonly #interval: number
  readonly #onTick: (tick: Tick) => Promise<void> | undefined
  #timer: Timer | undefined
  #last = 0
  #due = 0
  #count = 0
  #missed = 0
  #busy = false

  constructor(platform: Platform, interval: number, onTick: (tick: Tick) => Promise<void> | undefined) {
    this.#platform = platform
    this.#interval = interval
    this.#onTick = onTick
  }

  start(): void {
    if (this.#timer !== undefined) return
    this.#last = this.#platform.now()
    this.#due = this.#last + this.#interval
    this.#arm()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #arm(): void {
    this.#timer = this.#platform.setTimer(() => this.#fire(), Math.max(0, this.#due - this.#platform.now()))
  }

  #fire(): void {
    const now = this.#platform.now()
    // System timers can be early by a fraction of a millisecond.
    const late = Math.max(0, now - this.#due)
    const passed = Math.floor(late / this.#interval)
    this.#due += (passed + 1) * this.#interval
    this.#arm()
    if (this.#busy) {
      this.#missed += passed + 1
      return
    }
    const tick = { count: ++this.#count, elapsed: now - this.#last, late, missed: this.#missed + passed }
    this.#last = now
    this.#missed = 0
    const done = this.#onTick(tick)
    if (done === undefined) return
    this.#busy = true
    void done.then(() => {
      this.#busy = false
    })
  }
}
