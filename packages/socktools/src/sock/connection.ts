import { fail, type SockError } from '../errors.ts'
import type { Pipe, PipeSink } from '../net/pipe.ts'
import type { Platform } from '../platform/platform.ts'
import type { Decoder, Framing } from '../wire/framing.ts'
import type { Deadlines } from './deadlines.ts'
import { Outbox, type OutboxShared } from './outbox.ts'
import { type ReadLimits, ReadWatch, type Work } from './read-watch.ts'

/** How the bytes of one connection become frames: one for all of a kind that a sock has. */
export interface PeerWire extends ReadLimits {
  readonly framing: Framing
  /** The longest payload of a frame. */
  readonly maxFrame: number
  readonly outboxes: OutboxShared
  /** Whether `letGo` leaves a last word in the outbox, which the far side is to hear. */
  readonly saysWhy: boolean
}

/** What a connection needs of its sock. */
export interface ConnectionOwner {
  readonly platform: Pick<Platform, 'now'>
  readonly deadlines: Deadlines
}

/** What its peer hears of it; of the pipe, nothing once it was let go of. */
export interface ConnectionEvents {
  /** One whole payload. */
  frame(payload: Uint8Array): void
  data(chunk: Uint8Array): void
  /** The far side has finished sending. */
  end(): void
  close(error: Error | undefined): void
  /** Too slow, or silent for too long. */
  late(error: SockError): void
  /** Silence is in order: we are the ones who are working, or it has finished sending. */
  excuses(): boolean
  /** As OutboxEvents. */
  onWait(): void
  onProgress?(): void
}

/** One pipe of a peer, and what goes with it: the frame that is coming, what waits to be written, who looks at the clock. */
export class Connection implements PipeSink, Work {
  readonly pipe: Pipe
  readonly outbox: Outbox
  readonly decoder: Decoder
  readonly watch: ReadWatch
  /** The peer still has it. */
  attached = true
  readonly #events: ConnectionEvents

  constructor(pipe: Pipe, owner: ConnectionOwner, wire: PeerWire, events: ConnectionEvents) {
    this.pipe = pipe
    this.#events = events
    this.outbox = new Outbox(pipe, wire.outboxes, events)
    this.decoder = newDecoder(wire, (payload) => {
      events.frame(payload)
    })
    this.watch = new ReadWatch(wire, owner.deadlines, owner.platform.now, this)
  }

  /** Hears of the pipe from now on, as long as the peer has it. */
  attach(): void {
    this.pipe.attach(this)
  }

  // What it hears of the pipe

  data(chunk: Uint8Array): void {
    if (this.attached) this.#events.data(chunk)
  }

  drain(): void {
    if (this.attached) this.outbox.drained()
  }

  end(): void {
    if (this.attached) this.#events.end()
  }

  close(error: Error | undefined): void {
    if (this.attached) this.#events.close(error)
  }

  // What its watch asks, and tells

  excuses(): boolean {
    return this.#events.excuses()
  }

  stuckFor(): number {
    return this.outbox.stuckFor
  }

  late(error: SockError): void {
    this.#events.late(error)
  }

  /** The far side has finished sending. Throws TRUNCATED where that was in the middle of a frame. */
  finish(): void {
    const { decoder } = this
    decoder.finish?.()
    if (decoder.partial > 0) fail('TRUNCATED', `the far side ended after ${decoder.partial} bytes of a frame`)
  }

  /** No frame is wanted any more. A framing of the application's may throw here, too. */
  stopDecoder(): void {
    try {
      this.decoder.stop()
    } catch {
      this.pipe.pause()
    }
  }
}

function newDecoder({ framing, maxFrame }: PeerWire, onFrame: (payload: Uint8Array) => void): Decoder {
  const decoder = framing.decoder(onFrame, maxFrame)
  // The framing may be anybody's.
  if (typeof (decoder as Decoder | undefined)?.push === 'function') return decoder
  return fail('BAD_OPTION', `${framing.name}() made no decoder`)
}
