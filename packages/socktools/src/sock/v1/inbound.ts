import { type SockError, fail } from '../../errors.ts'
import type { TypeInfo } from '../../contract/protocol.ts'
import { Incoming } from '../../wire/v1/arrivals.ts'
import {
  type Credit,
  decodeCredit,
  decodeDone,
  decodeGoaway,
  decodeGoodbye,
  decodePrefix,
  encodeCredit,
  MAX_CREDITS,
} from '../../wire/v1/bodies.ts'
import * as kinds from '../../wire/v1/frame.ts'
import { HEADER, Header, nameOfKind, SEQ, writeU64 } from '../../wire/v1/frame.ts'
import type { Limits } from '../../wire/v1/hello.ts'
import type { Marks } from '../../wire/v1/marks.ts'
import type { Place } from '../../wire/v1/resent.ts'
import { ACK_DELAY, type Sequence } from '../../wire/v1/session.ts'
import type { Facts } from '../context.ts'
import type { Deadline, Deadlines } from '../deadlines.ts'
import type { InboxHost } from '../inbox.ts'
import type { Loss } from '../peer-hooks.ts'
import type { Maybe } from '../types.ts'
import { Answers } from './answers.ts'
import type { Calls } from './calls.ts'
import type { DataCodec } from './data.ts'
import { EventsIn } from './events-in.ts'
import { FarLanes, priorityOf } from './far-lanes.ts'
import type { FarTypes } from './far-types.ts'
import type { Spare } from './keep.ts'
import type { Outbound } from './outbound.ts'
import type { Streams } from './streams.ts'

/** What the application is told of. */
export interface Events {
  event(type: TypeInfo, body: Uint8Array, read: () => unknown, facts: Facts): Promise<void> | undefined
  /**
   * A message whose sender wants to be told what became of it. `handle` gives the code, undefined if it was not handled, and
   * never rejects; `tell` tells it.
   */
  answer(
    marks: Marks,
    handle: () => Maybe<string | undefined>,
    tell: (code: string) => void,
  ): Promise<void> | undefined
  /** What is known of a message that may have come before, in one of these places. One that has is dropped. */
  judge(places: readonly Place[]): 'taken' | 'new' | 'unknown'
  /** A message of a type that this side has not. */
  unhandled(type: string, body: Uint8Array): void
  /** What was asked is not what the schema takes. */
  invalid(type: TypeInfo, body: Uint8Array, error: SockError): void
}

/** Whom what comes is for. */
export interface Takers {
  readonly dialed: boolean
  readonly codec: DataCodec
  /** Both sides tell with DONE what became of messages. */
  readonly tellsDone: boolean
  /** Both sides know by its mark what came before. */
  readonly knowsResent: boolean
  readonly types: FarTypes
  readonly spare: Spare
  /** What we grant. */
  readonly own: Limits
  readonly calls: Calls
  readonly streams: Streams
  readonly deadlines: Deadlines
  readonly inbox: Omit<InboxHost, 'handle' | 'onPressure' | 'onIdle'>
  isGone(): boolean
  readonly application: Events
  /** The far side is about to leave, and wants to be dialed no sooner than so many milliseconds from now. */
  onGoaway(delay: number): void
  /** The far side gave up what it had asked for. */
  gaveUp(): void
  /** A VOLATILE came, and too much waits already. */
  behind(bytes: number): void
  onIdle(): void
}

const NOTHING = new Uint8Array(0)

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
  readonly #events: EventsIn
  readonly #answers: Answers
  readonly #theirs: FarLanes
  #ackTimer: Deadline | undefined
  /** An ack leaves by itself at the end of this turn, unless something else takes it along. */
  #ackSet = false

  constructor(sequence: Sequence, out: Outbound, to: Takers) {
    this.#sequence = sequence
    this.#out = out
    this.#to = to
    this.#lanes = new Incoming(to.own.maxMessage)
    this.#answers = new Answers(to, out)
    this.#events = new EventsIn(to, this, this.#answers)
    this.#theirs = new FarLanes(this.#lanes, out, to, this)
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
    this.#theirs.closed(lane)
  }

  /** All that was to be sent on this lane is written. */
  written(lane: number): void {
    this.#theirs.written(lane)
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
      this.#out.frames.control(kinds.CREDIT, encodeCredit(credits.slice(at, at + MAX_CREDITS)))
  }

  // Frames

  /** From now on what is kept by its sender is left to it. Resolves when what was begun of that is told. */
  async leave(): Promise<void> {
    this.#answers.leaving = true
    await this.settled()
  }

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
        this.#theirs.onAsked(header, payload)
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
    if (this.draining && this.#sequence.pending) this.#out.frames.control(kinds.ACK, NOTHING)
    else if (this.#sequence.due) this.#ackSoon()
    else if (this.#sequence.pending && this.#ackTimer === undefined) {
      this.#ackTimer = this.#to.deadlines.set(ACK_DELAY, () => {
        this.#ackTimer = undefined
        if (this.#sequence.pending && !this.#to.isGone()) this.#out.frames.control(kinds.ACK, NOTHING)
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
      if (this.#sequence.due && !this.#to.isGone()) this.#out.frames.control(kinds.ACK, NOTHING)
    })
  }

  #onEvent(header: Header, payload: Uint8Array): void {
    const { lane, kind, type } = header
    if (this.#to.types.kindAt(type) !== 'msg') this.#to.types.refuse(header)
    const whole = this.#lanes.chunk(header, payload)
    if (whole === undefined) return
    const flags = whole[1] ?? 0
    // Here, where what it throws ends the connection: behind the inbox nobody would hear it.
    if (flags !== 0) this.#answers.check(decodePrefix(whole, flags).headers, lane)
    // Of a message that was cut it has the header of the first chunk; a DONE is about the last.
    if (whole !== payload) writeU64(whole, SEQ, header.seq)
    this.#events.put(lane, kind, whole)
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
    if (stream === undefined && kind === kinds.RESET && this.#theirs.has(lane)) {
      // In the middle of being asked: it is given up.
      this.#to.gaveUp()
      this.#theirs.onCancel(lane)
      return
    }
    if (stream === undefined)
      return fail('PROTOCOL_ERROR', `${nameOfKind(kind)} on lane ${lane}, where no stream is`)
    if (kind === kinds.ITEM) stream.onItem(whole)
    else if (kind === kinds.END) stream.onEnd()
    else {
      stream.onReset(whole)
      if (this.#theirs.has(lane)) this.#to.gaveUp()
    }
  }

  #onCancel(header: Header, payload: Uint8Array): void {
    const { lane } = header
    const isOpen = this.#lanes.has(lane)
    // It crossed with the end of what it is about.
    if (!isOpen && !this.#theirs.has(lane) && !this.#to.calls.has(lane)) return
    if (this.#theirs.has(lane)) this.#to.gaveUp()
    if (isOpen) this.#lanes.chunk(header, payload)
    const stream = this.#to.streams.at(lane)
    if (stream !== undefined) {
      stream.onCancel()
      return
    }
    this.#theirs.onCancel(lane)
  }

  #onControl(kind: number, payload: Uint8Array): void {
    switch (kind) {
      case kinds.CREDIT:
        for (const [lane, limit] of decodeCredit(payload)) this.#limit(lane, limit)
        break
      case kinds.PING:
        this.#out.frames.control(kinds.PONG, payload.subarray(HEADER))
        break
      case kinds.GOAWAY:
        this.draining = true
        this.#to.onGoaway(decodeGoaway(payload).delay)
        break
      case kinds.GOODBYE:
        this.farewell = decodeGoodbye(payload)
        break
      case kinds.TABLE:
        fail('PROTOCOL_ERROR', 'a TABLE after the handshake')
        break
      case kinds.DONE:
        if (this.#to.tellsDone) this.#out.onDone(decodeDone(payload))
        break
      default:
      // ACK and PONG have said all with their header. What is not known here may be ignored.
    }
  }

  #limit(lane: number, limit: number): void {
    // A call whose frames passed by the lanes so far: what comes next on its lane has this limit to keep.
    const type = this.#to.calls.typeOf(lane) ?? this.#theirs.typeOf(lane)
    if (type !== undefined) this.#out.open(lane, priorityOf(type))
    this.#out.limit(lane, limit)
  }

  // Handling

  get idle(): boolean {
    return this.#events.idle
  }

  get waiting(): number {
    return this.#events.waiting
  }

  /** Resolves when all events that have arrived by now are handled. */
  settled(): Promise<void> {
    return this.#events.settled()
  }

  /** No handler of an event is started any more. */
  stop(): Loss {
    return this.#events.stop()
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

/** Whether it is of those that bulkInFlight bounds; the last chunk of what was cut may pass for another. */
const isBulk = (kind: number, payload: Uint8Array): boolean =>
  kind === kinds.ITEM || payload.length > HEADER + kinds.SEND_CHUNK / 2
