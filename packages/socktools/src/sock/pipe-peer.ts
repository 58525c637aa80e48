import { SockError, asSockError, reasonOf, withAddress } from '../errors.ts'
import type { Pipe, Proof } from '../net/pipe.ts'
import type { Codec } from '../wire/codec.ts'
import { Connection, type ConnectionEvents, type PeerWire } from './connection.ts'
import { showAs } from './inspected.ts'
import { checkDrain, DRAIN_TIMEOUT } from './options.ts'
import type { Outbox } from './outbox.ts'
import { PeerHooks, type PeerOwner } from './peer-hooks.ts'
import type { ReadWatch } from './read-watch.ts'
import type { Turn } from './turn.ts'
import type { DrainOptions, DropReason, Lost, PeerStats } from './types.ts'
import { Waiter, rejected } from './waiter.ts'

/**
 * One far side, whatever its messages are: how its pipe is read and written, and how it ends.
 *
 *   OPEN ──▶ ENDING ──▶ GONE    ENDING: our side has ended; what comes is still handled
 *    │ └─────────────────▲      GONE: it is over; what had arrived before is handled first
 *    ▼                   │
 *   DETACHED ────────────┘      DETACHED: the pipe broke, and another one may take its place (where the wire can)
 */
export abstract class PipePeer<C extends Codec> extends PeerHooks {
  readonly id: string
  readonly dialed: boolean
  /** Those of the pipe that it has now, or had last. */
  address: string
  host: string
  proof: Proof | undefined
  outbox: Outbox
  protected readonly owner: PeerOwner<C, this>
  protected farEnded = false
  /** As the far side is told when we drain. */
  reconnectDelay = 0
  /** The one that it has now, or had last. */
  #connection: Connection
  readonly #ears: ConnectionEvents
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

  /** What it hears of its connection: a class, of which an idle peer keeps no more than the reference. */
  static readonly #Ears = class implements ConnectionEvents {
    readonly #peer: PipePeer<Codec>

    constructor(peer: PipePeer<Codec>) {
      this.#peer = peer
    }

    frame(payload: Uint8Array): void {
      this.#peer.onFrame(payload)
    }

    data(chunk: Uint8Array): void {
      this.#peer.#onData(chunk)
    }

    end(): void {
      this.#peer.#onEnd()
    }

    close(error: Error | undefined): void {
      this.#peer.#onClose(error)
    }

    late(error: SockError): void {
      this.#peer.broke(error)
    }

    excuses(): boolean {
      return this.#peer.farEnded || this.#peer.busyReading
    }

    onWait(): void {
      this.#peer.onSendersWait()
    }

    onProgress(): void {
      this.#peer.onProgress?.()
    }
  }

  constructor(id: string, pipe: Pipe, dialed: boolean, owner: PeerOwner<C, never>, wire: PeerWire) {
    super()
    this.id = id
    this.address = pipe.remote.address
    this.host = pipe.remote.host
    this.proof = pipe.proof
    this.dialed = dialed
    // The owner gets what it made, of whatever class.
    this.owner = owner
    this.#wire = wire
    this.#ears = new PipePeer.#Ears(this)
    this.#connection = new Connection(pipe, this.owner, wire, this.#ears)
    this.outbox = this.#connection.outbox
  }

  // A connection

  protected get pipe(): Pipe {
    return this.#connection.pipe
  }

  protected get watch(): ReadWatch {
    return this.#connection.watch
  }

  get identity(): string | undefined {
    return this.proof?.id
  }

  /** There is a pipe. */
  get isAttached(): boolean {
    return this.#connection.attached
  }

  attach(): void {
    this.#connection.attach()
  }

  /** Another pipe takes the place of the one that is no more. To be followed by start(). */
  protected reattach(pipe: Pipe): void {
    this.#bytesOutBefore += this.outbox.bytesOut
    this.address = pipe.remote.address
    this.host = pipe.remote.host
    this.proof = pipe.proof
    this.#connection = new Connection(pipe, this.owner, this.#wire, this.#ears)
    this.outbox = this.#connection.outbox
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
    return this.#state === 'open' && !this.isAttached ? 'detached' : this.#state
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
    const { decoder, watch } = this.#connection
    try {
      decoder.push(chunk)
      watch.heard(decoder.partial, this.arrived)
      this.onChunk()
    } catch (thrown) {
      this.finishReading?.()
      this.failAs(thrown)
    }
  }

  /** The far side has finished sending. It may still be waiting for answers. */
  #onEnd(): void {
    this.finishReading?.()
    if (this.#state === 'gone') return
    this.farEnded = true
    try {
      this.#connection.finish()
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
    this.onFarEnded?.()
    this.owner.onFarEnd(this)
    if (this.idle) this.onIdle()
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
    const ended = this.settled().then(() => {
      this.end()
      return over
    })
    // What one that is ending waits for, or one that is closed meanwhile, may never settle.
    await Promise.race([ended, over])
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
    this.#connection.stopDecoder()
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
    const { address } = this
    return withAddress(asSockError(thrown, 'BAD_FRAME', 'the framing failed', address), address)
  }

  /** Ends the connection because of `error`; what has arrived whole is still handled. */
  protected fail(error: SockError): void {
    if (this.#state === 'gone') return
    this.#error = error
    this.#connection.stopDecoder()
    this.#gone(true)
  }

  #onClose(cause: Error | undefined): void {
    this.finishReading?.()
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
    if (!this.isAttached) return
    this.#connection.attached = this.farEnded = false
    this.#error = undefined
    this.#connection.stopDecoder()
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
    if (ours && this.isAttached && this.#wire.saysWhy && !this.farEnded && this.outbox.queued === 0)
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

showAs(PipePeer.prototype as PipePeer<Codec> & { readonly wire: string }, (peer) => {
  const { id, address, dialed, wire, state } = peer
  return { id, address, dialed, wire, state }
})
