import { Batch, type Cut, type Slabs } from '../wire/batch.ts'
import type { Framing } from '../wire/framing.ts'
import type { Outbox } from './outbox.ts'
import type { Turn } from './turn.ts'
import { Waiter } from './waiter.ts'

/** One who is sent to, as far as a broadcast cares. */
export interface Recipient {
  readonly outbox: Outbox
  /** What becomes of messages for which its queue has no room. */
  overflow(messages: number, bytes: number): void
}

/**
 * Messages for every peer, encoded and framed once a turn: all peers are handed the same chunks. A peer that
 * is sent something of its own in between takes what stands here so far first, so that its order holds.
 */
export class Broadcast {
  readonly #batch: Batch
  readonly #turn: Turn
  readonly #recipients: () => Iterable<Recipient>
  #round = 0
  /** Some outbox holds on to the memory of this round's batch. */
  #kept = false
  #room: Waiter | undefined

  constructor(framing: Framing, slabs: Slabs, turn: Turn, recipients: () => Iterable<Recipient>) {
    this.#batch = new Batch(framing, slabs)
    this.#turn = turn
    this.#recipients = recipients
  }

  get pending(): boolean {
    return this.#batch.bytes > 0
  }

  /**
   * Present while every peer is over its mark: whoever sends to all waits for the first that has room again.
   * One slow peer holds nobody up; where all are slow, more would only be dropped.
   */
  get congested(): Promise<void> | undefined {
    return this.#room?.promise
  }

  /** Adds one payload for all but `except`. Throws CANNOT_FRAME: nobody is sent anything. */
  add(payload: Uint8Array, except: Iterable<Recipient>): void {
    if (this.#batch.ripe(payload.length)) {
      this.#turn.wrote()
      this.flush()
    }
    for (const one of except) this.absorb(one)
    this.#batch.add(payload)
    for (const { outbox } of except) this.skip(outbox)
  }

  /** `one` takes over what stands here for it, before something else is sent to it. */
  absorb(one: Recipient): void {
    const cut = this.pending ? this.#missing(one.outbox) : undefined
    if (cut === undefined) return
    if (one.outbox.full(cut.bytes)) one.overflow(cut.messages, cut.bytes)
    else {
      one.outbox.append(cut)
      this.#kept = true
    }
    this.skip(one.outbox)
  }

  /** Nothing of what stands here is for this one. */
  skip({ taken }: Outbox): void {
    taken.round = this.#round
    taken.bytes = this.#batch.bytes
    taken.messages = this.#batch.messages
  }

  flush(): void {
    if (!this.pending) return
    let free = 0
    const whole = this.#batch.since(0, 0)
    for (const one of this.#recipients()) {
      const { outbox } = one
      const cut = this.#missing(outbox, whole)
      if (cut !== undefined) {
        if (outbox.full(cut.bytes)) one.overflow(cut.messages, cut.bytes)
        else if (!outbox.write(cut)) this.#kept = true
      }
      if (!outbox.overMark) free++
    }
    this.#batch.take()
    if (!this.#kept) this.#batch.rewind()
    this.#kept = false
    this.#round++
    if (free === 0) void this.noRoom()
    else this.roomAgain()
  }

  /** None of those who were sent to is below its mark. */
  noRoom(): Promise<void> {
    return (this.#room ??= new Waiter()).promise
  }

  /** Some peer is below its mark, or there is none left to wait for. */
  roomAgain(): void {
    this.#room?.resolve()
    this.#room = undefined
  }

  /** What this one has not taken yet; the same object for all who have taken nothing. */
  #missing({ taken }: Outbox, whole?: Cut): Cut | undefined {
    if (taken.round !== this.#round) return whole ?? this.#batch.since(0, 0)
    if (taken.bytes === this.#batch.bytes) return undefined
    return this.#batch.since(taken.bytes, taken.messages)
  }
}
