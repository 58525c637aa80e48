/*
 * One connection on wire v1. The way of a message:
 *
 * In:   pipe `data` → decoder → Inbound: header, seq and ack → chunks, credit → inbox of its priority (events), calls or
 *       streams → codec → schema → dispatch: middleware → handler
 * Out:  sendMsg, request, stream, channel (codec) → Outbound: lanes (credit, priorities, chunks, seq) → outbox (header,
 *       into slabs) → one `pipe.write` per turn
 */
import type { TypeInfo } from '../../contract/protocol.ts'
import { asSockError, type ErrorCode, type SockError } from '../../errors.ts'
import type { Pipe } from '../../net/pipe.ts'
import type { Codec } from '../../wire/codec.ts'
import { Resumption, SessionLost } from '../../wire/v1/resumption.ts'
import { Retained } from '../../wire/v1/retained.ts'
import type { Carrier } from '../durable/desk.ts'
import type { Origin } from '../durable/intake.ts'
import type { Loss } from '../peer-hooks.ts'
import { PipePeer } from '../pipe-peer.ts'
import { RAW_UNDER_V1 } from '../plain-only.ts'
import type {
  DropReason,
  MessageOptions,
  Outcome,
  Receipt,
  ReceiptOptions,
  RequestOptions,
  StreamOptions,
} from '../types.ts'
import { rejected, Waiter } from '../waiter.ts'
import type { DataCodec } from './data.ts'
import type { GreetedV1 } from './greeted.ts'
import { applicationOf, type V1Host } from './host.ts'
import type { Inbound } from './inbound.ts'
import type { Kept } from './kept.ts'
import { Leaving, type LeavingPeer } from './leaving.ts'
import { type MessagePeer, Messages } from './messages.ts'
import { Mux, type MuxPeer } from './mux.ts'
import type { Outbound } from './outbound.ts'
import type { Key } from './parcels.ts'
import { PeerSession, type SessionPeer } from './peer-session.ts'
import { type Reading, ReadPace } from './read-pace.ts'
import { type SignedPeer, Signs } from './signs.ts'
import type { Stream } from './stream.ts'
import { ChannelEnd, FeedReader } from './stream-ends.ts'
import { type VitalPeer, Vitals } from './vitals.ts'

export class V1Peer<C extends Codec>
  extends PipePeer<C>
  implements MuxPeer, MessagePeer, SessionPeer, SignedPeer, VitalPeer, LeavingPeer, Reading, Carrier, Origin
{
  readonly wire = 'v1'
  /** Where it was dialed, as that was written: it can be dialed again. */
  readonly dialedAt: string | undefined
  readonly signs: Signs
  readonly leaving: Leaving
  /** Undefined: the session ends with the connection. */
  readonly session: PeerSession | undefined
  readonly codec: DataCodec
  /** Who the far side says it is, in hex. Nothing proves it. */
  readonly nodeId: string
  /** Of the far side's process, 16 bytes. */
  readonly incarnation: Uint8Array
  readonly #host: V1Host<C>
  readonly #mux: Mux
  readonly #out: Outbound
  readonly #in: Inbound
  readonly #messages: Messages
  readonly #pace: ReadPace
  readonly #vitals: Vitals
  /** Gives its node free for another connection. */
  readonly #leave: (() => void) | undefined

  constructor(
    id: string,
    pipe: Pipe,
    dialed: boolean,
    host: V1Host<C>,
    greeted: GreetedV1,
    dialedAt: string | undefined,
  ) {
    const { settings, platform, deadlines, outboxes } = host
    const { theirs, types, nodeId, session } = greeted
    super(id, pipe, dialed, host, host.wire)
    this.#host = host
    this.nodeId = nodeId
    this.incarnation = theirs.incarnation
    this.codec = host.codecNamed(greeted.codec)
    this.dialedAt = dialedAt
    this.signs = new Signs(this, deadlines)
    this.#leave = greeted.joined?.(this)
    // Who cannot dial again, nor be dialed, has nothing to wait for.
    const lasting = !dialed || dialedAt !== undefined ? session : undefined
    const agreed = { theirs, types, codec: this.codec, retained: lasting && new Retained(host.blocks) }
    const mux = (this.#mux = new Mux(this, host, agreed, applicationOf(this, host)))
    this.#out = mux.out
    this.#in = mux.in
    if (lasting !== undefined) {
      const resumption = new Resumption(lasting.sessionId, lasting.token, theirs.incarnation)
      this.session = new PeerSession(resumption, this, host, mux)
    }
    this.leaving = new Leaving(this, mux)
    this.#messages = new Messages(mux, this, settings, outboxes.turn)
    const { maxResetRate, maxCalls, maxStreams } = settings
    this.#pace = new ReadPace(this, {
      turn: outboxes.turn,
      platform,
      deadlines,
      maxResetRate,
      resetBurst: maxCalls + maxStreams,
      onSlowed: () => {
        host.slowed()
      },
    })
    this.#vitals = new Vitals(settings, deadlines, this)
  }

  override start(early?: Uint8Array): void {
    if (this.state === 'gone') return
    this.#vitals.start()
    super.start(early)
  }

  // What the application calls

  sendMsg(type: string, data: unknown, options: MessageOptions = {}): Promise<void> {
    return this.#messages.send(type, data, options, undefined)
  }

  send(type: string, data: unknown, options: ReceiptOptions = {}): Receipt {
    const outcome = new Waiter<Outcome>()
    return {
      accepted: this.#messages.send(type, data, options, outcome.resolve),
      outcome: outcome.promise,
    }
  }

  get tellsDone(): boolean {
    return this.#mux.tellsDone
  }

  /** See Messages. */
  carry(...args: Parameters<Messages['carry']>): ReturnType<Messages['carry']> {
    return this.#messages.carry(...args)
  }

  /** What came over this connection, and was not confirmed, is to come again. */
  inboxFailed(thrown: unknown): void {
    this.#host.inboxFailed(this, thrown)
    if (this.state === 'gone') return
    this.fail(asSockError(thrown, 'INBOX_FAILED', 'the inbox', this.address))
  }

  /** See Messages. */
  again(kept: Kept): SockError | undefined {
    return this.#messages.again(kept)
  }

  /** See Messages. */
  offer(type: TypeInfo, body: Uint8Array, options: MessageOptions, key: Key | undefined): void {
    this.#messages.offer(type, body, options, key)
  }

  sendRaw(payload: Uint8Array): Promise<void> {
    const error = this.#error('OVER_PLAIN', RAW_UNDER_V1)
    return this.refuse('unsendable', error, payload.length)
  }

  /** What it resolves to is for the types of the contract to say. */
  request(type: string, data?: unknown, options: RequestOptions = {}): Promise<never> {
    try {
      const { calls } = this.#mux
      const { callTimeout } = this.owner.settings
      return calls.request(this.#mux.typeOf(type, 'call'), data, options, callTimeout) as Promise<never>
    } catch (thrown) {
      return rejected(thrown as Error)
    }
  }

  stream(type: string, data?: unknown, options: StreamOptions = {}): AsyncIterableIterator<never> {
    const open = (): Stream => this.#mux.streams.open(this.#mux.typeOf(type, 'feed'), data, options)
    return new FeedReader(open) as AsyncIterableIterator<never>
  }

  channel(type: string, options: StreamOptions = {}): ChannelEnd & AsyncIterable<never> {
    const stream = this.#mux.streams.open(this.#mux.typeOf(type, 'channel'), undefined, options)
    return new ChannelEnd(stream, false) as ChannelEnd & AsyncIterable<never>
  }

  flushed(): Promise<void> {
    if (this.state === 'gone') return rejected(this.goneError())
    const { session } = this
    const flushed = this.#out.emptied().then(() => this.outbox.emptied())
    // What was with a connection that broke is sent again: then there is no telling but by its acknowledgement.
    return session === undefined
      ? flushed
      : flushed.catch((thrown: unknown) =>
          this.state === 'gone' ? rejected(thrown as Error) : this.#out.settled(),
        )
  }

  // What its parts ask

  barred(type: TypeInfo): SockError | undefined {
    if (this.over !== undefined) return this.goneError()
    if (type.kind !== 'msg') {
      // Nobody is there to answer, though what came before may still be handled here.
      if (this.farEnded) return this.#error('PEER_GONE', 'the far side has ended')
      if (this.#in.draining) return this.#error('DRAINING', 'the far side is ending')
    }
    return undefined
  }

  dropped(reason: DropReason, bytes: number): void {
    this.drop(reason, 1, bytes)
  }

  onGoaway(delay: number): void {
    this.leaving.onGoaway(delay, this.#host.platform)
  }

  gaveUp(): void {
    this.#pace.onReset()
  }

  idled(): void {
    this.onIdle()
  }

  tooSlow(error: SockError): void {
    this.fail(error)
  }

  get unwritten(): number {
    return this.outbox.queued
  }

  pauseReading(): void {
    this.pipe.pause()
    // A frame cannot be finished while nobody reads.
    this.watch.pause()
  }

  resumeReading(): void {
    if (!this.isAttached || this.state === 'gone') return
    this.watch.resume()
    this.pipe.resume()
  }

  #error(code: ErrorCode, what: string): SockError {
    return this.#mux.error(code, what)
  }

  // What the connection needs

  protected override onFrame(payload: Uint8Array): void {
    if (this.#pace.begins()) this.session?.heard()
    if (this.#pace.putsOff(payload)) return
    this.#in.onFrame(payload)
    this.#pace.took()
  }

  takeFrame(payload: Uint8Array): void {
    if (this.state === 'gone' || !this.isAttached) return
    try {
      this.#in.onFrame(payload)
    } catch (thrown) {
      this.failAs(thrown)
    }
  }

  onFrames(): void {
    if (this.state !== 'gone' && this.isAttached) this.#in.onChunk()
  }

  protected override finishReading(): void {
    this.#pace.finish()
  }

  protected override onChunk(): void {
    if (this.state === 'gone') return
    this.#vitals.heard()
    this.signs.heard()
    this.#in.onChunk()
    this.#pace.onChunk()
  }

  protected override onProgress(): void {
    this.#out.pumpSoon()
    this.#pace.onProgress()
  }

  protected override onSendersWait(): void {
    // They wait for this peer, not for its outbox.
  }

  protected override get messagesOut(): number {
    return this.#out.messages
  }

  protected override get queued(): number {
    return this.#out.queued
  }

  protected override get idle(): boolean {
    return this.#in.idle
  }

  /** The pipe is always read, whatever our handlers do: silence is silence. */
  protected override get busyReading(): boolean {
    return false
  }

  protected override get arrived(): number {
    return this.#in.frames + this.#pace.waiting
  }

  protected override get waiting(): number {
    return this.#in.waiting
  }

  // Another connection

  /** A farewell of either side ends the session with the connection. */
  protected override get outlives(): boolean {
    return this.session !== undefined && !this.leaving.isFinal
  }

  protected override onDetached(error: SockError | undefined): void {
    this.#vitals.stop()
    this.#pace.detached()
    this.#in.detach()
    this.#out.detach()
    this.session?.detached()
    this.signs.fresh()
    this.#host.onDetached(this, error)
  }

  get silentFor(): number {
    return this.watch.silent
  }

  get stuckFor(): number {
    return this.outbox.stuckFor
  }

  ping(): void {
    this.#out.frames.ping(this.#host.offer.ttl)
  }

  judgedDead(error: SockError): void {
    this.broke(error)
  }

  hurry(): void {
    this.#host.hurry(this)
  }

  /** The pipe that it was made with broke before it was a peer. */
  lostPipe(cause: SockError): void {
    this.broke(this.#mux.error('PIPE_FAILED', `the connection broke: ${cause.what}`, cause))
  }

  leave(error: SockError): void {
    this.detach(error)
  }

  goOn(pipe: Pipe, early: Uint8Array): void {
    this.reattach(pipe)
    this.#out.attach(this.outbox)
    this.#in.attach()
    this.leaving.attached()
    this.#out.pump()
    this.signs.fresh()
    this.#host.onResumed(this)
    this.start(early)
  }

  lost(why: SessionLost): void {
    if (this.isAttached) this.fail(why)
    else this.endDetached(why)
  }

  // Endings

  /** Takes nothing new, and finishes what was begun. */
  protected override async settled(): Promise<void> {
    if (this.over === undefined) this.leaving.goaway()
    await this.#mux.settled()
    await this.#in.leave()
    await this.#host.told()
  }

  protected override lastSends(): void {
    // Nothing of this peer's waits elsewhere.
  }

  protected override readyToEnd(): Promise<void> {
    return this.leaving.goodbye()
  }

  protected override get cutShort(): SockError | undefined {
    return this.leaving.cutShort
  }

  protected override broken(cause: Error): SockError | undefined {
    return this.leaving.mayFail ? this.cutShort : super.broken(cause)
  }

  protected override onFarEnded(): void {
    this.#out.farEnded()
    this.#mux.cut(this.#error('PEER_GONE', 'the far side has ended'))
  }

  protected override stopHandling(): Loss {
    return this.#in.stop()
  }

  protected override letGo(ours: boolean, error: SockError | undefined): Loss {
    this.#vitals.stop()
    this.#in.end()
    this.session?.end()
    this.signs.changed()
    this.#leave?.()
    if (ours && this.isAttached) this.leaving.close(error)
    const why = this.goneError()
    this.leaving.end(why)
    if (error instanceof SessionLost && this.session !== undefined)
      return this.#lose(this.session, error, why)
    this.#mux.cut(why)
    const proved = this.session?.proved ?? false
    return this.#out.end(why, ours && error === undefined ? 'closed' : 'gone', proved, false)
  }

  /** As the option `sessionLost` says. */
  #lose({ proved, key }: PeerSession, error: SessionLost, why: SockError): Loss {
    const { frames } = this.#out
    const { sessionLost: policy } = this.#host.settings
    const left = frames.unacknowledged
    if (policy === 'drop') {
      const { messages, bytes } = frames.unacknowledgedEvents
      this.drop(proved ? 'gone' : 'lost', messages, bytes)
    }
    this.#mux.cut(why)
    const { kept, waited } = this.#out.salvage(key, proved)
    const loss = this.#out.end(why, 'lost', proved, policy !== 'fail')
    const [unknown, never] = proved ? [0, left] : [left, 0]
    this.#host.onSessionLost(this, error, {
      deliveredThrough: this.#mux.sequence.acked,
      unknown,
      neverSent: loss.messages + never + waited,
      resent: this.#host.hold(this, kept),
    })
    return loss
  }
}
