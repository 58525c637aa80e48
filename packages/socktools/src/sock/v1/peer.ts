/*
 * One connection on wire v1. The way of a message:
 *
 * In:   pipe `data` → decoder → Inbound: header, seq and ack → chunks, credit → inbox of its priority (events), calls or
 *       streams → codec → schema → dispatch: middleware → handler
 * Out:  sendMsg, request, stream, channel (codec) → Outbound: lanes (credit, priorities, chunks, seq) → outbox (header,
 *       into slabs) → one `pipe.write` per turn
 */
import type { Contract, TypeInfo } from '../../contract/protocol.ts'
import { type ErrorCode, SockError, asSockError } from '../../errors.ts'
import type { Pipe } from '../../net/pipe.ts'
import type { Codec } from '../../wire/codec.ts'
import { encodeGoaway, encodePrefix, type HeaderSlot, prefixFlags } from '../../wire/v1/bodies.ts'
import * as kinds from '../../wire/v1/frame.ts'
import type { Entry } from '../../wire/v1/lanes.ts'
import type { Hello, Mine, Resume, Session } from '../../wire/v1/hello.ts'
import { type Blocks, Retained } from '../../wire/v1/retained.ts'
import { Resumption, SessionLost } from '../../wire/v1/resumption.ts'
import { Sequence } from '../../wire/v1/session.ts'
import type { Deadline, Deadlines } from '../deadlines.ts'
import type { OutboxShared } from '../outbox.ts'
import type { Loss, PeerOwner } from '../peer-hooks.ts'
import { PipePeer } from '../pipe-peer.ts'
import type { DropReason, MessageOptions, Outcome, Receipt, RequestOptions, StreamOptions } from '../types.ts'
import { rejected, Waiter } from '../waiter.ts'
import { Calls, joined, type Served } from './calls.ts'
import { type DataCodec, encodeData, keyOf } from './data.ts'
import type { FarTypes } from './far-types.ts'
import { type FrameWriter, MAX_FRAME } from './frame-writer.ts'
import type { Again, GreetedV1, Resumable } from './greeting.ts'
import { Inbound, type Takers } from './inbound.ts'
import { Spare } from './keep.ts'
import type { Asked, Link } from './link.ts'
import { Outbound } from './outbound.ts'
import type { Key, Settle } from './parcels.ts'
import type { Stream } from './stream.ts'
import { ChannelEnd, FeedReader } from './stream-ends.ts'
import { Streams } from './streams.ts'
import { Vitals } from './vitals.ts'

/** What a peer needs of its sock. */
export interface V1Host<C extends Codec> extends PeerOwner<C, V1Peer<C>> {
  /** Their framing is the writer. */
  readonly outboxes: OutboxShared
  readonly writer: FrameWriter
  readonly contract: Contract
  readonly offer: Mine
  readonly inbox: Takers['inbox']
  codecNamed(name: string): DataCodec
  /** An event; `read` gives its data, checked, and may take its time. Never throws or rejects. */
  event(
    peer: V1Peer<C>,
    type: TypeInfo,
    body: Uint8Array,
    read: () => unknown,
    headers: HeaderSlot | undefined,
  ): Promise<void> | undefined
  /** What the handler of a call, feed or channel gives. */
  serve(peer: V1Peer<C>, asked: Asked, channel: ChannelEnd | undefined): { answer: unknown; served: Served }
  /** A handler threw, or there was none. */
  failed(peer: V1Peer<C>, thrown: unknown, type: TypeInfo): void
  /** What was asked, or an item of a channel that is served here, is not what the schema takes. */
  invalid(peer: V1Peer<C>, type: TypeInfo, body: Uint8Array, error: SockError): void
  /** A message of a type that this side has not. */
  unhandled(peer: V1Peer<C>, type: string | number, body: Uint8Array): void
  /** An answer came that nobody waits for any more. */
  late(): void
  /** What sessions keep is kept in these. */
  readonly blocks: Blocks
  randomBytes(n: number): Uint8Array
  /** The connection broke, and the session waits for another one. */
  onDetached(peer: V1Peer<C>, error: SockError | undefined): void
  onResumed(peer: V1Peer<C>): void
  onSessionLost(peer: V1Peer<C>, why: SessionLost, unknown: number, neverSent: number): void
}

const NO_OPTIONS: RequestOptions = {}

/** More than this waits to be written only where frames of our own making answer frames that nothing else bounds. */
const MOST_QUEUED = 512 * 1024
/** One connection may keep the loop for so many milliseconds of a turn, then the others are served. */
const TURN_BUDGET = 5

const FIRST_LANE = kinds.EVENT_LANES
const LAST_LANE = 0xffff_ffff

export class V1Peer<C extends Codec> extends PipePeer<C> implements Link, Resumable {
  readonly wire = 'v1'
  /** Where it was dialed, as that was written: it can be dialed again. */
  readonly dialedAt: string | undefined
  /** To be called when it is gone. */
  readonly onOver: (() => void) | undefined
  /** Undefined: the session ends with the connection. */
  readonly session: Resumption | undefined
  readonly codec: DataCodec
  readonly maxMessage: number
  readonly deadlines: Deadlines
  readonly now: () => number
  readonly spare = new Spare()
  /** Who the far side says it is, in hex. Nothing proves it. */
  readonly nodeId: string
  readonly #host: V1Host<C>
  readonly #types: FarTypes
  readonly #out: Outbound
  readonly #in: Inbound
  readonly #calls: Calls
  readonly #streams: Streams
  readonly #sequence = new Sequence()
  #vitals: Vitals
  /** Of what we open next; odd: we dialed. */
  #lane: number
  #reused = false
  /** Ends the session that waits for another connection. */
  #expiry: Deadline | undefined
  /** Nothing has come over this connection yet. */
  #unconfirmed = true
  /** Not read, until the outbox has got rid of something, or until the next turn. */
  #held = false
  #yielding = false
  /** Frames of this chunk came. */
  #begun = false
  /** The session is over, and the far side told up to where it had what we sent. */
  #proved = false

  constructor(
    id: string,
    pipe: Pipe,
    dialed: boolean,
    host: V1Host<C>,
    greeted: GreetedV1,
    dialedAt: string | undefined,
  ) {
    const { settings, platform, outboxes, writer, offer, deadlines } = host
    const { theirs, types, nodeId } = greeted
    super(id, pipe, dialed, host, {
      framing: writer,
      maxFrame: MAX_FRAME,
      outboxes,
      timeout: settings.timeout,
      saysWhy: true,
    })
    this.#host = host
    this.#types = types
    this.nodeId = nodeId
    this.codec = host.codecNamed(greeted.codec)
    this.maxMessage = theirs.maxMessage
    this.deadlines = deadlines
    this.now = platform.now
    this.#lane = FIRST_LANE + (dialed ? 1 : 0)
    const isGone = (): boolean => this.state === 'gone'
    const failed = (thrown: unknown, type: TypeInfo): void => {
      host.failed(this, thrown, type)
    }
    const invalid = (type: TypeInfo, body: Uint8Array, error: SockError): void => {
      host.invalid(this, type, body, error)
    }
    const sequence = this.#sequence
    const { session } = greeted
    this.dialedAt = dialedAt
    this.onOver = greeted.onOver
    // Who cannot dial again, nor be dialed, has nothing to wait for.
    if (session !== undefined && (!dialed || dialedAt !== undefined))
      this.session = new Resumption(session.sessionId, session.token, theirs.incarnation)
    this.#calls = new Calls(
      this,
      {
        serve: (asked) => host.serve(this, asked, undefined),
        failed,
        late: () => {
          host.late()
        },
      },
      theirs.maxCalls,
    )
    const serve = (asked: Asked, stream: Stream): { answer: unknown; served: Served } =>
      host.serve(this, asked, asked.type.kind === 'channel' ? new ChannelEnd(stream, true) : undefined)
    this.#streams = new Streams(this, { serve, failed, invalid }, theirs.maxStreams)
    this.#out = new Outbound(sequence, this.outbox, {
      retained: this.session && new Retained(host.blocks),
      maxRetained: settings.maxRetained,
      outboxes,
      writer,
      platform,
      deadlines,
      highWaterMark: settings.highWaterMark,
      theirs,
      isGone,
      drop: (reason, bytes) => {
        this.drop(reason, 1, bytes)
      },
      onWait: (waiting) => {
        this.#in.lend(waiting ? settings.maxQueue : 0)
      },
      onRoom: (lane) => {
        this.#streams.at(lane)?.onRoom()
      },
      onWritten: (lane) => {
        this.#in.written(lane)
      },
    })
    this.#in = new Inbound(sequence, this.#out, {
      dialed,
      codec: this.codec,
      types,
      spare: this.spare,
      own: offer,
      calls: this.#calls,
      streams: this.#streams,
      deadlines,
      inbox: host.inbox,
      isGone,
      event: (type, body, read, headers) => host.event(this, type, body, read, headers),
      unhandled: (type, body) => {
        host.unhandled(this, type, body)
      },
      invalid,
      behind: (bytes) => {
        this.drop('behind', 1, bytes)
      },
      onIdle: () => {
        this.onIdle()
      },
    })
    this.#vitals = this.#newVitals()
  }

  #newVitals(): Vitals {
    const { settings, deadlines, offer } = this.#host
    return new Vitals(settings, deadlines, {
      silent: () => this.watch.silent,
      stuckFor: () => this.outbox.stuckFor,
      ping: () => {
        this.#out.ping(offer.ttl)
      },
      dead: (error) => {
        this.broke(error)
      },
    })
  }

  override start(early?: Uint8Array): void {
    if (this.state === 'gone') return
    this.#vitals.start()
    super.start(early)
  }

  // What the application calls

  sendMsg(type: string, data: unknown, options: MessageOptions = {}): Promise<void> {
    return this.#send(type, data, options, undefined)
  }

  send(type: string, data: unknown, options: MessageOptions = {}): Receipt {
    const outcome = new Waiter<Outcome>()
    return { accepted: this.#send(type, data, options, outcome.resolve), outcome: outcome.promise }
  }

  #send(type: string, data: unknown, options: MessageOptions, settle: Settle | undefined): Promise<void> {
    try {
      const info = this.#typeOf(type, 'msg')
      const body = encodeData(info.input, this.codec, data)
      const key = info.delivery === undefined ? undefined : keyOf(info, data)
      return this.#post(info, body, options, this.owner.settings.slowPeer ?? 'reject', key, settle)
    } catch (thrown) {
      const error = asSockError(thrown, 'CANNOT_ENCODE', 'the codec failed', this.address)
      return this.#refuse('unsendable', error, 0, settle)
    }
  }

  /** One of several who are sent this, in the codec of this connection: it never rejects, and holds nobody up. */
  offer(type: TypeInfo, body: Uint8Array, options: MessageOptions, key: Key | undefined): void {
    // What is refused is counted there; the promise is marked handled.
    void this.#post(type, body, options, this.owner.settings.slowPeer ?? 'drop', key, undefined)
  }

  #post(
    type: TypeInfo,
    body: Uint8Array,
    { headers }: MessageOptions,
    slow: 'drop' | 'reject' | 'close',
    key: Key | undefined,
    settle: Settle | undefined,
  ): Promise<void> {
    const { highWaterMark, maxQueue } = this.owner.settings
    let sent = body
    if (headers !== undefined) {
      try {
        sent = joined(encodePrefix(undefined, headers), body)
      } catch (thrown) {
        const error = asSockError(thrown, 'BAD_OPTION', 'the headers', this.address)
        return this.#refuse('unsendable', error, body.length, settle)
      }
    }
    const refused = this.unsendable(type, body.length, sent.length - body.length)
    if (refused !== undefined) return this.#refuse(this.over ?? 'unsendable', refused, body.length, settle)
    const { queued } = this.#out
    const { delivery } = type
    if (delivery === 'volatile' && (queued > highWaterMark || !this.attached))
      return this.#miss(this.attached ? 'slow' : 'away', sent.length, settle)
    if (queued > highWaterMark) {
      const freed = key === undefined ? 0 : this.#out.replaceable(type, key)
      if (queued - freed + sent.length > maxQueue) return this.#overflow(sent.length, slow, settle)
    }
    const flags = prefixFlags(undefined, headers)
    if (delivery === undefined && settle === undefined)
      this.#out.put(type.priority, kinds.EVENT, flags, type.index, sent)
    else this.#out.send(type, flags, sent, key, settle)
    this.#out.messages++
    return this.#out.room()
  }

  #refuse(why: DropReason, error: SockError, bytes: number, settle: Settle | undefined): Promise<never> {
    settle?.({ status: 'not-delivered', reason: why })
    return this.refuse(why, error, bytes)
  }

  /** It is dropped without an error. */
  #miss(why: DropReason, bytes: number, settle: Settle | undefined): Promise<void> {
    settle?.({ status: 'not-delivered', reason: why })
    this.drop(why, 1, bytes)
    return this.#host.outboxes.turn.pause
  }

  #overflow(bytes: number, policy: 'drop' | 'reject' | 'close', settle: Settle | undefined): Promise<void> {
    settle?.({ status: 'not-delivered', reason: 'slow' })
    this.drop('slow', 1, bytes)
    if (policy === 'drop') return this.#host.outboxes.turn.pause
    const error = this.error('SLOW_PEER', `${this.queued} bytes wait to be sent already`)
    if (policy === 'close') this.fail(error)
    return rejected(error)
  }

  sendRaw(payload: Uint8Array): Promise<void> {
    const error = this.error('OVER_PLAIN', 'sendRaw is of the plain wire: declare a type as msg(bytes())')
    return this.refuse('unsendable', error, payload.length)
  }

  /** What it resolves to is for the types of the contract to say. */
  request(type: string, data?: unknown, options: RequestOptions = NO_OPTIONS): Promise<never> {
    try {
      const info = this.#typeOf(type, 'call')
      const { timeout = info.deadline ?? this.owner.settings.callTimeout } = options
      if (!(timeout >= 0))
        throw this.error('BAD_OPTION', `timeout is a number of milliseconds, not ${timeout}`)
      return this.#calls.request(info, data, options, timeout) as Promise<never>
    } catch (thrown) {
      return rejected(thrown as Error)
    }
  }

  stream(type: string, data?: unknown, options: StreamOptions = {}): AsyncIterableIterator<never> {
    const open = (): Stream => this.#streams.open(this.#typeOf(type, 'feed'), data, options)
    return new FeedReader(open) as AsyncIterableIterator<never>
  }

  channel(type: string, options: StreamOptions = {}): ChannelEnd & AsyncIterable<never> {
    const stream = this.#streams.open(this.#typeOf(type, 'channel'), undefined, options)
    return new ChannelEnd(stream, false) as ChannelEnd & AsyncIterable<never>
  }

  #typeOf(name: string, kind: TypeInfo['kind']): TypeInfo {
    const info = this.#host.contract.byName.get(name)
    if (info === undefined)
      throw this.error('UNKNOWN_TYPE', `the contract has no type ${JSON.stringify(name)}`)
    if (info.kind === kind) return info
    throw this.error('UNKNOWN_TYPE', `${JSON.stringify(name)} is a ${info.kind}, not a ${kind}`)
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

  // What calls and streams use

  error(code: ErrorCode, what: string, cause?: unknown): SockError {
    return new SockError(code, what, { address: this.address, cause })
  }

  unsendable(type: TypeInfo, bytes: number, prefix = 0): SockError | undefined {
    if (this.over !== undefined) return this.goneError()
    if (type.kind !== 'msg') {
      // Nobody is there to answer, though what came before may still be handled here.
      if (this.farEnded) return this.error('PEER_GONE', 'the far side has ended')
      if (this.#in.draining) return this.error('DRAINING', 'the far side is ending')
    }
    const lacks = this.#types.lacks(type)
    if (lacks !== undefined) return this.error('UNKNOWN_TYPE', lacks)
    return this.tooLarge(type, bytes, prefix)
  }

  tooLarge(type: TypeInfo, bytes: number, prefix = 0): SockError | undefined {
    const { maxMessage } = this
    if (bytes <= (type.maxSize ?? Infinity) && bytes + prefix <= maxMessage) return undefined
    const most = Math.min(maxMessage - prefix, type.maxSize ?? Infinity)
    return this.error('TOO_LARGE', `a message of ${bytes} bytes, and ${most} is the most`)
  }

  openLane(priority: number): number {
    const lane = this.nextLane()
    this.#out.open(lane, priority)
    this.#in.open(lane)
    return lane
  }

  nextLane(): number {
    // Until all ids were used once, the next one is free.
    if (this.#reused) while (this.#isOpen(this.#lane)) this.#step()
    const lane = this.#lane
    this.#step()
    return lane
  }

  #isOpen(lane: number): boolean {
    return this.#out.has(lane) || this.#in.has(lane) || this.#calls.has(lane)
  }

  #step(): void {
    this.#lane += 2
    if (this.#lane <= LAST_LANE) return
    this.#lane = FIRST_LANE + (this.dialed ? 1 : 0)
    this.#reused = true
  }

  openOut(lane: number, priority: number): void {
    this.#out.open(lane, priority)
  }

  pass(
    lane: number,
    priority: number,
    kind: number,
    flags: number,
    type: number,
    deadline: number,
    body: Uint8Array,
  ): boolean {
    return this.#out.pass(lane, priority, kind, flags, type, deadline, body)
  }

  last(lane: number, priority: number, kind: number, body: Uint8Array): void {
    this.#out.last(lane, priority, kind, body)
  }

  put(lane: number, kind: number, flags: number, type: number, body: Uint8Array): Entry | undefined {
    return this.#out.put(lane, kind, flags, type, body)
  }

  revoke(lane: number, entry: Entry): boolean {
    return this.#out.revoke(lane, entry)
  }

  abort(lane: number, kind: number, body: Uint8Array): void {
    this.#out.abort(lane, kind, body)
  }

  finish(lane: number): void {
    this.#out.finish(lane)
  }

  closeIncoming(lane: number): void {
    this.#in.close(lane)
  }

  taken(lane: number, bytes: number): void {
    this.#in.taken(lane, bytes)
  }

  isFull(lane: number): boolean {
    return this.#out.isFull(lane)
  }

  // What the connection needs

  protected override onFrame(payload: Uint8Array): void {
    if (!this.#begun) {
      this.#begun = true
      // From here on the turn is counted, if it is not already.
      this.#host.outboxes.turn.spent()
      if (this.#unconfirmed) this.session?.confirm()
      this.#unconfirmed = false
    }
    this.#in.onFrame(payload)
  }

  protected override onChunk(): void {
    if (this.state === 'gone') return
    this.#vitals.heard()
    this.#in.onChunk()
    this.#giveWay()
  }

  /**
   * The pipe is always read, but for these two. A far side that has us answer frame by frame, PING by PONG, and takes none
   * of it waits until it has. And one that has much to say lets the others have their turn.
   */
  #giveWay(): void {
    const { outboxes, platform } = this.#host
    this.#begun = false
    if (this.outbox.queued > MOST_QUEUED) this.#held = true
    else if (outboxes.turn.spent() > TURN_BUDGET && !this.#yielding) {
      this.#yielding = true
      platform.afterPoll(() => {
        this.#yielding = false
        this.#goOn()
      })
    }
    if (this.#held || this.#yielding) this.pipe.pause()
  }

  #goOn(): void {
    if (!this.#held && !this.#yielding && this.attached && this.state !== 'gone') this.pipe.resume()
  }

  protected override onProgress(): void {
    this.#out.pumpSoon()
    if (!this.#held || this.outbox.queued > MOST_QUEUED / 2) return
    this.#held = false
    this.#goOn()
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
    return this.#in.frames
  }

  protected override get waiting(): number {
    return this.#in.waiting
  }

  // Another connection

  /** A farewell of either side ends the session with the connection. */
  protected override get outlives(): boolean {
    return this.session !== undefined && this.#in.farewell === undefined && !this.#out.saidGoodbye
  }

  protected override onDetached(error: SockError | undefined): void {
    const { settings, deadlines } = this.#host
    this.#vitals.stop()
    this.#held = this.#begun = false
    this.#in.detach()
    this.#out.detach()
    this.#expiry = deadlines.set(settings.sessionTtl, () => {
      this.lose(new SessionLost('expired', undefined, this.address))
    })
    this.#host.onDetached(this, error)
  }

  /** It had no connection when it ended, or has none now. */
  get wasDetached(): boolean {
    return !this.attached
  }

  /** Up to where we have what the far side sent. */
  get received(): number {
    return this.#sequence.received
  }

  /** A dialer: what HELLO asks for now. */
  again(): Again {
    const { session } = this
    if (session === undefined) throw new SessionLost('unknown-session', undefined, this.address)
    const { incarnation } = session
    return { resume: session.request(this.#sequence.received), codec: this.codec.name, incarnation }
  }

  /** An acceptor: this HELLO goes on with our session. */
  takeOver(hello: Hello): Session {
    const { session, state } = this
    const refusal = session === undefined || state === 'gone' ? 'unknown-session' : session.refusal(hello)
    if (session === undefined || refusal !== undefined)
      throw new SessionLost(refusal ?? 'unknown-session', undefined, this.address)
    const resume = hello.resume as Resume
    if (!this.#canGoOnFrom(resume.lastRecv)) {
      // What we received is for the far side to know; it says nothing about what that has of ours.
      this.lose(new SessionLost('position-gone', undefined, this.address))
      throw new SessionLost('position-gone', this.#sequence.received, this.address)
    }
    // First of all: what the old connection still held must not be counted as received, since it is sent again.
    if (this.attached)
      this.detach(this.error('PIPE_FAILED', 'the far side has come back over another connection'))
    const token = this.#host.randomBytes(16)
    session.grant(resume, token)
    return { sessionId: session.id, token, lastRecv: this.#sequence.received }
  }

  /** Goes on over another connection. `lastRecv`: up to where the far side has what we sent. */
  resume(pipe: Pipe, { early, session, resumed }: GreetedV1): void {
    const { lastRecv = 0, connGen } = resumed ?? {}
    if (this.attached || this.state === 'gone' || connGen !== this.session?.connGen) {
      // Overtaken by a later connection, or ended meanwhile.
      pipe.destroy()
      return
    }
    if (!this.#canGoOnFrom(lastRecv)) {
      pipe.destroy()
      this.lose(new SessionLost('position-gone', undefined, this.address))
      return
    }
    this.#expiry?.cancel()
    if (this.dialed && session !== undefined) this.session?.granted(session)
    this.#sequence.ack(lastRecv)
    this.#out.acked()
    this.#unconfirmed = true
    this.reattach(pipe)
    this.#vitals = this.#newVitals()
    this.#out.attach(this.outbox)
    this.#in.attach()
    this.#out.pump()
    this.#host.onResumed(this)
    this.start(early)
  }

  #canGoOnFrom(lastRecv: number): boolean {
    return lastRecv >= this.#sequence.acked && lastRecv <= this.#sequence.sent
  }

  /** The session cannot go on. What the far side had received is told if it is known. */
  lose(why: SessionLost): void {
    const { lastRecv } = why
    if (lastRecv !== undefined && this.#canGoOnFrom(lastRecv)) {
      this.#sequence.ack(lastRecv)
      this.#out.acked()
      this.#proved = true
    }
    if (this.attached) this.fail(why)
    else this.endDetached(why)
  }

  // Endings

  /** Takes nothing new, and finishes what was begun. */
  protected override async settled(): Promise<void> {
    if (this.over === undefined) this.#out.control(kinds.GOAWAY, encodeGoaway({ delay: 0, code: '' }))
    this.#calls.drain()
    this.#streams.drain()
    await Promise.all([this.#in.settled(), this.#calls.settled(), this.#streams.settled()])
  }

  protected override lastSends(): void {
    // Nothing of this peer's waits elsewhere.
  }

  protected override async readyToEnd(): Promise<void> {
    await this.#out.settled()
    this.#out.goodbye('')
    await this.outbox.emptied()
  }

  protected override get cutShort(): SockError | undefined {
    const { farewell } = this.#in
    if (farewell === undefined) return this.error('PIPE_FAILED', 'the connection ended without GOODBYE')
    if (farewell === '' || farewell === CLOSED) return undefined
    return this.error('PIPE_FAILED', `the far side ended the connection: ${farewell}`)
  }

  /** Behind its GOODBYE a write may well fail: that alone is nothing wrong. */
  protected override broken(cause: Error): SockError | undefined {
    const { farewell } = this.#in
    // Drained, it was to take all that we still had for it; closed, it takes nothing any more.
    const missed = farewell === '' && !this.#out.confirmed
    return farewell === undefined || missed ? super.broken(cause) : this.cutShort
  }

  protected override onFarEnded(): void {
    this.#out.farEnded()
    this.#cut(this.error('PEER_GONE', 'the far side has ended'))
  }

  #cut(why: SockError): void {
    this.#calls.end(why)
    this.#streams.end(why)
  }

  protected override stopHandling(): Loss {
    return this.#in.stop()
  }

  protected override letGo(ours: boolean, error: SockError | undefined): Loss {
    this.#vitals.stop()
    this.#in.end()
    this.#expiry?.cancel()
    if (ours && this.attached) {
      // As far as the system takes it at once.
      this.#out.goodbye(error?.code ?? CLOSED)
      this.outbox.flush()
    }
    const why = this.goneError()
    const left = this.#out.unacknowledged
    this.#cut(why)
    const isLost = error instanceof SessionLost
    const loss = this.#out.end(
      why,
      isLost ? 'lost' : ours && error === undefined ? 'closed' : 'gone',
      this.#proved,
    )
    if (isLost) {
      const [unknown, never] = this.#proved ? [0, left] : [left, 0]
      this.#host.onSessionLost(this, error, unknown, loss.messages + never)
    }
    return loss
  }
}

/** The code of a GOODBYE where one side is closed at once, and nothing is wrong. */
const CLOSED = 'CLOSED'
