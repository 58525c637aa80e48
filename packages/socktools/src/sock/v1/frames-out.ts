import { encodeGoodbye, encodePing } from '../../wire/v1/bodies.ts'
import { EVENT, GOODBYE, MORE, PING, type TakeFrame, VOLATILE } from '../../wire/v1/frame.ts'
import type { Retained } from '../../wire/v1/retained.ts'
import type { Sequence } from '../../wire/v1/session.ts'
import type { Outbox } from '../outbox.ts'
import { type Loss, NO_LOSS } from '../peer-hooks.ts'
import type { FrameWriter } from './frame-writer.ts'

/** How much the outbox is given before the pipe has got rid of it: what is in there has no order of priority any more. */
const FEED = 256 * 1024
/** Which PING a PONG answers does not matter here: any byte is life. */
const NO_NONCE = new Uint8Array(8)

export interface Framed {
  /** What a session keeps until it is acknowledged; undefined: there is no session. */
  readonly retained: Retained | undefined
  /** Above so many bytes kept, nothing new is written. */
  readonly maxRetained: number
  readonly writer: FrameWriter
}

/**
 * Frames on their way into whichever pipe there is, each with our ack. Under a session those with a seq are kept, and
 * what was written and not acknowledged is written again, first of all, on the next pipe.
 */
export class FramesOut {
  readonly #sequence: Sequence
  readonly #retained: Retained | undefined
  readonly #maxRetained: number
  readonly #writer: FrameWriter
  /** Undefined: there is no pipe. */
  #outbox: Outbox | undefined
  /** GOODBYE was sent, behind which nothing may come. */
  #over = false

  constructor(sequence: Sequence, outbox: Outbox, { retained, maxRetained, writer }: Framed) {
    this.#sequence = sequence
    this.#outbox = outbox
    this.#retained = retained
    this.#maxRetained = maxRetained
    this.#writer = writer
  }

  // Pipes

  detach(): void {
    this.#outbox = undefined
  }

  /** Another pipe has taken over: what the far side has not acknowledged is written first, by `replay`. */
  attach(outbox: Outbox): void {
    this.#outbox = outbox
    this.#retained?.rewind()
  }

  /** Bytes written and not yet taken by the system. */
  get queued(): number {
    return this.#outbox?.queued ?? 0
  }

  /** The system has taken all that was written to the pipe that there is. */
  get taken(): boolean {
    return this.#outbox?.queued === 0
  }

  flush(): void {
    this.#outbox?.flush()
  }

  /** How many bytes of new frames may be written now. */
  get room(): number {
    const retained = this.#retained
    if (retained !== undefined && (retained.replaying || retained.bytes > this.#maxRetained)) return 0
    return this.#outbox === undefined ? 0 : FEED - this.#outbox.queued
  }

  // Frames

  readonly write: TakeFrame = (kind, flags, type, lane, seq, body, deadline) => {
    if (this.#over) return
    if (seq > 0) this.#retained?.add(kind, flags, type, lane, seq, body, deadline)
    this.#put(kind, flags, type, lane, seq, body, deadline)
  }

  readonly #put: TakeFrame = (kind, flags, type, lane, seq, body, deadline) => {
    if (this.#outbox === undefined) return
    this.#writer.set(kind, flags, type, lane, seq, this.#sequence.received, deadline)
    // Calls and streams tell their own end; what else there is beside messages nobody misses.
    const ends = (kind === EVENT || kind === VOLATILE) && (flags & MORE) === 0
    // Who waits for room waits in Outbound, for all lanes.
    void this.#outbox.put(body, ends ? 1 : 0)
    this.#sequence.left()
  }

  /** A frame that has no lane and no seq. Without a pipe there is nobody to tell, and later there will be other news. */
  control(kind: number, body: Uint8Array): void {
    if (!this.#over) this.#put(kind, 0, 0, 0, 0, body, -1)
  }

  /** The last frame of this side. */
  goodbye(code: string): void {
    this.control(GOODBYE, encodeGoodbye(code))
    this.#over = true
  }

  /** GOODBYE was sent: the session has ended on this side. */
  get saidGoodbye(): boolean {
    return this.#over
  }

  ping(ttl: number): void {
    this.control(PING, encodePing({ ttl, nonce: NO_NONCE }))
  }

  // What is kept

  /** Writes again, as far as there is room, what the pipe before may have lost. */
  replay(): void {
    const retained = this.#retained
    const outbox = this.#outbox
    if (outbox === undefined || retained?.replaying !== true) return
    while (FEED - outbox.queued > 0 && retained.next(this.#put));
  }

  acked(seq: number): void {
    this.#retained?.acked(seq)
  }

  /** The far side has all that was written, as far as it is asked: without a session nobody knows. */
  get settled(): boolean {
    return this.#retained === undefined || this.#sequence.acked === this.#sequence.sent
  }

  /** Messages that were written and not acknowledged. */
  get unacknowledged(): number {
    return this.#retained?.messages ?? 0
  }

  /** Of those, events. */
  get unacknowledgedEvents(): Loss {
    return this.#retained?.events ?? NO_LOSS
  }

  /** The connection is over, and no other one follows. */
  end(): void {
    this.#retained?.clear()
  }
}
