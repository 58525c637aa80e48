import type { Turn } from './turn.ts'

/** A pipe may keep the loop for this many milliseconds of a turn, then the others are served. */
const SHARE = 5
/** The clock is looked at after the 1st (where that counts), 2nd, 4th, 8th … frame of a turn, and after every 256th. */
const CHECK_EVERY = 256

/** What one pipe may have of a turn, however many others have had theirs. */
export class Share {
  readonly #turn: Turn
  #number = -1
  /** How far the turn was when this pipe began. */
  #began = 0
  #count = 0
  #nextCheck = 2

  constructor(turn: Turn) {
    this.#turn = turn
  }

  /** A frame is about to be looked at. `counted`: what the first of a turn takes counts as well, at the cost of a look at the clock. */
  begin(counted = false): void {
    const turn = this.#turn
    if (this.#number === turn.number) return
    this.#number = turn.number
    this.#began = counted ? turn.spent() : turn.elapsed
    this.#count = 0
    this.#nextCheck = counted ? 1 : 2
  }

  /** It was. True: enough for this turn. */
  used(): boolean {
    if (++this.#count < this.#nextCheck) return false
    if (this.#turn.spent() - this.#began > SHARE) return true
    this.#nextCheck += Math.min(this.#nextCheck, CHECK_EVERY)
    return false
  }
}
