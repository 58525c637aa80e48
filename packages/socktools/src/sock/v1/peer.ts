/*
 * One connection on wire v1. The way of a message:
 *
 * In:   pipe `data` → decoder → header, seq and ack → arrivals (chunks, credit) → inbox of its priority (events),
 *       calls or streams → codec → schema → middleware → handler
 * Out:  sendMsg, request, stream … (codec) → lanes (credit, priorities, chunks, seq) → outbox (header, into slabs) →
 *       one `pipe.write` per turn
 */
import { type ErrorCode, SockError, asSockError, fail } from '../../errors.ts'
import type { Contract, TypeInfo } from '../../contract/protocol.ts'
import type { Pipe } from '../../net/pipe.ts'
import type { Codec } from '../../wire/codec.ts'
import { Incoming } from '../../wire/v1/arrivals.ts'
import {
  type Credit,
  decodeCredit,
  decodeGoaway,
  decodeGoodbye,
  decodePing,
  decodePrefix,
  encodeCredit,
  encodeFault,
  encodeGoaway,
  encodeGoodbye,
  encodePing,
  encodePrefix,
  type HeaderSlot,
  MAX_CREDITS,
  type Prefix,
  prefixFlags,
} from '../../wire/v1/bodies.ts'
import * as kinds from '../../wire/v1/frame.ts'
import { HEADER, Header, isKnown, nameOfKind } from '../../wire/v1/frame.ts'
import type { Limits, Mine } from '../../wire/v1/hello.ts'
import { type Entry, Outgoing } from '../../wire/v1/lanes.ts'
import { ACK_DELAY, Sequence } from '../../wire/v1/session.ts'
import type { Deadline, Deadlines } from '../deadlines.ts'
import { Inbox } from '../inbox.ts'
import type { OutboxShared } from '../outbox.ts'
import { type Loss, type PeerOwner, PipePeer } from '../pipe-peer.ts'
import type { Maybe, MessageOptions, PeerStats, RequestOptions, StreamOptions } from '../types.ts'
import { rejected, Waiter } from '../waiter.ts'
import { Calls, joined, type Served } from './calls.ts'
import { decodeData, encodeData, type DataCodec } from './data.ts'
import type { FarTypes } from './far-types.ts'
import { type FrameWriter, MAX_FRAME } from './frame-writer.ts'
import type { GreetedV1 } from './greeting.ts'
import type { Asked, Link } from './link.ts'
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
  codecNamed(name: string): DataCodec
  /** An event: its data as it came, and checked; a promise where a schema is asynchronous. Never throws or rejects. */
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
  /** A message of a type that this side has not. */
  unhandled(peer: V1Peer<C>, type: string | number, body: Uint8Array): void
  late(peer: V1Peer<C>): void
}

/** How much the outbox is given before the pipe has got rid of it: what is in there has no order of priority any more. */
const FEED = 256 * 1024
/** What may wait on the lane of a stream before its sender does. */
const STREAM_MARK = 256 * 1024
const NOTHING = new Uint8Array(0)

export class V1Peer<C extends Codec> extends PipePeer<C> implements Link {
  readonly wire = 'v1'
  readonly codec: DataCodec
  readonly maxMessage: number
  readonly deadlines: Deadlines
  readonly now: () => number
  /** What the far side says who it is, in hex. Nothing proves it. */
  readonly nodeId: string
  readonly #host: V1Host<C>
  readonly #theirs: Limits
  readonly #types: FarTypes
  readonly #sequence = new Sequence()
  readonly #outgoing: Outgoing
  readonly #incoming: Incoming
  readonly #header = new Header()
  /** By priority; each made when it is needed. */
  readonly #inboxes: (Inbox | undefined)[] = [undefined, undefined, undefined, undefined]
  readonly #calls: Calls
  readonly #streams: Streams
  readonly #vitals: Vitals
  /** Open lanes of the far side, and of how many of them are calls. */
  readonly #theirLanes = new Map<number, TypeInfo | string | undefined>()
  #nextLane: number
  #messagesOut = 0
  #frames = 0
  #room: Waiter | undefined
  #empty: Waiter | undefined
  #pumpDue = false
  #ackTimer: Deadline | undefined
  /** The far side takes nothing new; it says GOODBYE. */
  #farDraining = false
  #farewell: string | undefined

  constructor(id: string, pipe: Pipe, dialed: boolean, host: V1Host<C>, greeted: GreetedV1) {
    const { settings, platform, outboxes, offer } = host
    super(id, pipe, dialed, host, {
      framing: host.writer,
      maxFrame: MAX_FRAME,
      outboxes,
      timeout: settings.timeout,
    })
    this.#host = host
    this.#theirs = greeted.theirs
    this.#types = greeted.types
    this.codec = host.codecNamed(greeted.codec)
    this.nodeId = greeted.nodeId
    this.maxMessage = greeted.theirs.maxMessage
    this.deadlines = host.deadlines
    this.now = platform.now
    // Odd: the dialer's.
    this.#nextLane = dialed ? kinds.EVENT_LANES + 1 : kinds.EVENT_LANES
    this.#outgoing = new Outgoing(this.#sequence, {
      frame: (kind, flags, type, lane, seq, body, from, to) => {
        const part = from === 0 && to === body.length ? body : body.subarray(from, to)
        this.#write(kind, flags, type, lane, seq, part)
      },
      room: () => FEED - this.outbox.queued,
      onRoom: (lane) => {
        this.#streams.at(lane)?.onRoom()
      },
    })
    this.#incoming = new Incoming(offer.maxMessage)
    for (let lane = 0; lane < kinds.EVENT_LANES; lane++) {
      this.#outgoing.open(lane, greeted.theirs.eventWindow, lane)
      this.#incoming.open(lane, offer.eventWindow)
    }
    const failed = (thrown: unknown, type: TypeInfo): void => {
      host.failed(this, thrown, type)
    }
    this.#calls = new Calls(
      this,
      {
        serve: (asked) => host.serve(this, asked, undefined),
        failed,
        late: () => {
          host.late(this)
        },
      },
      greeted.theirs.maxCalls,
    )
    this.#streams = new Streams(
      this,
      {
        serve: (asked, stream) =>
          host.serve(this, asked, asked.type.kind === 'channel' ? new ChannelEnd(stream) : undefined),
        failed,
      },
      greeted.theirs.maxStreams,
    )
    const peer = this
    this.#vitals = new Vitals(settings, host.deadlines, {
      get silent() {
        return peer.watch.silent
      },
      get stuckFor() {
        return peer.outbox.stuckFor
      },
      ping: () => {
        this.#control(kinds.PING, encodePing({ ttl: settings.timeout, nonce: new Uint8Array(8) }))
      },
      dead: (error) => {
        this.failAs(error)
      },
    })
  }

  override start(early?: Uint8Array): void {
    if (this.state === 'gone') return
    this.#vitals.start()
    super.start(early)
  }

  // Out: what the application calls

  sendMsg(type: string, data: unknown, options: MessageOptions = {}): Promise<void> {
    let info: TypeInfo
    let body: Uint8Array
    try {
      info = this.#typeOf(type, 'msg')
      body = encodeData(info.input, this.codec, data)
    } catch (thrown) {
      return this.refuse('unsendable', asSockError(thrown, 'CANNOT_ENCODE', 'the codec failed', this.address), 0)
    }
    return this.post(info, body, options)
  }

  /** Sends data that stand in the codec of this connection. */
  post(type: TypeInfo, body: Uint8Array, { headers }: MessageOptions): Promise<void> {
    const { highWaterMark, maxQueue, slowPeer = 'reject' } = this.owner.settings
    let sent = body
    const flags = prefixFlags(undefined, headers)
    try {
      const refused = this.unsendable(type, body.length)
      if (refused !== undefined) throw refused
      if (flags !== 0) sent = joined(encodePrefix(undefined, headers), body)
    } catch (thrown) {
      const error = asSockError(thrown, 'BAD_OPTION', 'the headers', this.address)
      return this.refuse(this.state === 'open' ? 'unsendable' : this.state, error, body.length)
    }
    const { queued } = this
    if (queued > highWaterMark && queued + sent.length > maxQueue) return this.#overflow(sent.length, slowPeer)
    this.#outgoing.put(type.priority, kinds.EVENT, flags, type.index, sent, this.#nowFor(sent))
    this.#messagesOut++
    if (this.queued <= highWaterMark) return this.#host.outboxes.turn.pause
    // Only a write can bring the drain that ends a wait.
    this.outbox.flush()
    if (this.queued <= highWaterMark) return this.#host.outboxes.turn.pause
    return (this.#room ??= new Waiter()).promise
  }

  #overflow(bytes: number, policy: 'drop' | 'reject' | 'close'): Promise<void> {
    this.drop('slow', 1, bytes)
    if (policy === 'drop') return this.#host.outboxes.turn.pause
    const error = this.error('SLOW_PEER', `${this.queued} bytes wait to be sent already`)
    if (policy === 'close') this.fail(error)
    return rejected(error)
  }

  /** One of several who are sent this: it never rejects, and waits for nobody. */
  offer(type: TypeInfo, body: Uint8Array, options: MessageOptions): void {
    const { highWaterMark, maxQueue, slowPeer = 'drop' } = this.owner.settings
    const { queued } = this
    if (queued > highWaterMark && queued + body.length > maxQueue) void this.#overflow(body.length, slowPeer)
    else this.post(type, body, options).catch(() => undefined)
  }

  sendRaw(payload: Uint8Array): Promise<void> {
    const error = this.error('OVER_PLAIN', 'sendRaw is of the plain wire: declare a type as msg(bytes())')
    return this.refuse('unsendable', error, payload.length)
  }

  request(type: string, data?: unknown, options: RequestOptions = {}): Promise<never> {
    let answer: Promise<unknown>
    try {
      const info = this.#typeOf(type, 'call')
      const { timeout = info.deadline ?? this.owner.settings.callTimeout } = options
      answer = this.#calls.request(info, data, options, timeout)
    } catch (thrown) {
      return rejected(thrown as Error)
    }
    // A forgotten await ends no process.
    answer.catch(() => undefined)
    return answer as Promise<never>
  }

  stream(type: string, data?: unknown, options: StreamOptions = {}): AsyncIterableIterator<never> {
    const open = (): Stream => this.#streams.open(this.#typeOf(type, 'feed'), data, options)
    return new FeedReader(open) as AsyncIterableIterator<never>
  }

  channel(type: string, options: StreamOptions = {}): ChannelEnd & AsyncIterable<never> {
    const stream = this.#streams.open(this.#typeOf(type, 'channel'), undefined, options)
    return new ChannelEnd(stream) as ChannelEnd & AsyncIterable<never>
  }

  #typeOf(name: string, kind: TypeInfo['kind']): TypeInfo {
    const info = this.#host.contract.byName.get(name)
    if (info === undefined) throw this.error('UNKNOWN_TYPE', `the contract has no type ${JSON.stringify(name)}`)
    if (info.kind !== kind)
      throw this.error('UNKNOWN_TYPE', `${JSON.stringify(name)} is a ${info.kind}, not a ${kind}`)
    return info
  }

  flushed(): Promise<void> {
    if (this.state === 'gone') return rejected(this.goneError())
    return this.#emptied().then(() => this.outbox.emptied())
  }

  protected override get messagesOut(): number {
    return this.#messagesOut
  }

  protected override get queued(): number {
    return this.outbox.queued + this.#outgoing.queued
  }

  get overMark(): boolean {
    return this.queued > this.owner.settings.highWaterMark
  }

  // Out: what calls and streams use

  error(code: ErrorCode, what: string, cause?: unknown): SockError {
    return new SockError(code, what, { address: this.address, cause })
  }

  unsendable(type: TypeInfo, bytes: number): SockError | undefined {
    if (this.state !== 'open') return this.goneError()
    if (this.#farDraining && type.kind !== 'msg') return this.error('DRAINING', 'the far side is ending')
    const lacks = this.#types.lacks(type)
    if (lacks !== undefined) return this.error('UNKNOWN_TYPE', lacks)
    const most = Math.min(this.maxMessage, type.maxSize ?? Infinity)
    if (bytes <= most) return undefined
    return this.error('TOO_LARGE', `a message of ${bytes} bytes, and ${most} is the most`)
  }

  openLane(priority: number): number {
    while (this.#outgoing.has(this.#nextLane) || this.#incoming.has(this.#nextLane)) this.#advanceLane()
    const lane = this.#nextLane
    this.#advanceLane()
    this.#outgoing.open(lane, this.#theirs.laneWindow, priority, STREAM_MARK)
    this.#incoming.open(lane, this.#host.offer.laneWindow)
    return lane
  }

  #advanceLane(): void {
    const next = this.#nextLane + 2
    this.#nextLane = next <= 0xffff_ffff ? next : kinds.EVENT_LANES + (this.dialed ? 1 : 0)
  }

  put(lane: number, kind: number, flags: number, type: number, body: Uint8Array): Entry | undefined {
    return this.#outgoing.put(lane, kind, flags, type, body, this.#nowFor(body))
  }

  revoke(lane: number, entry: Entry): boolean {
    return this.#outgoing.revoke(lane, entry)
  }

  abort(lane: number, kind: number, body: Uint8Array): void {
    this.#outgoing.abort(lane, kind, body, this.now())
  }

  finish(lane: number): void {
    this.#outgoing.finish(lane)
  }

  closeIncoming(lane: number): void {
    this.#incoming.close(lane)
    this.#theirLanes.delete(lane)
  }

  taken(lane: number, bytes: number): void {
    this.#incoming.taken(lane, bytes)
    if (this.#incoming.due && this.state !== 'gone') this.#grant()
  }

  isFull(lane: number): boolean {
    return this.#outgoing.queuedOf(lane) > STREAM_MARK
  }

  // Out: frames

  /** The clock matters to what is long, and costs more than a short message. */
  #nowFor(body: Uint8Array): number {
    return body.length > 4096 ? this.now() : this.#lately
  }
  #lately = 0

  #write(kind: number, flags: number, type: number, lane: number, seq: number, body: Uint8Array): void {
    this.#host.writer.set(kind, flags, type, lane, seq, this.#sequence.received)
    void this.outbox.put(body)
    this.#sequence.left()
  }

  #control(kind: number, body: Uint8Array): void {
    this.#write(kind, 0, 0, 0, 0, body)
  }

  #grant(): void {
    const credits: Credit[] = []
    this.#incoming.credits((lane, limit) => credits.push([lane, limit]))
    for (let at = 0; at < credits.length; at += MAX_CREDITS)
      this.#control(kinds.CREDIT, encodeCredit(credits.slice(at, at + MAX_CREDITS)))
  }

  protected override onProgress(): void {
    if (this.#pumpDue) return
    // Nothing may be put into the outbox from here.
    this.#pumpDue = true
    this.owner.platform.defer(() => {
      this.#pumpDue = false
      this.#pump()
    })
  }

  #pump(): void {
    if (this.state === 'gone') return
    this.#outgoing.pump(this.now())
    if (this.#room !== undefined && this.queued <= this.owner.settings.highWaterMark / 2) {
      this.#room.resolve()
      this.#room = undefined
    }
    if (this.#empty !== undefined && this.#outgoing.queued === 0) {
      this.#empty.resolve()
      this.#empty = undefined
    }
  }

  #emptied(): Promise<void> {
    return this.#outgoing.queued === 0 ? Promise.resolve() : (this.#empty ??= new Waiter()).promise
  }

  protected override onSendersWait(): void {
    // They wait for this peer, not for its outbox.
  }

  // In

  protected override onFrame(payload: Uint8Array): void {
    const header = this.#header
    header.read(payload)
    const { kind, seq, ack } = header
    const sequence = this.#sequence
    const { acked } = sequence
    this.#frames++
    if (seq === 0) sequence.ack(ack)
    else {
      const bulk = kind === kinds.ITEM || payload.length > HEADER + kinds.SEND_CHUNK / 2 ? payload.length : 0
      if (sequence.take(seq, ack, bulk) === 'again') return
    }
    if (sequence.acked !== acked) this.#outgoing.acked(sequence.acked, this.#lately)
    switch (kind) {
      case kinds.EVENT:
      case kinds.VOLATILE:
        this.#onEvent(header, payload)
        break
      case kinds.REQUEST:
      case kinds.OPEN:
        this.#onAsked(header, payload)
        break
      case kinds.REPLY:
      case kinds.ERROR:
        this.#onAnswer(header, payload)
        break
      case kinds.ITEM:
      case kinds.END:
      case kinds.RESET:
        this.#onStream(header, payload)
        break
      case kinds.CANCEL:
        this.#onCancel(header, payload)
        break
      default:
        this.#onControl(kind, payload)
    }
  }

  #onEvent(header: Header, payload: Uint8Array): void {
    const { lane, kind } = header
    const whole = this.#incoming.chunk(header, payload)
    if (whole === undefined) return
    const inbox = (this.#inboxes[lane] ??= this.#inbox(lane))
    // Nobody promised that these arrive, and no credit bounds them.
    if (kind === kinds.VOLATILE && inbox.high) this.drop('behind', 1, whole.length)
    else inbox.put(whole)
  }

  #inbox(lane: number): Inbox {
    const { settings, platform } = this.owner
    return new Inbox({
      turn: this.#host.outboxes.turn,
      concurrency: settings.concurrency,
      readMark: settings.readMark,
      afterPoll: platform.afterPoll,
      handle: (whole) => this.#handleEvent(lane, whole),
      onPressure: () => undefined,
      onIdle: () => {
        if (this.idle) this.onIdle()
      },
    })
  }

  #handleEvent(lane: number, whole: Uint8Array): Promise<void> | undefined {
    const [kind = 0, flags = 0, high = 0, low = 0] = whole
    if (kind === kinds.EVENT) this.taken(lane, whole.length)
    const index = (high << 8) | low
    const type = this.#types.at(index)
    const { at, headers } = decodePrefix(whole, flags)
    const body = whole.subarray(at)
    if (typeof type !== 'object') {
      this.#host.unhandled(this, type ?? index, body)
      return undefined
    }
    return this.#host.event(this, type, body, () => decodeData(type.input, this.codec, body), headers)
  }

  #onAsked(header: Header, payload: Uint8Array): void {
    const { lane, kind, flags } = header
    if (!this.#theirLanes.has(lane)) this.#openTheirs(header)
    const whole = this.#incoming.chunk(header, payload)
    if (whole === undefined) return
    const type = this.#theirLanes.get(lane)
    const calls = kind === kinds.REQUEST
    this.taken(lane, whole.length)
    if (typeof type !== 'object') {
      this.#turnAway(lane, calls, 'UNHANDLED', 'this side has no such type')
      return
    }
    const prefix = decodePrefix(whole, whole[1] ?? flags)
    try {
      const read = decodeAsked(type, this.codec, whole, prefix)
      if (!(read instanceof Promise)) this.#ask(lane, type, read, prefix)
      else {
        read.then(
          (data: unknown) => {
            if (this.#theirLanes.get(lane) === type) this.#ask(lane, type, data, prefix)
          },
          (thrown: unknown) => {
            if (this.#theirLanes.get(lane) === type) this.#notAsked(lane, type, thrown)
          },
        )
      }
    } catch (thrown) {
      this.#notAsked(lane, type, thrown)
    }
  }

  #ask(lane: number, type: TypeInfo, data: unknown, { headers = NO_HEADERS, deadline }: Prefix): void {
    const asked: Asked = { type, data, headers, deadline }
    if (type.kind === 'call') this.#calls.onRequest(lane, asked)
    else this.#streams.onOpen(lane, asked)
  }

  #notAsked(lane: number, type: TypeInfo, thrown: unknown): void {
    this.#host.failed(this, thrown, type)
    const { what } = asSockError(thrown, 'BAD_MESSAGE', 'the codec failed')
    this.#turnAway(lane, type.kind === 'call', 'BAD_MESSAGE', what)
  }

  #openTheirs({ lane, kind, type }: Header): void {
    const fromDialer = (lane & 1) === 1
    if (fromDialer === this.dialed) fail('PROTOCOL_ERROR', `lane ${lane} is not the far side's to open`)
    if (this.#incoming.has(lane)) fail('PROTOCOL_ERROR', `lane ${lane} is open`)
    const info = this.#types.at(type)
    const calls = kind === kinds.REQUEST
    if (typeof info === 'object' && (info.kind === 'msg' || (info.kind === 'call') !== calls))
      fail('PROTOCOL_ERROR', `${nameOfKind(kind)} of ${info.name}, which is a ${info.kind}`)
    const { maxCalls, maxStreams, laneWindow } = this.#host.offer
    if (this.#theirLanes.size >= maxCalls + maxStreams)
      fail('PROTOCOL_ERROR', `${maxCalls} calls and ${maxStreams} streams are allowed, and this is one more`)
    const priority = typeof info === 'object' ? info.priority : 1
    this.#theirLanes.set(lane, info)
    this.#incoming.open(lane, laneWindow)
    this.#outgoing.open(lane, this.#theirs.laneWindow, priority, STREAM_MARK)
  }

  /** Answers what cannot be served, and frees the lane. */
  #turnAway(lane: number, call: boolean, code: ErrorCode, text: string): void {
    this.put(lane, call ? kinds.ERROR : kinds.RESET, 0, 0, encodeFault(code, text))
    this.finish(lane)
    this.closeIncoming(lane)
  }

  #onAnswer(header: Header, payload: Uint8Array): void {
    const { lane, kind } = header
    const whole = this.#incoming.chunk(header, payload)
    if (whole === undefined) return
    this.taken(lane, whole.length)
    if (!this.#calls.onAnswer(lane, kind, whole))
      fail('PROTOCOL_ERROR', `${nameOfKind(kind)} on lane ${lane}, where no call of ours is`)
  }

  #onStream(header: Header, payload: Uint8Array): void {
    const { lane, kind } = header
    // Turned away before it was whole: it may have ended by itself meanwhile.
    const whole = this.#incoming.chunk(header, payload)
    if (whole === undefined) return
    const stream = this.#streams.at(lane)
    if (stream === undefined)
      return fail('PROTOCOL_ERROR', `${nameOfKind(kind)} on lane ${lane}, where no stream is`)
    if (kind === kinds.ITEM) stream.onItem(whole)
    else if (kind === kinds.END) stream.onEnd()
    else stream.onReset(whole)
  }

  #onCancel(header: Header, payload: Uint8Array): void {
    const { lane } = header
    // It crossed with the end of what it is about.
    if (!this.#incoming.has(lane)) return
    this.#incoming.chunk(header, payload)
    const stream = this.#streams.at(lane)
    if (stream !== undefined) stream.onCancel()
    else if (!this.#calls.onCancel(lane) && this.#theirLanes.has(lane)) {
      // In the middle of being asked, or while the schema looked at it.
      const type = this.#theirLanes.get(lane)
      this.#turnAway(lane, typeof type !== 'object' || type.kind === 'call', 'CANCELLED', 'cancelled')
    }
  }

  #onControl(kind: number, payload: Uint8Array): void {
    switch (kind) {
      case kinds.CREDIT:
        for (const [lane, limit] of decodeCredit(payload)) this.#outgoing.limit(lane, limit)
        break
      case kinds.PING:
        this.#control(kinds.PONG, payload.subarray(HEADER))
        break
      case kinds.GOAWAY:
        decodeGoaway(payload)
        this.#farDraining = true
        break
      case kinds.GOODBYE:
        this.#farewell = decodeGoodbye(payload)
        break
      case kinds.TABLE:
        fail('PROTOCOL_ERROR', 'a TABLE after the handshake')
        break
      default:
        // ACK and PONG have said all with their header; DONE answers what is never asked yet.
        if (kind === kinds.DONE) fail('PROTOCOL_ERROR', 'a DONE that nobody asked for')
        if (!isKnown(kind)) return
    }
  }

  protected override onChunk(): void {
    if (this.state === 'gone') return
    this.#lately = this.now()
    this.#vitals.heard()
    this.#pump()
    if (this.#incoming.due) this.#grant()
    if (this.#sequence.due) this.#control(kinds.ACK, NOTHING)
    else if (this.#sequence.pending && this.#ackTimer === undefined) {
      this.#ackTimer = this.deadlines.set(ACK_DELAY, () => {
        this.#ackTimer = undefined
        if (this.#sequence.pending && this.state !== 'gone') this.#control(kinds.ACK, NOTHING)
      })
    }
  }

  protected override get idle(): boolean {
    return this.#inboxes.every((inbox) => inbox?.idle ?? true)
  }

  /** The pipe is always read, whatever our handlers do: silence is silence. */
  protected override get busyReading(): boolean {
    return false
  }

  protected override get arrived(): number {
    return this.#frames
  }

  protected override get waiting(): number {
    return this.#inboxes.reduce((sum, inbox) => sum + (inbox?.waiting ?? 0), 0)
  }

  override stats(): PeerStats {
    return super.stats()
  }

  // Endings

  /** Takes nothing new, and finishes what was begun. */
  protected override async settled(): Promise<void> {
    this.#control(kinds.GOAWAY, encodeGoaway({ delay: 0, code: '' }))
    this.#calls.drain()
    this.#streams.drain()
    const events = this.#inboxes.map((inbox): Maybe<void> => inbox?.settled())
    await Promise.all([...events, this.#calls.settled(), this.#streams.settled()])
  }

  protected override lastSends(): void {
    // Nothing of this peer's waits elsewhere.
  }

  protected override async readyToEnd(): Promise<void> {
    await this.#emptied()
    this.#control(kinds.GOODBYE, encodeGoodbye(''))
    await this.outbox.emptied()
  }

  protected override get cutShort(): SockError | undefined {
    if (this.#farewell === undefined) return this.error('PIPE_FAILED', 'the connection ended without GOODBYE')
    if (this.#farewell === '' || this.#farewell === 'CLOSED') return undefined
    return this.error('PIPE_FAILED', `the far side ended the connection: ${this.#farewell}`)
  }

  protected override onFarEnded(): void {
    const why = this.error('PEER_GONE', 'the far side has ended')
    this.#calls.end(why)
    this.#streams.end(why)
  }

  protected override stopHandling(): Loss {
    let messages = 0
    let bytes = 0
    for (const inbox of this.#inboxes) {
      const lost = inbox?.stop()
      messages += lost?.messages ?? 0
      bytes += lost?.bytes ?? 0
    }
    return { messages, bytes }
  }

  protected override letGo(ours: boolean, error: SockError | undefined): Loss {
    this.#vitals.stop()
    this.#ackTimer?.cancel()
    if (ours) {
      // As far as the system takes it at once.
      this.#control(kinds.GOODBYE, encodeGoodbye(error?.code ?? 'CLOSED'))
      this.outbox.flush()
    }
    const why = this.goneError()
    this.#calls.end(why)
    this.#streams.end(why)
    this.#room?.reject(why)
    this.#empty?.reject(why)
    let messages = 0
    let bytes = 0
    for (let lane = 0; lane < kinds.EVENT_LANES; lane++) {
      const dropped = this.#outgoing.close(lane)
      messages += dropped.messages
      bytes += dropped.bytes
    }
    return { messages, bytes }
  }
}

const NO_HEADERS: HeaderSlot = Object.freeze(Object.create(null) as Record<string, string>)

/** What was asked; a channel is opened with nothing. */
function decodeAsked(type: TypeInfo, codec: DataCodec, whole: Uint8Array, { at }: Prefix): unknown {
  return type.kind === 'channel' ? undefined : decodeData(type.input, codec, whole.subarray(at))
}
