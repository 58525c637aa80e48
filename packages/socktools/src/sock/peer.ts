/*
 * One connection. The way of a message:
 *
 * In:   pipe `data` → decoder (framing) → inbox → dispatch (codec → middleware → handler)
 * Out:  sendMsg (codec) → outbox (framing, into slabs) → one `pipe.write` per turn
 *
 *   OPEN ──▶ ENDING ──▶ GONE    ENDING: our side has ended; what comes is still handled
 *     └──────────────────▲      GONE: the pipe is over; what had arrived before is handled first
 */
import { SockError, asSockError, fail, reasonOf } from '../errors.ts'
import type { Pipe } from '../net/pipe.ts'
import type { Platform } from '../platform/platform.ts'
import type { Codec, Sent } from '../wire/codec.ts'
import type { Decoder } from '../wire/framing.ts'
import type { Broadcast, Recipient } from './broadcast.ts'
import type { Deadlines } from './deadlines.ts'
import { Inbox } from './inbox.ts'
import { DRAIN_TIMEOUT, type Settings } from './options.ts'
import { Outbox, type OutboxShared } from './outbox.ts'
import { encode, lengthOf, unsendable } from './payload.ts'
import { ReadWatch } from './read-watch.ts'
import type { DrainOptions, DropReason, Lost, Peer, PeerStats } from './types.ts'
import { Waiter, rejected } from './waiter.ts'

/** What a peer needs of its sock. */
export interface PeerHost<C extends Codec> {
  readonly settings: Settings<C>
  readonly platform: Platform
  readonly deadlines: Deadlines
  readonly sends: { readonly broadcast: Broadcast; readonly outboxes: OutboxShared }
  handle(peer: LivePeer<C>, payload: Uint8Array): Promise<void> | undefined
  onDropped(peer: LivePeer<C>, reason: DropReason, messages: number, bytes: number): void
  /** Nothing can be sent to it any more. */
  onEnding(peer: LivePeer<C>): void
  /** The far side has finished sending. */
  onFarEnd(peer: LivePeer<C>): void
  /** The pipe is over, and all that had arrived is handled: the last word of this peer. */
  onGone(peer: LivePeer<C>, error: SockError | undefined, lost: Lost): void
}

export class LivePeer<C extends Codec> implements Peer<C>, Recipient {
  readonly id: string
  readonly address: string
  readonly host: string
  readonly dialed: boolean
  readonly outbox: Outbox
  readonly #host: PeerHost<C>
  readonly #pipe: Pipe
  readonly #decoder: Decoder
  readonly #inbox: Inbox
  readonly #watch: ReadWatch
  #state: Peer<C>['state'] = 'open'
  #error: SockError | undefined
  #farEnded = false
  /** We do not read, because our handlers are behind. */
  #paused = false
  #finished = false
  #unsent = 0
  #unhandled = 0
  #gone: Waiter | undefined
  #aborter: AbortController | undefined
  #dropped: Partial<Record<DropReason, number>> = {}
  #bytesIn = 0

  constructor(id: string, pipe: Pipe, dialed: boolean, host: PeerHost<C>) {
    const { settings, platform } = host
    this.id = id
    this.address = pipe.remote.address
    this.host = pipe.remote.host
    this.dialed = dialed
    this.#host = host
    this.#pipe = pipe
    this.outbox = new Outbox(pipe, host.sends.outboxes, () => {
      if (this.#inbox.high) this.#regulate()
    })
    this.#inbox = new Inbox({
      turn: host.sends.outboxes.turn,
      concurrency: settings.concurrency,
      readMark: settings.readMark,
      afterPoll: platform.afterPoll,
      handle: (payload) => host.handle(this, payload),
      onPressure: () => {
        this.#regulate()
      },
      onIdle: () => {
        this.#onIdle()
      },
    })
    this.#decoder = settings.framing.decoder((payload) => {
      this.#inbox.put(payload)
    }, settings.maxFrame)
    // The framing may be anybody's.
    if (typeof (this.#decoder as Decoder | undefined)?.push !== 'function') {
      fail('BAD_OPTION', `${settings.framing.name}() made no decoder`)
    }
    const onLate = (late: SockError): void => {
      this.#failAs(late)
    }
    this.#watch = new ReadWatch(settings, host.deadlines, platform.now, onLate, {
      excuses: () => this.#farEnded || !this.#inbox.idle,
      stuckFor: () => this.outbox.stuckFor,
    })
  }

  /** Hears of the pipe from now on. */
  attach(): void {
    this.#pipe.attach({
      data: (chunk) => {
        this.#onData(chunk)
      },
      drain: () => {
        this.outbox.drained()
      },
      end: () => {
        this.#onEnd()
      },
      close: (error) => {
        this.#onClose(error)
      },
    })
  }

  /** Reads from now on. */
  start(): void {
    if (this.#state === 'gone') return
    this.#watch.start()
    this.#pipe.resume()
  }

  /** Whether it belongs to the sock whose outboxes share this. */
  uses(outboxes: OutboxShared): boolean {
    return this.#host.sends.outboxes === outboxes
  }

  get state(): Peer<C>['state'] {
    return this.#state
  }

  get signal(): AbortSignal {
    if (this.#aborter === undefined) {
      this.#aborter = new AbortController()
      if (this.#state === 'gone') this.#aborter.abort(this.#goneError())
    }
    return this.#aborter.signal
  }

  stats(): PeerStats {
    return {
      messagesIn: this.#inbox.arrived,
      bytesIn: this.#bytesIn,
      messagesOut: this.outbox.messagesOut,
      bytesOut: this.outbox.bytesOut,
      queued: this.outbox.queued,
      waiting: this.#inbox.waiting,
      dropped: { ...this.#dropped },
      silent: this.#watch.silent,
    }
  }

  // Out

  sendMsg(type: string | number, data: Sent<C>): Promise<void> {
    const payload = encode(this.#host.settings.codec, type, data, this.address)
    return payload instanceof SockError ? this.#refuse('unsendable', payload, 0) : this.sendRaw(payload)
  }

  sendRaw(payload: Uint8Array): Promise<void> {
    const { settings } = this.#host
    const { broadcast } = this.#host.sends
    const error = unsendable(payload, settings.maxFrame, this.address)
    if (error !== undefined) return this.#refuse('unsendable', error, lengthOf(payload))
    // Taking over may find no room, and slowPeer may have it closed for that.
    if (broadcast.pending && this.#state === 'open') broadcast.absorb(this)
    if (this.#state !== 'open') return this.#refuse(this.#state, this.#goneError(), payload.length)
    if (this.outbox.full(payload.length))
      return this.#overflow(1, payload.length, settings.slowPeer ?? 'reject')
    try {
      return this.outbox.put(payload)
    } catch (thrown) {
      const failure = asSockError(thrown, 'CANNOT_FRAME', 'the framing failed', this.address)
      return this.#refuse('unsendable', failure, payload.length)
    }
  }

  /** One of several who are sent this. */
  offer(payload: Uint8Array): void {
    if (this.#state === 'open') this.#host.sends.broadcast.absorb(this)
    if (this.#state !== 'open') this.#drop(this.#state, 1, payload.length)
    else if (this.outbox.full(payload.length)) this.overflow(1, payload.length)
    else void this.outbox.put(payload)
  }

  /** A broadcast for which there is no room. */
  overflow(messages: number, bytes: number): void {
    void this.#overflow(messages, bytes, this.#host.settings.slowPeer ?? 'drop')
  }

  #overflow(messages: number, bytes: number, policy: 'drop' | 'reject' | 'close'): Promise<void> {
    this.#drop('slow', messages, bytes)
    if (policy === 'drop') return this.#host.sends.outboxes.turn.pause
    const error = new SockError('SLOW_PEER', `${this.outbox.queued} bytes wait to be sent already`, {
      address: this.address,
    })
    if (policy === 'close') {
      // What was to be taken over is what was dropped just now: it must not be counted again.
      this.#host.sends.broadcast.skip(this.outbox)
      this.#fail(error)
    }
    return rejected(error)
  }

  #refuse(why: DropReason, error: SockError, bytes: number): Promise<never> {
    this.#drop(why, 1, bytes)
    return rejected(error)
  }

  #drop(reason: DropReason, messages: number, bytes: number): void {
    if (messages === 0) return
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + messages
    this.#host.onDropped(this, reason, messages, bytes)
  }

  flushed(): Promise<void> {
    if (this.#state === 'gone') return rejected(this.#goneError())
    if (this.#state === 'open') this.#host.sends.broadcast.absorb(this)
    return this.outbox.emptied()
  }

  // In

  #onData(chunk: Uint8Array): void {
    if (this.#state === 'gone') return
    this.#bytesIn += chunk.length
    try {
      this.#decoder.push(chunk)
      this.#watch.heard(this.#decoder.partial, this.#inbox.arrived)
    } catch (thrown) {
      this.#failAs(thrown)
      return
    }
    if (this.#inbox.high) this.#regulate()
  }

  /** The far side has finished sending. It may still be waiting for answers. */
  #onEnd(): void {
    if (this.#state === 'gone') return
    this.#farEnded = true
    try {
      this.#decoder.finish?.()
      const { partial } = this.#decoder
      if (partial > 0) fail('TRUNCATED', `the far side ended after ${partial} bytes of a frame`)
    } catch (thrown) {
      const error = this.#errorOf(thrown)
      if (error.code !== 'TRUNCATED') {
        this.#fail(error)
        return
      }
      // What came before it is handled and answered all the same.
      this.#error ??= error
    }
    this.#host.onFarEnd(this)
    if (this.#inbox.idle) this.#onIdle()
  }

  /**
   * Stops reading while more than readMark waits for our handlers. Unless senders wait for this very peer to
   * read: it may be waiting for us in the same way, so reading goes on, by maxQueue more. Two that flood
   * each other and await their sends would otherwise stand still for ever.
   */
  #regulate(): void {
    const { readMark, maxQueue } = this.#host.settings
    const { high, bytes } = this.#inbox
    const pause = high && (!this.outbox.awaited || bytes > readMark + maxQueue)
    if (pause === this.#paused || this.#state === 'gone') return
    this.#paused = pause
    if (pause) {
      this.#watch.pause()
      this.#pipe.pause()
    } else {
      this.#watch.resume()
      this.#pipe.resume()
    }
  }

  /** Nothing is left to handle: time for what had to wait for that. */
  #onIdle(): void {
    if (this.#state === 'gone') this.#finish()
    else if (this.#farEnded) this.#end()
  }

  // Endings

  async drain({ timeout = DRAIN_TIMEOUT }: DrainOptions = {}): Promise<void> {
    if (this.#finished) return
    const gone = (this.#gone ??= new Waiter()).promise
    const late = this.#host.deadlines.set(timeout, () => {
      this.close()
    })
    await this.#inbox.settled()
    this.#end()
    await gone
    late.cancel()
  }

  /** Everything sent so far is written, then our side ends. */
  #end(): void {
    if (this.#state !== 'open') return
    this.#host.sends.broadcast.absorb(this)
    this.#state = 'ending'
    this.#host.onEnding(this)
    // The pipe may be gone before the last byte is written: that is reported as a loss, not here.
    this.outbox.emptied().then(
      () => {
        this.#pipe.end()
      },
      () => undefined,
    )
  }

  close(): Lost {
    if (this.#finished) return { unsent: 0, unhandled: 0 }
    this.#stopDecoder()
    const { messages, bytes } = this.#inbox.stop()
    this.#unhandled = messages
    this.#drop('closed', messages, bytes)
    if (this.#state !== 'gone') this.#down('closed')
    this.#finish()
    return { unsent: this.#unsent, unhandled: this.#unhandled }
  }

  #failAs(thrown: unknown): void {
    this.#fail(this.#errorOf(thrown))
  }

  #errorOf(thrown: unknown): SockError {
    const error = asSockError(thrown, 'BAD_FRAME', 'the framing failed', this.address)
    if (error.address !== undefined) return error
    return new SockError(error.code, error.what, { address: this.address, cause: error.cause })
  }

  /** A framing of the application's may throw here, too; no frame is wanted from it in any case. */
  #stopDecoder(): void {
    try {
      this.#decoder.stop()
    } catch {
      this.#pipe.pause()
    }
  }

  /** Ends the connection because of `error`; what has arrived whole is still handled. */
  #fail(error: SockError): void {
    if (this.#state === 'gone') return
    this.#error = error
    this.#stopDecoder()
    this.#over()
  }

  #onClose(cause: Error | undefined): void {
    if (this.#state === 'gone') return
    if (cause !== undefined) {
      const what = `the connection broke: ${reasonOf(cause)}`
      this.#error ??= new SockError('PIPE_FAILED', what, { address: this.address, cause })
    }
    this.#over()
  }

  #over(): void {
    this.#down('gone')
    if (this.#inbox.idle) this.#finish()
  }

  /** The pipe is over: what was not sent is lost. */
  #down(reason: DropReason): void {
    // What was sent to all this turn was sent to this one too: taken over, so that it is counted as lost.
    const wasOpen = this.#state === 'open'
    this.#state = 'gone'
    if (wasOpen) this.#host.sends.broadcast.absorb(this)
    this.#host.onEnding(this)
    this.#watch.stop()
    this.#pipe.destroy()
    const { messages, bytes } = this.outbox.close(() => this.#goneError())
    this.#unsent = messages
    this.#drop(reason, messages, bytes)
    this.#aborter?.abort(this.#goneError())
  }

  #finish(): void {
    if (this.#finished) return
    this.#finished = true
    this.#gone?.resolve()
    this.#host.onGone(this, this.#error, { unsent: this.#unsent, unhandled: this.#unhandled })
  }

  #goneError(): SockError {
    if (this.#state === 'ending') {
      return new SockError('DRAINING', 'our side of this connection has ended', { address: this.address })
    }
    return new SockError('PEER_GONE', 'the connection is over', { address: this.address, cause: this.#error })
  }
}
