import { type SockError, asSockError, fail } from '../../errors.ts'
import type { TypeInfo } from '../../contract/protocol.ts'
import { Incoming } from '../../wire/v1/arrivals.ts'
import {
  type Credit,
  decodeCredit,
  decodeGoaway,
  decodeGoodbye,
  decodePrefix,
  encodeCredit,
  type HeaderSlot,
  MAX_CREDITS,
  type Prefix,
} from '../../wire/v1/bodies.ts'
import * as kinds from '../../wire/v1/frame.ts'
import { HEADER, Header, nameOfKind } from '../../wire/v1/frame.ts'
import { LaneTable } from '../../wire/v1/lane-table.ts'
import type { Limits } from '../../wire/v1/hello.ts'
import { ACK_DELAY, type Sequence } from '../../wire/v1/session.ts'
import type { Deadline, Deadlines } from '../deadlines.ts'
import { Inbox, type InboxHost } from '../inbox.ts'
import type { Loss } from '../peer-hooks.ts'
import type { Calls } from './calls.ts'
import { type DataCodec, decodeData, from } from './data.ts'
import type { FarTypes } from './far-types.ts'
import { badMessage, refusal } from './faults.ts'
import { Keep, type Spare } from './keep.ts'
import type { Outbound } from './outbound.ts'
import type { Streams } from './streams.ts'

/** Whom what comes is for. */
export interface Takers {
  readonly dialed: boolean
  readonly codec: DataCodec
  readonly types: FarTypes
  readonly spare: Spare
  /** What we grant. */
  readonly own: Limits
  readonly calls: Calls
  readonly streams: Streams
  readonly deadlines: Deadlines
  readonly inbox: Omit<InboxHost, 'handle' | 'onPressure' | 'onIdle'>
  isGone(): boolean
  event(
    type: TypeInfo,
    body: Uint8Array,
    read: () => unknown,
    headers: HeaderSlot | undefined,
  ): Promise<void> | undefined
  /** A message of a type that this side has not. */
  unhandled(type: string, body: Uint8Array): void
  /** What was asked is not what the schema takes. */
  invalid(type: TypeInfo, body: Uint8Array, error: SockError): void
  /** A VOLATILE came, and too much waits already. */
  behind(bytes: number): void
  onIdle(): void
}

const NOTHING = new Uint8Array(0)
const NO_HEADERS: HeaderSlot = Object.freeze(Object.create(null) as Record<string, string>)

/** The way in of one connection of v1: frames, whole messages, and whom each is for. */
export class Inbound {
  /** Frames that came. */
  frames = 0
  /** The far side takes nothing new. */
  draining = false
  /** The code of its GOODBYE. */
  farewell: string | undefined
  readonly #to: Takers
  readonly #out: Outbound
  readonly #sequence: Sequence
  readonly #header = new Header()
  readonly #lanes: Incoming
  /** By priority; each made when it is needed. */
  readonly #inboxes: (Inbox | undefined)[] = [undefined, undefined, undefined, undefined]
  readonly #keeps: readonly Keep[]
  /** Open lanes of the far side, each with its type, or what is open there of a type that is not ours. */
  readonly #theirs = new LaneTable<TypeInfo | Foreign>()
  /** Of those: what an asynchronous schema looks at, and whether it was given up meanwhile. */
  readonly #reading = new Map<number, { cancelled: boolean }>()
  #theirCalls = 0
  #ackTimer: Deadline | undefined
  /** An ack leaves by itself at the end of this turn, unless something else takes it along. */
  #ackSet = false

  constructor(sequence: Sequence, out: Outbound, to: Takers) {
    this.#sequence = sequence
    this.#out = out
    this.#to = to
    this.#keeps = this.#inboxes.map(() => new Keep(to.spare))
    this.#lanes = new Incoming(to.own.maxMessage)
    for (let lane = 0; lane < kinds.EVENT_LANES; lane++) this.#lanes.open(lane, to.own.eventWindow)
  }

  // Lanes

  has(lane: number): boolean {
    return this.#lanes.has(lane)
  }

  /** One of ours, on which answers come. */
  open(lane: number): void {
    this.#lanes.open(lane, this.#to.own.laneWindow)
  }

  close(lane: number): void {
    this.#lanes.close(lane)
    // What answers it waits to be written: until then it is open, or who never takes answers could ask for ever more.
    if (this.#theirs.has(lane) && !this.#out.has(lane)) this.#free(lane)
  }

  /** All that was to be sent on this lane is written. */
  written(lane: number): void {
    if (this.#theirs.has(lane) && !this.#lanes.has(lane)) this.#free(lane)
  }

  #free(lane: number): void {
    if (isCall(this.#theirs.get(lane))) this.#theirCalls--
    this.#theirs.delete(lane)
  }

  /** The application took a message of so many bytes. */
  taken(lane: number, bytes: number): void {
    this.#lanes.taken(lane, bytes)
    if (this.#lanes.due && !this.#to.isGone()) this.#grant()
  }

  /** Our senders wait for the far side, which may be waiting for ours: so many bytes more of events may come. */
  lend(bytes: number): void {
    this.#lanes.lend(bytes)
    if (this.#lanes.due && !this.#to.isGone()) this.#grant()
  }

  #grant(): void {
    const credits: Credit[] = []
    this.#lanes.credits((lane, limit) => credits.push([lane, limit]))
    this.#tell(credits)
  }

  #tell(credits: readonly Credit[]): void {
    for (let at = 0; at < credits.length; at += MAX_CREDITS)
      this.#out.control(kinds.CREDIT, encodeCredit(credits.slice(at, at + MAX_CREDITS)))
  }

  // Frames

  /** One frame. Throws PROTOCOL_ERROR. */
  onFrame(payload: Uint8Array): void {
    const header = this.#header
    header.read(payload)
    const { kind, seq, ack } = header
    const sequence = this.#sequence
    const { acked } = sequence
    if (this.farewell !== undefined) fail('PROTOCOL_ERROR', `${nameOfKind(kind)} behind GOODBYE`)
    this.frames++
    let again = false
    if (seq === 0) sequence.ack(ack)
    else again = sequence.take(seq, ack) === 'again'
    if (sequence.acked !== acked) this.#out.acked()
    if (again) return
    if (isBulk(kind, payload)) sequence.bulk(payload.length)
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
        this.#onStream(header, payload)
        break
      case kinds.RESET:
        // A call may be answered so, too.
        if (this.#to.calls.has(header.lane)) this.#onAnswer(header, payload)
        else this.#onStream(header, payload)
        break
      case kinds.CANCEL:
        this.#onCancel(header, payload)
        break
      default:
        this.#onControl(kind, payload)
    }
  }

  /** All frames of a chunk came: what is to be said about them. */
  onChunk(): void {
    this.#out.pump()
    if (this.#lanes.due) this.#grant()
    // One that is about to leave waits for it.
    if (this.draining && this.#sequence.pending) this.#out.control(kinds.ACK, NOTHING)
    else if (this.#sequence.due) this.#ackSoon()
    else if (this.#sequence.pending && this.#ackTimer === undefined) {
      this.#ackTimer = this.#to.deadlines.set(ACK_DELAY, () => {
        this.#ackTimer = undefined
        if (this.#sequence.pending && !this.#to.isGone()) this.#out.control(kinds.ACK, NOTHING)
      })
    }
  }

  /**
   * Behind what this chunk makes the application send in this turn: that carries the ack, and saves a write of its own,
   * which costs more than all else of a hundred calls.
   */
  #ackSoon(): void {
    if (this.#ackSet) return
    this.#ackSet = true
    this.#to.inbox.afterPoll(() => {
      this.#ackSet = false
      if (this.#sequence.due && !this.#to.isGone()) this.#out.control(kinds.ACK, NOTHING)
    })
  }

  #onEvent(header: Header, payload: Uint8Array): void {
    const { lane, kind, type } = header
    if (this.#to.types.kindAt(type) !== 'msg') this.#wrongType(header)
    const whole = this.#lanes.chunk(header, payload)
    if (whole === undefined) return
    const flags = whole[1] ?? 0
    // Here, where what it throws ends the connection: behind the inbox nobody would hear it.
    if (flags !== 0) decodePrefix(whole, flags)
    const inbox = (this.#inboxes[lane] ??= this.#inbox(lane))
    // Nobody promised that these arrive, and no credit bounds them.
    if (kind === kinds.VOLATILE && inbox.high) this.#to.behind(whole.length)
    else inbox.put(this.#kept(lane, whole, inbox.waiting > 0))
  }

  #kept(lane: number, whole: Uint8Array, waits: boolean): Uint8Array {
    const keep = this.#keeps[lane]
    if (waits && keep !== undefined) return keep.keep(whole)
    keep?.clear()
    return whole
  }

  #inbox(lane: number): Inbox {
    return new Inbox({
      ...this.#to.inbox,
      handle: (whole) => this.#handle(lane, whole),
      // Credit holds the far side back.
      onPressure: () => undefined,
      onIdle: () => {
        if (this.idle) this.#to.onIdle()
      },
    })
  }

  #handle(lane: number, whole: Uint8Array): Promise<void> | undefined {
    const [kind = 0, flags = 0, high = 0, low = 0] = whole
    if (kind === kinds.EVENT) this.taken(lane, whole.length)
    const index = (high << 8) | low
    const { codec, types } = this.#to
    const type = types.at(index) ?? String(index)
    const { at, headers } = decodePrefix(whole, flags)
    const body = from(whole, at)
    if (typeof type === 'object' && type.kind === 'msg')
      return this.#to.event(type, body, () => decodeData(type.input, codec, body), headers)
    this.#to.unhandled(typeof type === 'object' ? type.name : type, body)
    return undefined
  }

  // Calls and streams of the far side

  #onAsked(header: Header, payload: Uint8Array): void {
    const { lane, kind, flags } = header
    const opens = !this.#theirs.has(lane)
    const type = this.#theirs.get(lane) ?? this.#admit(header)
    const short = opens && kind === kinds.REQUEST && (flags & kinds.MORE) === 0
    let whole: Uint8Array | undefined
    // Nearly all calls are one frame, and many are answered before the next: no lane is opened for them.
    if (short) whole = this.#lanes.only(header, payload, this.#to.own.laneWindow)
    else {
      if (opens) this.#openTheirs(lane, kind, type)
      else if (this.#lanes.partialOf(lane) === 0)
        fail('PROTOCOL_ERROR', `${nameOfKind(kind)} on lane ${lane}, which is open`)
      whole = this.#lanes.chunk(header, payload)
      if (whole === undefined) return
      this.taken(lane, whole.length)
    }
    if (typeof type !== 'object') {
      this.#turnAway(lane, type, refusal('UNKNOWN_TYPE'))
      return
    }
    const prefix = decodePrefix(whole, whole[1] ?? 0)
    try {
      const read = readAsked(type, this.#to.codec, whole, prefix)
      if (!(read instanceof Promise)) {
        this.#ask(lane, type, read, prefix)
        return
      }
      this.#own(lane, type)
      // Open until the schema has answered, though it may be given up meanwhile: as many run as may be open.
      const reading = { cancelled: false }
      this.#reading.set(lane, reading)
      const isStill = (): boolean => {
        this.#reading.delete(lane)
        if (this.#to.isGone()) return false
        if (reading.cancelled) this.#turnAway(lane, type, refusal('CANCELLED'))
        return !reading.cancelled
      }
      read.then(
        (data: unknown) => {
          if (isStill()) this.#ask(lane, type, data, prefix)
        },
        (thrown: unknown) => {
          if (isStill()) this.#notAsked(lane, type, whole, thrown)
        },
      )
    } catch (thrown) {
      this.#notAsked(lane, type, whole, thrown)
    }
  }

  /** It numbers its types wrong, or breaks its own word. */
  #wrongType({ kind, type }: Header): never {
    const is = this.#to.types.kindAt(type)
    return fail(
      'PROTOCOL_ERROR',
      `${nameOfKind(kind)} of its type ${type}, ${is === undefined ? 'which is not in its TABLE' : `which is a ${is}`}`,
    )
  }

  /** The type of a frame that opens a lane. */
  #admit(header: Header): TypeInfo | Foreign {
    const { lane, kind, type } = header
    const { dialed, own, types } = this.#to
    if (((lane & 1) === 1) === dialed)
      fail('PROTOCOL_ERROR', `${nameOfKind(kind)} on lane ${lane}, which is ours to open`)
    const info = types.at(type)
    const call = kind === kinds.REQUEST
    const declared = types.kindAt(type)
    if (info === undefined || declared === 'msg' || (declared === 'call') !== call)
      return this.#wrongType(header)
    const open = call ? this.#theirCalls : this.#theirs.size - this.#theirCalls
    const most = call ? own.maxCalls : own.maxStreams
    if (open >= most) fail('PROTOCOL_ERROR', `${nameOfKind(kind)}: ${open} are open, and ${most} are allowed`)
    if (this.#out.has(lane))
      fail('PROTOCOL_ERROR', `${nameOfKind(kind)} on lane ${lane}, which is open: an answer waits there`)
    return typeof info === 'object' ? info : call ? 'call' : 'stream'
  }

  #openTheirs(lane: number, kind: number, type: TypeInfo | Foreign): void {
    this.#own(lane, type)
    this.#lanes.open(lane, this.#to.own.laneWindow)
    if (kind === kinds.OPEN) this.#out.open(lane, typeof type === 'object' ? type.priority : 1)
  }

  /** Keeps a lane of the far side until it is closed. */
  #own(lane: number, type: TypeInfo | Foreign): void {
    if (this.#theirs.has(lane)) return
    if (isCall(type)) this.#theirCalls++
    this.#theirs.add(lane, type)
  }

  #ask(lane: number, type: TypeInfo, data: unknown, { headers = NO_HEADERS, deadline }: Prefix): void {
    const asked = { type, data, headers, deadline }
    if (!isCall(type)) this.#to.streams.onOpen(lane, asked)
    else if (this.#to.calls.onRequest(lane, asked) || this.#out.has(lane)) this.#own(lane, type)
  }

  #notAsked(lane: number, type: TypeInfo, whole: Uint8Array, thrown: unknown): void {
    const error = asSockError(thrown, 'BAD_MESSAGE', 'the codec failed')
    this.#to.invalid(type, whole, error)
    this.#turnAway(lane, type, badMessage(error))
  }

  /** Answers what cannot be served, and frees the lane. */
  #turnAway(lane: number, type: TypeInfo | Foreign, fault: Uint8Array): void {
    const kind = isCall(type) ? kinds.ERROR : kinds.RESET
    this.#out.last(lane, typeof type === 'object' ? type.priority : 1, kind, fault)
    if (this.#out.has(lane)) this.#own(lane, type)
    this.close(lane)
  }

  // Answers and items

  #onAnswer(header: Header, payload: Uint8Array): void {
    const { lane, kind, flags } = header
    const { calls, own } = this.#to
    let whole: Uint8Array | undefined
    // Nearly all answers are one frame: no lane is opened for them.
    if ((flags & kinds.MORE) === 0 && !this.#lanes.has(lane))
      whole = this.#lanes.only(header, payload, own.laneWindow)
    else {
      if (calls.has(lane) && !this.#lanes.has(lane)) this.open(lane)
      whole = this.#lanes.chunk(header, payload)
      if (whole === undefined) return
    }
    if (!calls.onAnswer(lane, kind, whole))
      fail('PROTOCOL_ERROR', `${nameOfKind(kind)} on lane ${lane}, where no call of ours is`)
  }

  #onStream(header: Header, payload: Uint8Array): void {
    const { lane, kind } = header
    const whole = this.#lanes.chunk(header, payload)
    if (whole === undefined) return
    const stream = this.#to.streams.at(lane)
    if (stream === undefined)
      return fail('PROTOCOL_ERROR', `${nameOfKind(kind)} on lane ${lane}, where no stream is`)
    if (kind === kinds.ITEM) stream.onItem(whole)
    else if (kind === kinds.END) stream.onEnd()
    else stream.onReset(whole)
  }

  #onCancel(header: Header, payload: Uint8Array): void {
    const { lane } = header
    const isOpen = this.#lanes.has(lane)
    // It crossed with the end of what it is about.
    if (!isOpen && !this.#theirs.has(lane) && !this.#to.calls.has(lane)) return
    if (isOpen) this.#lanes.chunk(header, payload)
    const stream = this.#to.streams.at(lane)
    if (stream !== undefined) {
      stream.onCancel()
      return
    }
    const reading = this.#reading.get(lane)
    const type = this.#theirs.get(lane)
    if (reading !== undefined) reading.cancelled = true
    // In the middle of being asked.
    else if (!this.#to.calls.onCancel(lane) && type !== undefined && this.#lanes.has(lane))
      this.#turnAway(lane, type, refusal('CANCELLED'))
  }

  #onControl(kind: number, payload: Uint8Array): void {
    switch (kind) {
      case kinds.CREDIT:
        for (const [lane, limit] of decodeCredit(payload)) this.#limit(lane, limit)
        break
      case kinds.PING:
        this.#out.control(kinds.PONG, payload.subarray(HEADER))
        break
      case kinds.GOAWAY:
        decodeGoaway(payload)
        this.draining = true
        break
      case kinds.GOODBYE:
        this.farewell = decodeGoodbye(payload)
        break
      case kinds.TABLE:
        fail('PROTOCOL_ERROR', 'a TABLE after the handshake')
        break
      default:
      // ACK and PONG have said all with their header. DONE is of sessions. What is not known here may be ignored.
    }
  }

  #limit(lane: number, limit: number): void {
    // A call whose frames passed by the lanes so far: what comes next on its lane has this limit to keep.
    const type = this.#to.calls.typeOf(lane) ?? this.#theirs.get(lane)
    if (type !== undefined) this.#out.open(lane, typeof type === 'object' ? type.priority : 1)
    this.#out.limit(lane, limit)
  }

  // Handling

  get idle(): boolean {
    return this.#inboxes.every((inbox) => inbox?.idle ?? true)
  }

  get waiting(): number {
    return this.#inboxes.reduce((sum, inbox) => sum + (inbox?.waiting ?? 0), 0)
  }

  /** Resolves when all events that have arrived by now are handled. */
  async settled(): Promise<void> {
    await Promise.all(this.#inboxes.map(async (inbox) => inbox?.settled()))
  }

  /** No handler of an event is started any more. */
  stop(): Loss {
    let messages = 0
    let bytes = 0
    for (const inbox of this.#inboxes) {
      const lost = inbox?.stop()
      messages += lost?.messages ?? 0
      bytes += lost?.bytes ?? 0
    }
    return { messages, bytes }
  }

  /** There is no pipe any more. */
  detach(): void {
    this.#ackTimer?.cancel()
    this.#ackTimer = undefined
  }

  /** Another pipe carries on: the far side is told again how much may come. */
  attach(): void {
    const credits: Credit[] = []
    this.#lanes.restate((lane, limit) => credits.push([lane, limit]))
    this.#tell(credits)
  }

  /** It is over. */
  end(): void {
    this.#ackTimer?.cancel()
  }
}

/** What is open of a type that is not ours. */
type Foreign = 'call' | 'stream'

const isCall = (type: TypeInfo | Foreign | undefined): boolean =>
  typeof type === 'object' ? type.kind === 'call' : type === 'call'

/** Whether it is of those that bulkInFlight bounds; the last chunk of what was cut may pass for another. */
const isBulk = (kind: number, payload: Uint8Array): boolean =>
  kind === kinds.ITEM || payload.length > HEADER + kinds.SEND_CHUNK / 2

/** What was asked; a channel is opened with nothing. */
const readAsked = (type: TypeInfo, codec: DataCodec, whole: Uint8Array, { at }: Prefix): unknown =>
  type.kind === 'channel' ? undefined : decodeData(type.input, codec, from(whole, at))
