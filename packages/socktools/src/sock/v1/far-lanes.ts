import { asSockError, fail } from '../../errors.ts'
import type { TypeInfo } from '../../contract/protocol.ts'
import type { Incoming } from '../../wire/v1/arrivals.ts'
import { decodePrefix, type HeaderSlot, type Prefix } from '../../wire/v1/bodies.ts'
import { ERROR, type Header, MORE, nameOfKind, OPEN, REQUEST, RESET } from '../../wire/v1/frame.ts'
import { LaneTable } from '../../wire/v1/lane-table.ts'
import { type DataCodec, decodeData, from } from './data.ts'
import { badMessage, refusal } from './faults.ts'
import type { Inbound, Takers } from './inbound.ts'
import type { Outbound } from './outbound.ts'

/** What is open of a type that is not ours. */
type Foreign = 'call' | 'stream'

const isCall = (type: TypeInfo | Foreign | undefined): boolean =>
  typeof type === 'object' ? type.kind === 'call' : type === 'call'

export const priorityOf = (type: TypeInfo | Foreign): number => (typeof type === 'object' ? type.priority : 1)

const NO_HEADERS: HeaderSlot = Object.freeze(Object.create(null) as Record<string, string>)

/** The lanes that the far side opened: what it asks on them, until each is free again. */
export class FarLanes {
  readonly #lanes: Incoming
  readonly #out: Outbound
  readonly #to: Takers
  readonly #in: Pick<Inbound, 'taken'>
  /** Each with its type, or what is open there of a type that is not ours. */
  readonly #open = new LaneTable<TypeInfo | Foreign>()
  /** Of those: what an asynchronous schema looks at, and whether it was given up meanwhile. */
  readonly #reading = new Map<number, { cancelled: boolean }>()
  #calls = 0

  constructor(lanes: Incoming, out: Outbound, to: Takers, inbound: Pick<Inbound, 'taken'>) {
    this.#lanes = lanes
    this.#out = out
    this.#to = to
    this.#in = inbound
  }

  has(lane: number): boolean {
    return this.#open.has(lane)
  }

  typeOf(lane: number): TypeInfo | Foreign | undefined {
    return this.#open.get(lane)
  }

  /** Nothing more comes on this lane. */
  closed(lane: number): void {
    // What answers it waits to be written: until then it is open, or who never takes answers could ask for ever more.
    if (this.#open.has(lane) && !this.#out.has(lane)) this.#free(lane)
  }

  /** All that was to be sent on this lane is written. */
  written(lane: number): void {
    if (this.#open.has(lane) && !this.#lanes.has(lane)) this.#free(lane)
  }

  #free(lane: number): void {
    if (isCall(this.#open.get(lane))) this.#calls--
    this.#open.delete(lane)
  }

  // Asked

  /** REQUEST or OPEN. */
  onAsked(header: Header, payload: Uint8Array): void {
    const { lane, kind, flags } = header
    const opens = !this.#open.has(lane)
    const type = this.#open.get(lane) ?? this.#admit(header)
    const short = opens && kind === REQUEST && (flags & MORE) === 0
    let whole: Uint8Array | undefined
    // Nearly all calls are one frame, and many are answered before the next: no lane is opened for them.
    if (short) whole = this.#lanes.only(header, payload, this.#to.own.laneWindow)
    else {
      if (opens) this.#openTheirs(lane, kind, type)
      else if (this.#lanes.partialOf(lane) === 0)
        fail('PROTOCOL_ERROR', `${nameOfKind(kind)} on lane ${lane}, which is open`)
      whole = this.#lanes.chunk(header, payload)
      if (whole === undefined) return
      this.#in.taken(lane, whole.length)
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

  /** The type of a frame that opens a lane. */
  #admit(header: Header): TypeInfo | Foreign {
    const { lane, kind, type } = header
    const { dialed, own, types } = this.#to
    if (((lane & 1) === 1) === dialed)
      fail('PROTOCOL_ERROR', `${nameOfKind(kind)} on lane ${lane}, which is ours to open`)
    const info = types.at(type)
    const call = kind === REQUEST
    const declared = types.kindAt(type)
    if (info === undefined || declared === 'msg' || (declared === 'call') !== call)
      return types.refuse(header)
    const open = call ? this.#calls : this.#open.size - this.#calls
    const most = call ? own.maxCalls : own.maxStreams
    if (open >= most) fail('PROTOCOL_ERROR', `${nameOfKind(kind)}: ${open} are open, and ${most} are allowed`)
    if (this.#out.has(lane))
      fail('PROTOCOL_ERROR', `${nameOfKind(kind)} on lane ${lane}, which is open: an answer waits there`)
    return typeof info === 'object' ? info : call ? 'call' : 'stream'
  }

  #openTheirs(lane: number, kind: number, type: TypeInfo | Foreign): void {
    this.#own(lane, type)
    this.#lanes.open(lane, this.#to.own.laneWindow)
    if (kind === OPEN) this.#out.open(lane, priorityOf(type))
  }

  /** Keeps a lane of the far side until it is closed. */
  #own(lane: number, type: TypeInfo | Foreign): void {
    if (this.#open.has(lane)) return
    if (isCall(type)) this.#calls++
    this.#open.add(lane, type)
  }

  #ask(lane: number, type: TypeInfo, data: unknown, { headers = NO_HEADERS, deadline }: Prefix): void {
    const asked = { type, data, headers, deadline }
    if (!isCall(type)) this.#to.streams.onOpen(lane, asked)
    else if (this.#to.calls.served.onRequest(lane, asked) || this.#out.has(lane)) this.#own(lane, type)
  }

  #notAsked(lane: number, type: TypeInfo, whole: Uint8Array, thrown: unknown): void {
    const error = asSockError(thrown, 'BAD_MESSAGE', 'the codec failed')
    this.#to.application.invalid(type, whole, error)
    this.#turnAway(lane, type, badMessage(error))
  }

  /** Answers what cannot be served, and frees the lane. */
  #turnAway(lane: number, type: TypeInfo | Foreign, fault: Uint8Array): void {
    const kind = isCall(type) ? ERROR : RESET
    this.#out.last(lane, priorityOf(type), kind, fault)
    if (this.#out.has(lane)) this.#own(lane, type)
    this.#lanes.close(lane)
    this.closed(lane)
  }

  /** The far side gives up what it asked; no stream is open there. */
  onCancel(lane: number): void {
    const reading = this.#reading.get(lane)
    const type = this.#open.get(lane)
    if (reading !== undefined) reading.cancelled = true
    // In the middle of being asked.
    else if (!this.#to.calls.onCancel(lane) && type !== undefined && this.#lanes.has(lane))
      this.#turnAway(lane, type, refusal('CANCELLED'))
  }
}

/** What was asked; a channel is opened with nothing. */
const readAsked = (type: TypeInfo, codec: DataCodec, whole: Uint8Array, { at }: Prefix): unknown =>
  type.kind === 'channel' ? undefined : decodeData(type.input, codec, from(whole, at))
