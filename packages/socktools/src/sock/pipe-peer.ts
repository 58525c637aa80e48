import { SockError, asSockError, fail, reasonOf } from '../errors.ts'
import type { Pipe } from '../net/pipe.ts'
import type { Platform } from '../platform/platform.ts'
import type { Codec } from '../wire/codec.ts'
import type { Decoder, Framing } from '../wire/framing.ts'
import type { Deadlines } from './deadlines.ts'
import { checkDrain, DRAIN_TIMEOUT, type Settings } from './options.ts'
import { Outbox, type OutboxShared } from './outbox.ts'
import type { Partings } from './partings.ts'
import { ReadWatch } from './read-watch.ts'
import type { Turn } from './turn.ts'
import type { DrainOptions, DropReason, Lost, PeerStats } from './types.ts'
import { Waiter, rejected } from './waiter.ts'

/** What the peers of a sock need of it, whichever wire they speak. */
export interface PeerOwner<C extends Codec, P> {
  readonly settings: Settings<C>
  readonly platform: Platform
  readonly deadlines: Deadlines
  readonly partings: Partings
  onDropped(peer: P, reason: DropReason, messages: number, bytes: number): void
  /** Nothing can be sent to it any more. */
  onEnding(peer: P): void
  /** The far side has finished sending. */
  onFarEnd(peer: P): void
  /** The pipe is over, and all that had arrived is handled: the last word of this peer. */
  onGone(peer: P, error: SockError | undefined, lost: Lost): void
}

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

export interface Loss {
  readonly messages: number
  readonly bytes: number
}

export const NO_LOSS: Loss = { messages: 0, bytes: 0 }

/**
 * One far side, whatever its messages are: how its pipe is read and written, and how it ends.
 *
 *   OPEN ──▶ ENDING ──▶ GONE    ENDING: our side has ended; what comes is still handled
 *    │ └─────────────────▲      GONE: it is over; what had arrived before is handled first
 *    ▼                   │
 *   DETACHED ────────────┘      DETACHED: the pipe broke, and another one may take its place (where the wire can)
 */
export abstract class PipePeer<C extends Codec> {
  readonly id: string
  readonly dialed: boolean
  /** Those of the pipe that it has now, or had last. */
  address: string
  host: string
  outbox: Outbox
  protected readonly owner: PeerOwner<C, this>
  protected pipe: Pipe
  protected watch: ReadWatch
  protected farEnded = false
  /** As the far side is told when we drain. */
  protected reconnectDelay = 0
  /** There is a pipe. */
  protected attached = true
  #decoder: Decoder
  readonly #wire: PeerWire
  #state: 'open' | 'ending' | 'gone' = 'open'
  #error: SockError | undefined
  #finished = false
  #unsent = 0
  #unhandled = 0
  #over: Waiter | undefined
  #aborter: AbortController | undefined
  #dropped: Partial<Record<DropReason, number>> = {}
  #bytesIn = 0
  /** By pipes that it had before. */
  #bytesOutBefore = 0

  constructor(id: string, pipe: Pipe, dialed: boolean, owner: PeerOwner<C, never>, wire: PeerWire) {
    this.id = id
    this.address = pipe.remote.address
    this.host = pipe.remote.host
    this.dialed = dialed
    // The owner gets what it made, of whatever class.
    this.owner = owner
    this.pipe = pipe
    this.#wire = wire
    this.outbox = this.#outboxOf(pipe)
    this.#decoder = this.#newDecoder()
    this.watch = this.#newWatch()
  }

  // A pipe

  #outboxOf(pipe: Pipe): Outbox {
    return new Outbox(pipe, this.#wire.outboxes, {
      onWait: () => {
        this.onSendersWait()
      },
      ...(this.onProgress && {
        onProgress: () => {
          this.onProgress?.()
        },
      }),
    })
  }

  #newDecoder(): Decoder {
    const { framing, maxFrame } = this.#wire
    const decoder = framing.decoder((payload) => {
      this.onFrame(payload)
    }, maxFrame)
    // The framing may be anybody's.
    if (typeof (decoder as Decoder | undefined)?.push === 'function') return decoder
    return fail('BAD_OPTION', `${framing.name}() made no decoder`)
  }

  #newWatch(): ReadWatch {
    const { settings, platform, deadlines } = this.owner
    const limits = { ...settings, timeout: this.#wire.timeout }
    const onLate = (late: SockError): void => {
      this.broke(late)
    }
    return new ReadWatch(limits, deadlines, platform.now, onLate, {
      excuses: () => this.farEnded || this.busyReading,
      stuckFor: () => this.outbox.stuckFor,
    })
  }

  // What the wire adds

  /** One whole payload. What it throws ends the connection. */
  protected abstract onFrame(payload: Uint8Array): void
  /** All frames of a chunk were handed on. */
  protected abstract onChunk(): void
  /** Senders begin to wait for room in the outbox, or need not any more. */
  protected abstract onSendersWait(): void
  /** The system took something of the outbox. Nothing may be put into it from within. */
  protected onProgress?(): void
  /** Nothing waits and no handler runs. */
  protected abstract get idle(): boolean
  /** Silence of the far side is in order, since we are the ones who are working. */
  protected abstract get busyReading(): boolean
  /** Messages that arrived, and those of them that wait for a handler. */
  protected abstract get arrived(): number
  protected abstract get waiting(): number
  /** No handler is started any more. */
  protected abstract stopHandling(): Loss
  /** Resolves when all that has arrived by now is handled. */
  protected abstract settled(): Promise<void>
  /** Our side is about to end, for good order: what is still to be sent is put into the outbox. Before the pipe is gone, too. */
  protected abstract lastSends(): void
  /** Resolves when all that was sent is with the system, and nothing has to be waited for before our side ends. */
  protected abstract readyToEnd(): Promise<void>
  /**
   * The connection ends now, because of `error` if there is one; `ours`: our side ends it. What of the wire's own is
   * lost by that, beside what the outbox holds.
   */
  protected abstract letGo(ours: boolean, error: SockError | undefined): Loss
  /** The far side has ended: what is wrong with that, if anything. */
  protected abstract get cutShort(): SockError | undefined
  /** Whether another pipe may take the place of one that broke, or ended without a word. */
  protected get outlives(): boolean {
    return false
  }
  /** The pipe is no more; there may be another one later. */
  protected onDetached?(error: SockError | undefined): void

  // Reading

  /** Hears of the pipe from now on, as long as it is this one. */
  attach(): void {
    const { pipe } = this
    const isOurs = (): boolean => this.attached && pipe === this.pipe
    pipe.attach({
      data: (chunk) => {
        if (isOurs()) this.#onData(chunk)
      },
      drain: () => {
        if (isOurs()) this.outbox.drained()
      },
      end: () => {
        if (isOurs()) this.#onEnd()
      },
      close: (error) => {
        if (isOurs()) this.#onClose(error)
      },
    })
  }

  /** Another pipe takes the place of the one that is no more. To be followed by start(). */
  protected reattach(pipe: Pipe): void {
    this.#bytesOutBefore += this.outbox.bytesOut
    this.pipe = pipe
    this.address = pipe.remote.address
    this.host = pipe.remote.host
    this.outbox = this.#outboxOf(pipe)
    this.#decoder = this.#newDecoder()
    this.watch = this.#newWatch()
    this.attached = true
    this.attach()
  }

  /** Reads from now on; `early` is what has come already. */
  start(early?: Uint8Array): void {
    if (this.#state === 'gone') return
    this.watch.start()
    if (early !== undefined && early.length > 0) this.#onData(early)
    // Changed by what came early.
    if (this.state !== 'gone') this.pipe.resume()
  }

  /** Whether it belongs to the sock whose turns these are. */
  uses(turn: Turn): boolean {
    return this.#wire.outboxes.turn === turn
  }

  /** Whether whoever sends more has to wait. */
  get overMark(): boolean {
    return this.queued > this.#wire.outboxes.highWaterMark
  }

  get state(): 'open' | 'detached' | 'ending' | 'gone' {
    return this.#state === 'open' && !this.attached ? 'detached' : this.#state
  }

  /** Why nothing can be sent to it any more; undefined: it can, at the latest when there is a pipe again. */
  protected get over(): 'ending' | 'gone' | undefined {
    return this.#state === 'open' ? undefined : this.#state
  }

  get signal(): AbortSignal {
    if (this.#aborter === undefined) {
      this.#aborter = new AbortController()
      if (this.#state === 'gone') this.#aborter.abort(this.goneError())
    }
    return this.#aborter.signal
  }

  stats(): PeerStats {
    return {
      messagesIn: this.arrived,
      bytesIn: this.#bytesIn,
      messagesOut: this.messagesOut,
      bytesOut: this.#bytesOutBefore + this.outbox.bytesOut,
      queued: this.queued,
      waiting: this.waiting,
      dropped: { ...this.#dropped },
      silent: this.watch.silent,
    }
  }

  /** Messages that were accepted for sending. */
  protected get messagesOut(): number {
    return this.outbox.messagesOut
  }

  /** Bytes accepted and not yet taken by the system. */
  protected get queued(): number {
    return this.outbox.queued
  }

  #onData(chunk: Uint8Array): void {
    if (this.#state === 'gone') return
    this.#bytesIn += chunk.length
    try {
      this.#decoder.push(chunk)
      this.watch.heard(this.#decoder.partial, this.arrived)
      this.onChunk()
    } catch (thrown) {
      this.failAs(thrown)
    }
  }

  /** The far side has finished sending. It may still be waiting for answers. */
  #onEnd(): void {
    if (this.#state === 'gone') return
    this.farEnded = true
    try {
      this.#decoder.finish?.()
      const { partial } = this.#decoder
      if (partial > 0) fail('TRUNCATED', `the far side ended after ${partial} bytes of a frame`)
    } catch (thrown) {
      const error = this.#errorOf(thrown)
      if (error.code !== 'TRUNCATED') {
        this.fail(error)
        return
      }
      // What came before it is handled and answered all the same.
      this.#error ??= error
    }
    const { cutShort } = this
    if (cutShort !== undefined) {
      this.broke(this.#error ?? cutShort)
      return
    }
    this.onFarEnded()
    this.owner.onFarEnd(this)
    if (this.idle) this.onIdle()
  }

  /** The far side has finished sending, in good order. */
  protected onFarEnded(): void {
    // What waits for answers hears of it.
  }

  // Dropping

  protected refuse(why: DropReason, error: SockError, bytes: number): Promise<never> {
    this.drop(why, 1, bytes)
    return rejected(error)
  }

  protected drop(reason: DropReason, messages: number, bytes: number): void {
    if (messages === 0) return
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + messages
    this.owner.onDropped(this, reason, messages, bytes)
  }

  // Endings

  /** Nothing is left to handle: time for what had to wait for that. */
  protected onIdle(): void {
    if (this.#state === 'gone') this.#finish()
    else if (this.farEnded) this.end()
  }

  async drain(options: DrainOptions = {}): Promise<void> {
    const { timeout = DRAIN_TIMEOUT, reconnectDelay = 0 } = checkDrain(options)
    if (this.#finished) return
    this.reconnectDelay = reconnectDelay
    const over = (this.#over ??= new Waiter()).promise
    const late = this.owner.deadlines.set(timeout, () => {
      this.close()
    })
    await this.settled()
    this.end()
    await over
    late.cancel()
  }

  /** Everything sent so far is written, then our side ends. */
  protected end(): void {
    if (this.#state !== 'open') return
    this.lastSends()
    this.#state = 'ending'
    this.owner.onEnding(this)
    // The pipe may be gone before the last byte is written: that is reported as a loss, not here.
    this.readyToEnd().then(
      () => {
        this.pipe.end()
      },
      () => undefined,
    )
  }

  close(): Lost {
    if (this.#finished) return { unsent: 0, unhandled: 0 }
    this.#stopDecoder()
    const { messages, bytes } = this.stopHandling()
    this.#unhandled = messages
    this.drop('closed', messages, bytes)
    if (this.#state !== 'gone') this.#down('closed', true)
    this.#finish()
    return { unsent: this.#unsent, unhandled: this.#unhandled }
  }

  protected failAs(thrown: unknown): void {
    this.fail(this.#errorOf(thrown))
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
      this.pipe.pause()
    }
  }

  /** Ends the connection because of `error`; what has arrived whole is still handled. */
  protected fail(error: SockError): void {
    if (this.#state === 'gone') return
    this.#error = error
    this.#stopDecoder()
    this.#gone(true)
  }

  #onClose(cause: Error | undefined): void {
    if (this.#state === 'gone') return
    this.#error ??= cause === undefined ? this.cutShort : this.broken(cause)
    if (this.outlives) this.detach(this.#error)
    else this.#gone(false)
  }

  /** The connection is worth nothing any more, though the far side may be as well as ever. */
  protected broke(error: SockError): void {
    if (this.#state !== 'gone' && this.outlives) this.detach(this.#errorOf(error))
    else this.failAs(error)
  }

  /** Lets go of the pipe, and of what came over it and was not read. */
  protected detach(error: SockError | undefined): void {
    if (!this.attached) return
    this.attached = this.farEnded = false
    this.#error = undefined
    this.#stopDecoder()
    this.watch.stop()
    this.onDetached?.(error)
    this.pipe.destroy()
    // What of it has to arrive is kept elsewhere.
    this.outbox.close(() => this.goneError())
  }

  /** It is over while there is no pipe, because of `error`. */
  protected endDetached(error: SockError | undefined): void {
    if (this.#state === 'gone') return
    this.#error = error
    this.#gone(false)
  }

  /** The pipe broke: what is wrong with that, if anything. */
  protected broken(cause: Error): SockError | undefined {
    const what = `the connection broke: ${reasonOf(cause)}`
    return new SockError('PIPE_FAILED', what, { address: this.address, cause })
  }

  #gone(ours: boolean): void {
    this.#down('gone', ours)
    if (this.idle) this.#finish()
  }

  /** The pipe is over: what was not sent is lost. */
  #down(reason: DropReason, ours: boolean): void {
    const wasOpen = this.#state === 'open'
    this.#state = 'gone'
    if (wasOpen) this.lastSends()
    this.owner.onEnding(this)
    this.watch.stop()
    const own = this.letGo(ours, this.#error)
    // What the pipe has not taken by now, it may never take.
    if (ours && this.attached && this.#wire.saysWhy && !this.farEnded && this.outbox.queued === 0)
      this.owner.partings.add(this.pipe)
    else this.pipe.destroy()
    const { messages, bytes } = this.outbox.close(() => this.goneError())
    this.#unsent = messages + own.messages
    this.drop(reason, messages + own.messages, bytes + own.bytes)
    this.#aborter?.abort(this.goneError())
  }

  #finish(): void {
    if (this.#finished) return
    this.#finished = true
    this.#over?.resolve()
    this.owner.onGone(this, this.#error, { unsent: this.#unsent, unhandled: this.#unhandled })
  }

  protected goneError(): SockError {
    if (this.#state === 'ending') {
      return new SockError('DRAINING', 'our side of this connection has ended', { address: this.address })
    }
    return new SockError('PEER_GONE', 'the connection is over', { address: this.address, cause: this.#error })
  }
}
