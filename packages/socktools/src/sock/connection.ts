import { fail, type SockError } from '../errors.ts'
import type { Pipe } from '../net/pipe.ts'
import type { Platform } from '../platform/platform.ts'
import type { Decoder, Framing } from '../wire/framing.ts'
import type { Deadlines } from './deadlines.ts'
import { Outbox, type OutboxShared } from './outbox.ts'
import { type ReadLimits, ReadWatch } from './read-watch.ts'

/** How the bytes of one connection become frames. */
export interface PeerWire {
  readonly framing: Framing
  /** The longest payload of a frame. */
  readonly maxFrame: number
  readonly outboxes: OutboxShared
  /** As the option. */
  readonly timeout: number
  /** Whether `letGo` leaves a last word in the outbox, which the far side is to hear. */
  readonly saysWhy: boolean
}

/** What a connection needs of its sock. */
export interface ConnectionOwner {
  readonly settings: Omit<ReadLimits, 'timeout'>
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
export class Connection {
  readonly pipe: Pipe
  readonly outbox: Outbox
  readonly decoder: Decoder
  readonly watch: ReadWatch
  /** The peer still has it. */
  attached = true
  readonly #events: ConnectionEvents

  constructor(pipe: Pipe, owner: ConnectionOwner, wire: PeerWire, events: ConnectionEvents) {
    const { settings, platform, deadlines } = owner
    this.pipe = pipe
    this.#events = events
    this.outbox = new Outbox(pipe, wire.outboxes, events)
    this.decoder = newDecoder(wire, (payload) => {
      events.frame(payload)
    })
    const limits = { ...settings, timeout: wire.timeout }
    const onLate = (error: SockError): void => {
      events.late(error)
    }
    this.watch = new ReadWatch(limits, deadlines, platform.now, onLate, {
      excuses: () => events.excuses(),
      stuckFor: () => this.outbox.stuckFor,
    })
  }

  /** Hears of the pipe from now on, as long as the peer has it. */
  attach(): void {
    const events = this.#events
    const isOurs = (): boolean => this.attached
    this.pipe.attach({
      data: (chunk) => {
        if (isOurs()) events.data(chunk)
      },
      drain: () => {
        if (isOurs()) this.outbox.drained()
      },
      end: () => {
        if (isOurs()) events.end()
      },
      close: (error) => {
        if (isOurs()) events.close(error)
      },
    })
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
