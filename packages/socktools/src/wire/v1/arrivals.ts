import { fail } from '../../errors.ts'
import { Held } from '../held.ts'
import {
  CANCEL,
  ERROR,
  EVENT_LANES,
  HEADER,
  type Header,
  MAX_CHUNK,
  MORE,
  nameOfKind,
  RESET,
  TABLE,
  VOLATILE,
} from './frame.ts'
import { isCredited } from './queue.ts'

/** What all partial messages but one are granted beyond their windows, together. */
const ADVANCE = 4 * 1024 * 1024
/** Chunks of which so many bytes are kept are views of what was read, */
const KEEP = 16 * 1024
/** unless they keep alive more than twice what they hold themselves, and this. */
const SPARE = 512 * 1024

/** One direction of a lane: what may come, what came, what was taken of it. All in bytes since the lane was opened. */
class Lane {
  readonly id: number
  readonly window: number
  limit: number
  received = 0
  consumed = 0

  /** The kind and the type of its partial message; a kind of 0: it has none. */
  kind = 0
  type = 0
  /** What came of it, header and body; what that counts against the credit. */
  held = new Held()
  cost = 0
  /** How much of `cost` was granted out of ADVANCE. */
  advance = 0
  /** The memory that `held` keeps alive by views, and what the last of them is one of. */
  pinned = 0
  buffer: ArrayBufferLike | undefined

  due = false
  open = true

  constructor(id: number, window: number) {
    this.id = id
    this.window = this.limit = window
  }

  /** Whole messages wait to be taken. */
  get untaken(): boolean {
    return this.received - this.consumed > this.cost
  }
}

/**
 * What comes on lanes: whole messages out of chunks, and how much more of them may come.
 *
 * ```
 *   limit = bytes taken + bytes of the partial message + window
 * ```
 *
 * So a message may be longer than the window; what that takes is bounded here. One partial message may grow as far as
 * a message may: the one that began first of those before which nothing waits to be taken. It depends on nobody but
 * the sender, so it ends some day, and then it is another's turn: whatever the application waits for is not held up
 * by messages that wait for the application. All others together are granted ADVANCE beyond their windows.
 */
export class Incoming {
  /** Bytes of messages that are not whole yet. */
  partialBytes = 0
  readonly #maxMessage: number
  /** Of what is not the application's own: it has to get through, however short its messages are. */
  readonly #maxOther: number
  readonly #events: (Lane | undefined)[] = new Array<undefined>(EVENT_LANES).fill(undefined)
  readonly #lanes = new Map<number, Lane>()
  /** TABLE has no lane, and may be cut. */
  #table = new Lane(0, 0)
  /** Those with a partial message that counts against credit, the oldest first. */
  readonly #partials = new Set<Lane>()
  /** Of these the one whose message may grow. */
  #growing: Lane | undefined
  /** Granted to the others out of ADVANCE; and whether one of them would take more. */
  #advanced = 0
  #short = false
  /** The one with a partial message that is credit-free. */
  #free: Lane | undefined
  #pinned = 0
  #due: Lane[] = []

  /** `maxMessage`: the longest body of a message, in bytes. */
  constructor(maxMessage: number) {
    this.#maxMessage = maxMessage
    this.#maxOther = Math.max(maxMessage, MAX_CHUNK)
  }

  /** `window`: what we granted the far side for a lane, in bytes. */
  open(lane: number, window: number): void {
    const opened = new Lane(lane, window)
    if (lane < EVENT_LANES) this.#events[lane] = opened
    else this.#lanes.set(lane, opened)
  }

  has(lane: number): boolean {
    return this.#find(lane) !== undefined
  }

  /** The kind of the message of which part has come; 0: there is none. */
  partialOf(lane: number): number {
    return this.#find(lane)?.kind ?? 0
  }

  /** Nothing comes on this lane any more. What came of a message that is not whole is dropped. */
  close(lane: number): void {
    const of = this.#find(lane)
    if (of === undefined) return
    of.open = false
    if (lane < EVENT_LANES) this.#events[lane] = undefined
    else this.#lanes.delete(lane)
    this.#drop(of)
  }

  #find(lane: number): Lane | undefined {
    return lane < EVENT_LANES ? this.#events[lane] : this.#lanes.get(lane)
  }

  /**
   * Takes a frame that belongs to a lane, or a TABLE; `payload` begins with the `header`. Returns the message that is
   * whole with it: the payload itself, or, put together of chunks, fresh memory with the header of its first.
   * Throws PROTOCOL_ERROR. `credits` may be due afterwards.
   */
  chunk(header: Header, payload: Uint8Array): Uint8Array | undefined {
    const { kind, flags } = header
    const lane = kind === TABLE ? this.#table : this.#find(header.lane)
    if (lane === undefined) return refuse(header, 'that lane is not open')
    if (lane.kind !== 0 && (kind === RESET || kind === CANCEL) && lane.kind !== RESET) this.#drop(lane)
    if (lane.kind !== 0) this.#checkNext(lane, header)
    const length = payload.length - HEADER + (lane.kind === 0 ? 0 : lane.held.length - HEADER)
    const most = carriesData(kind) ? this.#maxMessage : this.#maxOther
    if (length > most) refuse(header, `${length} bytes of one message, and ${most} is the longest`)
    if (isCredited(kind)) {
      const received = lane.received + payload.length
      if (received > lane.limit) refuse(header, `${received} bytes came, and ${lane.limit} were granted`)
      lane.received = received
    }
    if ((flags & MORE) !== 0) {
      this.#keep(lane, header, payload)
      return undefined
    }
    return lane.kind === 0 ? payload : this.#whole(lane, payload)
  }

  #checkNext(lane: Lane, { kind, flags, type }: Header): void {
    if (kind === lane.kind && type === lane.type && (flags & ~MORE) === 0) return
    fail(
      'PROTOCOL_ERROR',
      `${nameOfKind(kind)} on lane ${lane.id}: type ${type} with the flags ${flags}, in the middle of ` +
        `${nameOfKind(lane.kind)} of type ${lane.type}`,
    )
  }

  #keep(lane: Lane, header: Header, payload: Uint8Array): void {
    const { kind } = header
    const first = lane.kind === 0
    if (first && !isCredited(kind) && kind !== TABLE) {
      if (this.#free !== undefined)
        refuse(header, `begins in chunks, and one without credit is on its way on lane ${this.#free.id}`)
      this.#free = lane
    }
    lane.kind = kind
    lane.type = header.type
    this.#hold(lane, payload, first ? 0 : HEADER)
    if (!isCredited(kind)) return
    lane.cost += payload.length
    if (first) {
      this.#partials.add(lane)
      this.#choose()
    }
    this.#check(lane)
  }

  /** What is long is kept as it came, as long as that keeps little else alive. */
  #hold(lane: Lane, payload: Uint8Array, from: number): void {
    const n = payload.length - from
    const before = lane.held.length
    const room = HEADER + this.#maxOther - before
    this.partialBytes += n
    if (n < KEEP) {
      lane.held.add(payload, from, payload.length, room)
      return
    }
    const { buffer } = payload
    let pinned = buffer === lane.buffer ? 0 : buffer.byteLength
    if (this.#pinned + pinned > 2 * this.partialBytes + SPARE) {
      lane.held.add(payload.slice(from), 0, n, room)
      pinned = n
    } else {
      lane.held.add(payload, from, payload.length, room)
      lane.buffer = buffer
    }
    lane.pinned += pinned
    this.#pinned += pinned
  }

  #whole(lane: Lane, payload: Uint8Array): Uint8Array {
    const credited = isCredited(lane.kind)
    const cost = lane.cost + payload.length
    const before = lane.held.length
    const whole = lane.held.take(payload, HEADER, payload.length)
    whole[1] = (whole[1] ?? 0) & ~MORE
    // Whoever takes it knows its length: the headers that went into it are taken now.
    if (credited) lane.consumed += cost - whole.length
    this.#end(lane, before)
    if (credited) this.#check(lane)
    return whole
  }

  #drop(lane: Lane): void {
    if (lane.kind === 0) return
    const { length } = lane.held
    lane.held = new Held()
    // What was granted for it is spent all the same.
    lane.consumed += lane.cost
    this.#end(lane, length)
  }

  /** A lane has no partial message any more: `bytes` of it were held. */
  #end(lane: Lane, bytes: number): void {
    this.partialBytes -= bytes
    this.#pinned -= lane.pinned
    this.#advanced -= lane.advance
    lane.kind = lane.cost = lane.pinned = lane.advance = 0
    lane.buffer = undefined
    if (this.#free === lane) this.#free = undefined
    if (!this.#partials.delete(lane)) return
    if (this.#growing === lane) this.#growing = undefined
    this.#choose()
    this.#relieve()
  }

  /** Some of ADVANCE may be free again. */
  #relieve(): void {
    if (!this.#short) return
    this.#short = false
    for (const lane of this.#partials) this.#check(lane)
  }

  /** Whose message may grow, if none may yet. */
  #choose(): void {
    if (this.#growing !== undefined) return
    for (const lane of this.#partials) {
      if (lane.untaken) continue
      this.#growing = lane
      this.#advanced -= lane.advance
      lane.advance = 0
      this.#check(lane)
      return
    }
  }

  /**
   * The application took a message of so many bytes, header included: the length of what `chunk` returned. Not for a
   * VOLATILE message and others that take no credit.
   */
  taken(lane: number, bytes: number): void {
    const of = this.#find(lane)
    if (of === undefined) return
    // Never more than came: a window can be given back once only.
    of.consumed = Math.min(of.consumed + bytes, of.received - of.cost)
    if (of.kind !== 0) {
      this.#choose()
      this.#relieve()
    }
    this.#check(of)
  }

  /** `credits` has something to say. */
  get due(): boolean {
    return this.#due.length > 0
  }

  /** Tells the new limits that are due, to be sent as CREDIT. */
  credits(each: (lane: number, limit: number) => void): void {
    if (this.#due.length === 0) return
    const due = this.#due
    this.#due = []
    for (const lane of due) {
      lane.due = false
      if (lane.open) each(lane.id, this.#grant(lane))
    }
  }

  /**
   * Another pipe carries on: tells the limits of all lanes. What was lost with the old one for good, the rest of a
   * VOLATILE message or of a TABLE, is dropped.
   */
  restate(each: (lane: number, limit: number) => void): void {
    this.#drop(this.#table)
    for (const lane of [...this.#events, ...this.#lanes.values()]) {
      if (lane === undefined) continue
      if (lane.kind !== RESET && !isCredited(lane.kind)) this.#drop(lane)
      each(lane.id, this.#grant(lane))
    }
  }

  /**
   * Notes that a limit is to be told: it can grow by much, or the sender may not have room for a chunk, and nobody is
   * about to take anything that would give it more.
   */
  #check(lane: Lane): void {
    if (lane.due) return
    const more = this.#target(lane) - lane.limit
    if (more <= 0) return
    if (more < lane.window / 2) {
      if (lane.limit - lane.received >= HEADER + MAX_CHUNK) return
      if (lane.cost === 0 && lane.untaken) return
    }
    lane.due = true
    this.#due.push(lane)
  }

  #target(lane: Lane): number {
    return lane.consumed + lane.window + this.#granted(lane)
  }

  /** How much of its partial message a lane may be granted beyond its window. */
  #granted(lane: Lane): number {
    if (lane === this.#growing) return lane.cost
    const most = lane.advance + ADVANCE - this.#advanced
    if (lane.cost > most) this.#short = true
    return Math.min(lane.cost, most)
  }

  #grant(lane: Lane): number {
    const granted = this.#granted(lane)
    const target = lane.consumed + lane.window + granted
    if (target > lane.limit) {
      lane.limit = target
      if (lane !== this.#growing) {
        this.#advanced += granted - lane.advance
        lane.advance = granted
      }
    }
    return lane.limit
  }
}

const carriesData = (kind: number): boolean => kind === VOLATILE || (isCredited(kind) && kind !== ERROR)

const refuse = ({ kind, lane }: Header, what: string): never =>
  fail('PROTOCOL_ERROR', `${nameOfKind(kind)} on lane ${lane}: ${what}`)
