import { fail } from '../../errors.ts'
import { COPY_MAX } from '../batch.ts'
import { BulkWindow } from './bulk.ts'
import {
  EVENT_LANES,
  type Fields,
  HEADER,
  ITEM,
  MAX_U53,
  MORE,
  RESET,
  SEND_CHUNK,
  VOLATILE,
} from './frame.ts'
import { type Entry, type Fate, isCredited, Lane, Message, Ring } from './queue.ts'
import type { Sequence } from './session.ts'

export type { Entry, Fate } from './queue.ts'

/** Bytes that wait on a lane before its owner is told to wait, unless `open` says otherwise. */
const MARK = 1024 * 1024
const PRIORITIES = 4

/** Where frames go. Every call comes from within `put`, `pump`, `revoke` or `abort`. */
export interface LaneSink {
  /** Writes one frame now: these fields of the header, then body[from, to). Its seq is 0 if it has none. */
  readonly frame: (...frame: [...Fields, body: Uint8Array, from: number, to: number]) => void
  /** How many bytes the sink takes now without holding them back. Above 0 it gets one more frame, of any length. */
  room(): number
  /**
   * The bytes that wait on this lane are half of its mark or fewer, after they were more than the mark. Not of a lane
   * that was closed or aborted: who waits there was told otherwise.
   */
  onRoom(lane: number): void
  /** The lane is gone: all that had to be written there was. */
  onWritten?(lane: number): void
}

/** What was dropped, an END and the like not counted. */
export interface Dropped {
  readonly messages: number
  /** 24 for each message included. */
  readonly bytes: number
}

/**
 * What is written next. A message waits on its lane, in order; the lane waits for its turn, if what is first on it
 * may be written:
 *
 * ```
 *   put ─▶ lane: message, message, …          credit short: waits for limit()
 *            │ first
 *            ▼
 *          #small[priority], #bulk[priority] ── pump, while room(): the highest priority, of its two rings
 *            ▲                                  the lane that waits longest, one chunk of it ─▶ sink.frame
 *            └── more on this lane ───────────────┘
 * ```
 *
 * The two rings of a priority differ in whether the next frame is bulk: then it also waits for acked() while as much
 * is in flight as may be. Behind bulk that waits like this no other bulk of the same or a lower priority is written.
 *
 * Bodies are lent until they are acknowledged. Control frames do not pass here.
 */
export class Outgoing {
  /** Bytes that wait on all lanes, 24 for each message included. */
  queued = 0
  readonly bulk = new BulkWindow()

  readonly #sequence: Sequence
  readonly #sink: LaneSink
  readonly #events: (Lane | undefined)[] = new Array<undefined>(EVENT_LANES).fill(undefined)
  readonly #lanes = new Map<number, Lane>()
  readonly #small = rings()
  readonly #bulk = rings()
  /** Lanes whose next message is `apart` wait here while another one has its turn: the far side holds one at most. */
  readonly #apart = new Ring()
  #long: Message | undefined
  /** One bit for each priority whose ring has lanes. */
  #smallMask = 0
  #bulkMask = 0
  #turn = 0

  constructor(sequence: Sequence, sink: LaneSink) {
    this.#sequence = sequence
    this.#sink = sink
  }

  /**
   * `window`: the credit that the far side grants a lane at first, in bytes. `priority`: 0 to 3, 0 first. `mark`: see
   * `onRoom`; default 1 MiB. The lanes of events are opened like all others.
   */
  open(lane: number, window: number, priority: number, mark = MARK): void {
    const opened = new Lane(lane, window, priority, mark)
    if (lane < EVENT_LANES) this.#events[lane] = opened
    else this.#lanes.set(lane, opened)
  }

  /** True until the last of what had to be written is: an id is not free before. */
  has(lane: number): boolean {
    return this.#find(lane) !== undefined
  }

  queuedOf(lane: number): number {
    return this.#find(lane)?.queued ?? 0
  }

  #find(lane: number): Lane | undefined {
    return lane < EVENT_LANES ? this.#events[lane] : this.#lanes.get(lane)
  }

  /**
   * Sends a message, at once if nothing has to wait for it or it for anything; undefined: it was written whole. What
   * must not wait, as VOLATILE, can be taken back with `revoke`. `flags`: HEADERS and DEADLINE; MORE is set here. On a
   * lane that is not open, or is ending, it is dropped without a word: whoever ended the lane knows. `fate` hears when
   * all of it is written, which may be before this returns.
   */
  put(
    lane: number,
    kind: number,
    flags: number,
    type: number,
    body: Uint8Array,
    now: number,
    fate?: Fate,
  ): Entry | undefined {
    const to = this.#find(lane)
    if (to === undefined || to.ending) return undefined
    const n = body.length
    if (to.first === undefined && to.fitsOne(kind, n) && this.#mayPass(to, kind, HEADER + n)) {
      const seq = kind === VOLATILE ? 0 : this.#sequence.next()
      if (isCredited(kind)) to.written += HEADER + n
      if (kind === ITEM) this.bulk.sent(seq, HEADER + n, now)
      this.#sink.frame(kind, flags, type, lane, seq, body, 0, n)
      fate?.written(seq)
      return undefined
    }
    // Copied where a batch would copy it, too: the sender may write to it again.
    const message = new Message(kind, flags, type, n > COPY_MAX ? body : body.slice(), fate)
    to.add(message)
    this.queued += HEADER + n
    if (to.queued > to.mark) to.over = true
    if (to.first === message) {
      this.#line(to)
      this.pump(now)
    }
    return message.waits ? message : undefined
  }

  /**
   * The seq of a frame that may be written now, of so many bytes, on a lane of this priority that is not open and need not
   * be: it is all that is ever sent there, its window is as the far side granted it, and nothing has to go before. 0: it
   * has to wait, on a lane. Not for ITEM.
   */
  pass(priority: number, bytes: number): number {
    if (bytes > HEADER + SEND_CHUNK || (this.#smallMask & ((2 << priority) - 1)) !== 0) return 0
    return this.#sink.room() > 0 ? this.#sequence.next() : 0
  }

  /** Whether a frame of an idle lane may be written with nothing else before it. */
  #mayPass(lane: Lane, kind: number, bytes: number): boolean {
    const asHigh = (2 << lane.priority) - 1
    if (kind === ITEM) {
      if (((this.#smallMask | this.#bulkMask) & asHigh) !== 0 || !this.bulk.fits(bytes)) return false
    } else if ((this.#smallMask & asHigh) !== 0) return false
    return (!isCredited(kind) || lane.written + bytes <= lane.limit) && this.#sink.room() > 0
  }

  /** Takes a message back that was not started. False: it is on its way. */
  revoke(lane: number, entry: Entry): boolean {
    const from = this.#find(lane)
    if (from === undefined || !(entry instanceof Message) || entry.started || entry.lane !== from)
      return false
    const wasFirst = from.first === entry
    this.#remove(from, entry)
    if (wasFirst) this.#line(from)
    this.#lessWaits(from)
    return true
  }

  /** The far side takes so many bytes on this lane, ever. Throws PROTOCOL_ERROR. Call `pump` afterwards. */
  limit(lane: number, limit: number): void {
    if (!(limit <= MAX_U53)) fail('PROTOCOL_ERROR', `a credit of ${limit} on lane ${lane}, above ${MAX_U53}`)
    const of = this.#find(lane)
    if (of === undefined) return
    if (limit < of.limit)
      fail('PROTOCOL_ERROR', `a credit of ${limit} on lane ${lane}, which was granted ${of.limit} before`)
    of.limit = limit
    // In a ring already it keeps its turn, unless what had to be cut before, and was bulk, now fits.
    if (of.ring === undefined || of.ring !== this.#ringFor(of)) this.#line(of)
  }

  /** The far side has every frame up to `seq`. Call `pump` afterwards. */
  acked(seq: number, now: number): void {
    this.bulk.acked(seq, now)
  }

  /** Nothing follows on this lane: it is gone once all that waits on it is written. */
  finish(lane: number): void {
    const of = this.#find(lane)
    if (of === undefined) return
    of.ending = true
    this.#goneIfEmpty(of)
  }

  /**
   * Drops what waits on this lane. What was started is written to its end first, as credit allows: the far side never
   * keeps part of a message. To cut it short instead, see `abort`.
   */
  close(lane: number): Dropped {
    const of = this.#find(lane)
    if (of === undefined || of.aborted) return NOTHING
    const dropped = this.#drop(of, of.first?.started === true ? of.first.after : of.first)
    of.ending = true
    of.over = false
    this.#goneIfEmpty(of)
    return dropped
  }

  /**
   * Drops what waits on this lane, the rest of what was started too, and sends this as its last: a RESET or a CANCEL,
   * the two that may come in the middle of a message and end it. A RESET that was started is finished instead; and once
   * aborted a lane is neither aborted nor closed again.
   */
  abort(lane: number, kind: number, body: Uint8Array, now: number): Dropped {
    const of = this.#find(lane)
    if (of === undefined || of.aborted) return NOTHING
    if (of.first?.started === true && of.first.kind === RESET) return this.close(lane)
    const dropped = this.#drop(of, of.first)
    of.ending = false
    this.put(lane, kind, 0, 0, body, now)
    of.aborted = true
    of.over = false
    this.finish(lane)
    return dropped
  }

  /** Drops `from` and all that wait behind it. */
  #drop(lane: Lane, from: Message | undefined): Dropped {
    let messages = 0
    let bytes = 0
    for (let message = from, after; message !== undefined; message = after) {
      after = message.after
      const waited = this.#remove(lane, message)
      if (isCredited(message.kind) || message.kind === VOLATILE) {
        bytes += waited
        messages++
      }
    }
    if (lane.first === undefined) this.#line(lane)
    return { messages, bytes }
  }

  /** The pipe is gone and another one carries on: the rest of a VOLATILE message is worth nothing there. */
  restart(): void {
    this.bulk.restart()
    const lanes = [...this.#events, ...this.#lanes.values()]
    for (const lane of lanes) {
      const message = lane?.first
      if (lane === undefined || message?.started !== true || message.kind !== VOLATILE) continue
      this.#remove(lane, message)
      this.#line(lane)
      this.#lessWaits(lane)
      message.fate?.cutOff()
    }
  }

  /** Writes what may be written. To be called when the sink has room again, and after `limit` and `acked`. */
  pump(now: number): void {
    if ((this.#smallMask | this.#bulkMask) === 0) return
    while (this.#sink.room() > 0) {
      const lane = this.#pick()
      if (lane === undefined) return
      this.#write(lane, now)
    }
  }

  #pick(): Lane | undefined {
    let bulk = this.#bulkMask !== 0
    for (let priority = 0; priority < PRIORITIES; priority++) {
      const small = this.#small[priority]?.first
      const large = bulk ? this.#bulk[priority]?.first : undefined
      if (large !== undefined && (small === undefined || large.turn < small.turn)) {
        if (this.bulk.fits(large.nextBytes)) return large
        bulk = false
      }
      if (small !== undefined) return small
    }
    return undefined
  }

  #write(lane: Lane, now: number): void {
    const message = lane.first
    if (message === undefined) return
    const { kind, at: from, body } = message
    const n = lane.chunk(message)
    const to = from + n
    const more = to < body.length
    const seq = kind === VOLATILE ? 0 : this.#sequence.next()
    if (isCredited(kind)) lane.written += HEADER + n
    if (lane.isBulk(message, n)) this.bulk.sent(seq, HEADER + n, now)

    lane.wrote(message, n)
    this.queued -= n
    if (!more) this.#remove(lane, message)
    this.#line(lane)
    const flags = (from === 0 ? message.flags : 0) | (more ? MORE : 0)
    this.#sink.frame(kind, flags, message.type, lane.id, seq, body, from, to)
    if (!more) message.fate?.written(seq)
    this.#lessWaits(lane)
    if (lane.ending) this.#goneIfEmpty(lane)
  }

  /** Takes a message out, written or dropped; returns how many bytes of it waited. */
  #remove(lane: Lane, message: Message): number {
    const bytes = lane.remove(message)
    this.queued -= bytes
    if (this.#long === message) {
      this.#long = undefined
      if (this.#apart.first !== undefined) this.#line(this.#apart.first)
    }
    return bytes
  }

  /** Puts a lane at the end of the ring where it belongs now, if it belongs in one. */
  #line(lane: Lane): void {
    const { ring } = lane
    if (ring !== undefined) {
      ring.remove(lane)
      if (ring.first === undefined) this.#mask(ring, lane.priority, false)
    }
    const next = this.#ringFor(lane)
    if (next === undefined) return
    if (next !== this.#apart && lane.first?.apart === true) this.#long = lane.first
    next.push(lane, this.#turn++)
    this.#mask(next, lane.priority, true)
  }

  #ringFor(lane: Lane): Ring | undefined {
    const { first: message, priority } = lane
    if (message === undefined) return undefined
    const n = lane.chunk(message)
    if (n < 0) return undefined
    if (message.apart && this.#long !== undefined && this.#long !== message) return this.#apart
    return (lane.isBulk(message, n) ? this.#bulk : this.#small)[priority]
  }

  #mask(ring: Ring, priority: number, some: boolean): void {
    const bit = 1 << priority
    if (ring === this.#small[priority])
      this.#smallMask = some ? this.#smallMask | bit : this.#smallMask & ~bit
    else if (ring === this.#bulk[priority])
      this.#bulkMask = some ? this.#bulkMask | bit : this.#bulkMask & ~bit
  }

  #lessWaits(lane: Lane): void {
    if (!lane.over || lane.queued > lane.mark / 2) return
    lane.over = false
    this.#sink.onRoom(lane.id)
  }

  #goneIfEmpty(lane: Lane): void {
    if (lane.first !== undefined || this.#find(lane.id) !== lane) return
    if (lane.id < EVENT_LANES) this.#events[lane.id] = undefined
    else this.#lanes.delete(lane.id)
    this.#sink.onWritten?.(lane.id)
  }
}

const NOTHING: Dropped = Object.freeze({ messages: 0, bytes: 0 })

const rings = (): readonly Ring[] => Array.from({ length: PRIORITIES }, () => new Ring())
