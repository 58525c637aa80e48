import {
  EVENT,
  HEADER,
  ITEM,
  REPLY,
  REQUEST,
  ERROR,
  OPEN,
  MAX_CHUNK,
  RESET,
  SEND_CHUNK,
  VOLATILE,
} from './frame.ts'

/** A message that waits. */
export interface Entry {
  /** Its first frame was written: it is on its way and cannot be taken back. */
  readonly started: boolean
  /** Some of it is not written yet, and will be. */
  readonly waits: boolean
}

/** Who wants to know what becomes of a message. */
export interface Fate {
  /** Its last frame was written, with this seq; 0: it has none. */
  written(seq: number): void
  /** The pipe that its first frames went to is gone, and the rest is not written any more. */
  cutOff(): void
}

/** Kinds whose frames count against the credit of their lane. */
const CREDITED = new Set([EVENT, REQUEST, REPLY, ERROR, OPEN, ITEM])
/** For the hot path: by kind. */
const credited: readonly boolean[] = Array.from({ length: 256 }, (_, kind) => CREDITED.has(kind))

export const isCredited = (kind: number): boolean => credited[kind] === true

/** A window that holds two of the longest frames: then none of them waits until the window is empty. */
const ROOMY = 2 * (HEADER + MAX_CHUNK)

/** A message, and how much of it was written. */
export class Message implements Entry {
  readonly kind: number
  readonly flags: number
  readonly type: number
  readonly body: Uint8Array
  readonly fate: Fate | undefined
  /** Where the next chunk begins. */
  at = 0
  started = false
  /** Undefined: it does not wait any more. */
  lane: Lane | undefined
  before: Message | undefined
  after: Message | undefined

  constructor(kind: number, flags: number, type: number, body: Uint8Array, fate: Fate | undefined) {
    this.kind = kind
    this.flags = flags
    this.type = type
    this.body = body
    this.fate = fate
  }

  get waits(): boolean {
    return this.lane !== undefined
  }

  /** Credit-free and longer than a chunk: how many such are on their way is bounded by a rule of their own. */
  get apart(): boolean {
    return (this.kind === RESET || this.kind === VOLATILE) && this.body.length > SEND_CHUNK
  }
}

/** One direction of a lane: what waits, in order, and how much may be written. */
export class Lane {
  readonly id: number
  readonly window: number
  /** 0 to 3, 0 first. */
  readonly priority: number
  /** Half of these waiting bytes or fewer, after more than these: there is room again. */
  readonly mark: number
  /** Bytes that may ever be written, and those that were. */
  limit: number
  written = 0
  /** The first is the one that is written now or next. */
  first: Message | undefined
  last: Message | undefined
  /** Bytes that wait. */
  queued = 0
  /** More than the mark waited, and not yet half of it or less. */
  over = false
  /** Nothing is added any more, and the lane is gone when nothing waits. */
  ending = false
  /** What waits is its last frame, and has to be written. */
  aborted = false

  /** Where it waits for its turn, and since which one. */
  ring: Ring | undefined
  turn = 0
  prev: Lane | undefined
  next: Lane | undefined

  constructor(id: number, window: number, priority: number, mark: number) {
    this.id = id
    this.window = this.limit = window
    this.priority = priority
    this.mark = mark
  }

  add(message: Message): void {
    message.lane = this
    message.before = this.last
    if (this.last === undefined) this.first = message
    else this.last.after = message
    this.last = message
    this.queued += HEADER + message.body.length
  }

  /** `n` more bytes of its first message were written. What waits of it still is the rest, and 24 bytes. */
  wrote(message: Message, n: number): void {
    message.started = true
    message.at += n
    this.queued -= n
  }

  /** Takes out a message that waits; returns how many bytes of it did. */
  remove(message: Message): number {
    const { before, after } = message
    if (before === undefined) this.first = after
    else before.after = after
    if (after === undefined) this.last = before
    else after.before = before
    message.lane = message.before = message.after = undefined
    const bytes = HEADER + message.body.length - message.at
    this.queued -= bytes
    return bytes
  }

  /**
   * How many bytes of its first message's body the next frame carries; -1: credit is short.
   *
   * A message is cut to the credit there is only if that is half of the window or more. With less, the far side has
   * not yet granted what it will when it has taken all, and many small chunks would be written for nothing.
   */
  chunk(message: Message): number {
    const left = message.body.length - message.at
    const full = this.fitsOne(message.kind, left) ? left : Math.min(left, SEND_CHUNK)
    if (!isCredited(message.kind)) return full
    const room = this.limit - this.written - HEADER
    if (room >= full) return full
    return room > 0 && room + HEADER >= this.window / 2 ? room : -1
  }

  /** Whether so much of a message goes into one frame. Items of 64 KiB do: who reads them need not put them together. */
  fitsOne(kind: number, bytes: number): boolean {
    return bytes <= SEND_CHUNK || (kind === ITEM && bytes <= MAX_CHUNK && this.window >= ROOMY)
  }

  /** The payload of its next frame, in bytes. */
  get nextBytes(): number {
    return HEADER + (this.first === undefined ? 0 : this.chunk(this.first))
  }

  /** Whether a frame that carries so much of this message is of those that bulkInFlight bounds. */
  isBulk(message: Message, n: number): boolean {
    const { kind } = message
    if (kind === ITEM) return true
    return kind !== VOLATILE && (message.at > 0 || n < message.body.length)
  }
}

/** Lanes that wait for their turn: first in, first out, and any may leave. */
export class Ring {
  first: Lane | undefined
  #last: Lane | undefined

  push(lane: Lane, turn: number): void {
    lane.ring = this
    lane.turn = turn
    lane.prev = this.#last
    if (this.#last === undefined) this.first = lane
    else this.#last.next = lane
    this.#last = lane
  }

  remove(lane: Lane): void {
    const { prev, next } = lane
    if (prev === undefined) this.first = next
    else prev.next = next
    if (next === undefined) this.#last = prev
    else next.prev = prev
    lane.ring = lane.prev = lane.next = undefined
  }
}
