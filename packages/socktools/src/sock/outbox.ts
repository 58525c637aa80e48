import type { Pipe } from '../net/pipe.ts'
import { Batch, type Cut, type Slabs } from '../wire/batch.ts'
import type { Framing } from '../wire/framing.ts'
import type { Turn } from './turn.ts'
import { Waiter } from './waiter.ts'

/** The most handed to the pipe at once, so that waiting senders see progress. */
const WRITE_MAX = 1024 * 1024

/** What the outboxes of a sock share. */
export interface OutboxShared {
  readonly framing: Framing
  readonly slabs: Slabs
  readonly turn: Turn
  readonly highWaterMark: number
  readonly maxQueue: number
  readonly now: () => number
  /** Asks for `flush` when the running callback is through. */
  flushSoon(outbox: Outbox): void
  /** This outbox fell below its mark. */
  onRoom(): void
}

export interface OutboxEvents {
  /** Senders begin to wait for room, or need not any more. */
  onWait(): void
  /** The system took something. Called in the middle of a write: nothing may be put from within. */
  onProgress?(): void
}

/**
 * The way out of one connection: what was sent in a turn leaves in one write; while the pipe holds what it
 * could not get rid of, everything waits here.
 *
 * ```
 *   put ──▶ batch ──flush──▶ pipe: took all ─▶ queued shrinks, the slab is used again
 *             ▲                └── holds it ─▶ nothing more is written until drained()
 *             └── append (broadcasts, framed already)
 * ```
 */
export class Outbox {
  /** Bytes accepted and not yet taken by the system, frame overhead included. */
  queued = 0
  /** All that was ever accepted. */
  bytesOut = 0
  messagesOut = 0
  /** A flush was asked for. */
  dirty = false
  /** How much of the running broadcast was taken already; kept by Broadcast. */
  readonly taken = { round: -1, bytes: 0, messages: 0 }

  readonly #pipe: Pipe
  readonly #shared: OutboxShared
  readonly #events: OutboxEvents
  readonly #batch: Batch
  #heldBytes = 0
  #heldSince = 0
  #heldMessages = 0
  #room: Waiter | undefined
  #empty: Waiter | undefined

  constructor(pipe: Pipe, shared: OutboxShared, events: OutboxEvents) {
    this.#pipe = pipe
    this.#events = events
    this.#shared = shared
    this.#batch = new Batch(shared.framing, shared.slabs)
  }

  get overMark(): boolean {
    return this.queued > this.#shared.highWaterMark
  }

  /** Messages accepted and not yet taken by the system. */
  get messages(): number {
    return this.#batch.messages + this.#heldMessages
  }

  /**
   * Whether `bytes` more are too much. Below the mark a message of any length fits: who awaits each send is
   * never refused.
   */
  full(bytes: number): boolean {
    return this.overMark && this.queued + bytes > this.#shared.maxQueue
  }

  /**
   * Accepts one payload, with which so many messages end. The promise is the backpressure. Throws CANNOT_FRAME: nothing
   * was accepted.
   */
  put(payload: Uint8Array, messages = 1): Promise<void> {
    const batch = this.#batch
    // What is worth a write leaves at once: the kernel carries it while more is gathered.
    if (batch.ripe(payload.length)) this.#flushNow()
    const before = batch.bytes
    batch.add(payload, messages)
    this.#accept(messages, batch.bytes - before)
    if (!this.dirty) this.#shared.flushSoon(this)
    if (this.queued <= this.#shared.highWaterMark) return this.#shared.turn.pause
    // Flushed before anyone is told to wait: only a write can bring the drain that ends the wait.
    this.#flushNow()
    return this.overMark ? this.#wait() : this.#shared.turn.pause
  }

  /** Milliseconds since the pipe got rid of anything, while it holds something. */
  get stuckFor(): number {
    return this.#heldBytes === 0 ? 0 : this.#shared.now() - this.#heldSince
  }

  /** Whether senders wait for room. */
  get awaited(): boolean {
    return this.#room !== undefined
  }

  #wait(): Promise<void> {
    if (this.#room === undefined) {
      this.#room = new Waiter()
      this.#events.onWait()
    }
    return this.#room.promise
  }

  /** Accepts what is framed already and writes it behind all that waits. True: its memory is free again. */
  write(cut: Cut): boolean {
    if (this.queued === 0) {
      this.#accept(cut.messages, cut.bytes)
      return this.#write(cut)
    }
    this.append(cut)
    this.flush()
    return this.queued === 0
  }

  /** Accepts what is framed already, to be written with the rest of the turn. */
  append(cut: Cut): void {
    this.#batch.append(cut)
    this.#accept(cut.messages, cut.bytes)
    if (!this.dirty) this.#shared.flushSoon(this)
  }

  /** In the middle of a turn, so that whoever goes on sending may have to pause. */
  #flushNow(): void {
    this.#shared.turn.wrote()
    this.flush()
  }

  /** Writes what waits, as far as the pipe takes it. */
  flush(): void {
    while (this.#heldBytes === 0 && this.#batch.bytes > 0) {
      if (this.#write(this.#batch.take(WRITE_MAX))) this.#batch.rewind()
    }
  }

  #write(cut: Cut): boolean {
    if (!this.#pipe.write(cut.chunks)) {
      this.#heldBytes = cut.bytes
      this.#heldSince = this.#shared.now()
      this.#heldMessages = cut.messages
      return false
    }
    this.queued -= cut.bytes
    this.#progress()
    return true
  }

  #accept(messages: number, bytes: number): void {
    this.queued += bytes
    this.bytesOut += bytes
    this.messagesOut += messages
  }

  /** The pipe got rid of what it held. */
  drained(): void {
    this.queued -= this.#heldBytes
    this.#heldBytes = this.#heldMessages = 0
    this.flush()
    this.#progress()
  }

  #progress(): void {
    if (this.#room !== undefined && this.queued <= this.#shared.highWaterMark / 2) {
      this.#room.resolve()
      this.#room = undefined
      this.#events.onWait()
    }
    if (this.#empty !== undefined && this.queued === 0) {
      this.#empty.resolve()
      this.#empty = undefined
    }
    if (!this.overMark) this.#shared.onRoom()
    this.#events.onProgress?.()
  }

  /** Resolves when all that was accepted is with the system. */
  emptied(): Promise<void> {
    this.#flushNow()
    return this.queued === 0 ? Promise.resolve() : (this.#empty ??= new Waiter()).promise
  }

  /** Everything that waits is lost. Whoever waits for it gets `why()`. */
  close(why: () => Error): { messages: number; bytes: number } {
    const lost = { messages: this.messages, bytes: this.queued }
    this.#batch.take()
    this.queued = this.#heldBytes = this.#heldMessages = 0
    // An error costs a stack trace: none is made where nobody waits.
    this.#room?.reject(why())
    this.#empty?.reject(why())
    this.#room = this.#empty = undefined
    return lost
  }
}
