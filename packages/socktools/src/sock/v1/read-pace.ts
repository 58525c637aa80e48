import type { Platform } from '../../platform/platform.ts'
import type { Turn } from '../turn.ts'

/** More than this waits to be written only where frames of our own making answer frames that nothing else bounds. */
const MOST_QUEUED = 512 * 1024
/** One connection may keep the loop for so many milliseconds of a turn, then the others are served. */
const TURN_BUDGET = 5

/** The pipe that is read. */
export interface Reading {
  /** What waits to be written to it, in bytes. */
  readonly unwritten: number
  pauseReading(): void
  /** Unless there is no pipe any more. */
  resumeReading(): void
}

/**
 * The pipe is always read, but for these two. A far side that has us answer frame by frame, PING by PONG, and takes none
 * of it waits until it has. And one that has much to say lets the others have their turn.
 */
export class ReadPace {
  readonly #reading: Reading
  readonly #turn: Turn
  readonly #platform: Platform
  /** Not read, until the outbox has got rid of something, or until the next turn. */
  #held = false
  #yielding = false
  /** Frames of this chunk came. */
  #begun = false

  constructor(reading: Reading, turn: Turn, platform: Platform) {
    this.#reading = reading
    this.#turn = turn
    this.#platform = platform
  }

  /** A frame came; true: the first of a chunk. From here on the turn is counted, if it is not already. */
  begins(): boolean {
    if (this.#begun) return false
    this.#begun = true
    this.#turn.spent()
    return true
  }

  /** All frames of a chunk came. */
  onChunk(): void {
    this.#begun = false
    if (this.#reading.unwritten > MOST_QUEUED) this.#held = true
    else if (this.#turn.spent() > TURN_BUDGET && !this.#yielding) {
      this.#yielding = true
      this.#platform.afterPoll(() => {
        this.#yielding = false
        this.#goOn()
      })
    }
    if (this.#held || this.#yielding) this.#reading.pauseReading()
  }

  #goOn(): void {
    if (!this.#held && !this.#yielding) this.#reading.resumeReading()
  }

  /** Something was written. */
  onProgress(): void {
    if (!this.#held || this.#reading.unwritten > MOST_QUEUED / 2) return
    this.#held = false
    this.#goOn()
  }

  /** That pipe is no more. */
  detached(): void {
    this.#held = this.#begun = false
  }
}
