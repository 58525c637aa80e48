/** Two that say 5,000 numbers a second to each other, and know what became of each. */
import { msg, type Peer, type RawCodec } from '../../src/index.ts'
import { z } from 'zod'

export const protocol = { say: msg(z.number()) }
export const RATE = 5000

/** What a process says at its end: its own messages that were accepted, and how many came to its handler. */
export interface Said {
  readonly accepted: number
  readonly came: number
}

export interface Fates {
  readonly accepted: number
  /** Neither the one nor the other: was not taken. */
  readonly refused: number
  readonly delivered: number
  readonly unknown: number
  /** Taken, and surely not arrived. */
  readonly lost: number
}

/** Messages whose fate is not known, at the most: a machine that has no time for RATE gets less, and no ever longer queue. */
const MOST_OPEN = RATE / 2

/** Says 0, 1, 2 … at RATE, by the clock: what a busy loop holds up is made up for. */
export class Speaker {
  readonly #peer: Peer<RawCodec, typeof protocol>
  readonly #timer: NodeJS.Timeout
  readonly #began = performance.now()
  readonly #fates: Promise<void>[] = []
  readonly #counts = { accepted: 0, refused: 0, delivered: 0, unknown: 0, lost: 0 }
  #next = 0
  #open = 0
  #over = false

  constructor(peer: Peer<RawCodec, typeof protocol>) {
    this.#peer = peer
    this.#timer = setInterval(() => {
      this.#speak()
    }, 10)
  }

  get said(): number {
    return this.#next
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Resolves when it is known what became of each. */
  async settled(): Promise<Fates> {
    await Promise.all(this.#fates)
    return this.#counts
  }

  #speak(): void {
    const due = ((performance.now() - this.#began) * RATE) / 1000
    while (this.#next < due && this.#open < MOST_OPEN && !this.#over)
      this.#fates.push(this.#say(this.#next++))
  }

  async #say(n: number): Promise<void> {
    this.#open++
    const { accepted, outcome } = this.#peer.send('say', n)
    const taken = await accepted.then(
      () => true,
      () => false,
    )
    // Nothing after it is taken either: no number is missing among those that were.
    if (!taken) this.#over = true
    this.#counts[taken ? 'accepted' : 'refused']++
    const { status } = await outcome
    this.#open--
    if (taken) this.#counts[status === 'not-delivered' ? 'lost' : status]++
  }
}
