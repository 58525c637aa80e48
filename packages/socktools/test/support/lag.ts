import assert from 'node:assert/strict'

const EVERY = 20

/** A watch over what is measured while this process does other things: how long its loop stood still, at the most. */
export class Lag {
  /** Milliseconds. */
  most = 0
  #last = performance.now()
  readonly #timer: NodeJS.Timeout

  constructor() {
    this.#timer = setInterval(() => {
      this.#look()
    }, EVERY)
  }

  /** A time in milliseconds, that on a machine which has nothing else to do is `bound` at the most. */
  within(ms: number, bound: number, what: string): void {
    this.#look()
    const most = bound + 2 * this.most
    assert.ok(
      ms <= most,
      `${what} after ${Math.round(ms)} ms; ${Math.round(bound)} + 2 × ${Math.round(this.most)} is the most`,
    )
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const now = performance.now()
    this.most = Math.max(this.most, now - this.#last - EVERY)
    this.#last = now
  }
}
