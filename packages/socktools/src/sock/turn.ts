import type { Platform } from '../platform/platform.ts'

/** Sending without a pause for this many milliseconds means that sockets and timers are being starved. */
const STARVING = 1

/**
 * A turn: one look of the loop at its sockets and timers to the next. A sock asks here whether it has kept
 * the loop to itself for too long, since awaiting promises that are resolved already never lets it go.
 */
export class Turn {
  readonly #platform: Platform
  #open = false
  #start = 0
  #end: (() => void) | undefined
  /** Counts turns, so that a peer can tell whether its share of this one is used up. */
  number = 0
  /** What a send returns: resolved already, unless the loop must have its turn first. */
  pause: Promise<void> = RESOLVED

  constructor(platform: Platform) {
    this.#platform = platform
  }

  /** Milliseconds since the first call in this turn. */
  spent(): number {
    const now = this.#platform.now()
    if (!this.#open) {
      this.#open = true
      this.#start = now
      this.#platform.afterPoll(() => {
        this.#over()
      })
    }
    return now - this.#start
  }

  /** The same, without a turn being begun: 0 where nobody has asked yet. */
  get elapsed(): number {
    return this.#open ? this.#platform.now() - this.#start : 0
  }

  /** Something was written: whoever awaits its sends may have to pause. */
  wrote(): void {
    if (this.spent() <= STARVING || this.#end !== undefined) return
    this.pause = new Promise((resolve) => {
      this.#end = resolve
    })
  }

  #over(): void {
    this.#open = false
    this.number++
    this.pause = RESOLVED
    this.#end?.()
    this.#end = undefined
  }
}

/** The one promise that every send below its mark returns: nothing is allocated per message. */
export const RESOLVED: Promise<void> = Promise.resolve()
