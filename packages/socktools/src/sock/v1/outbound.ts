import type { TypeInfo } from '../../contract/protocol.ts'
import type { Platform } from '../../platform/platform.ts'
import { type Done, encodeDone } from '../../wire/v1/bodies.ts'
import * as kinds from '../../wire/v1/frame.ts'
import type { Limits } from '../../wire/v1/hello.ts'
import { type Entry, Outgoing } from '../../wire/v1/lanes.ts'
import type { Sequence } from '../../wire/v1/session.ts'
import type { Outbox, OutboxShared } from '../outbox.ts'
import type { Deadlines } from '../deadlines.ts'
import type { Loss } from '../peer-hooks.ts'
import type { DropReason } from '../types.ts'
import { Waiter } from '../waiter.ts'
import { type Framed, FramesOut } from './frames-out.ts'
import { type Key, type Parcel, type ParcelOptions, Parcels, type Salvage } from './parcels.ts'

/** What may wait on the lane of a stream before its sender does. */
const STREAM_MARK = 256 * 1024
/** Shorter bodies take the time of the last look at the clock, which costs more than they do. */
const LONG = 4096
/** Above all that the wire has: in here, DONE has a lane beside each lane of events. */
const DONE_LANES = 2 ** 32

/** Where frames go, and whom that concerns. */
export interface Way extends Framed {
  readonly outboxes: OutboxShared
  readonly platform: Platform
  readonly deadlines: Deadlines
  readonly highWaterMark: number
  /** What the far side grants. */
  readonly theirs: Limits
  isGone(): boolean
  /** Senders begin to wait for room, or need not any more. */
  onWait(waiting: boolean): void
  /** There is room again on this lane. */
  onRoom(lane: number): void
  /** A message was dropped, as the delivery of its type says. */
  drop(reason: DropReason, bytes: number): void
  /** Nothing follows on this lane, and all of it was written. */
  onWritten(lane: number): void
}

/** The way out to one far side over v1: lanes, their order and credit. While there is no pipe everything waits on its lane. */
export class Outbound {
  messages = 0
  readonly frames: FramesOut
  readonly #way: Way
  readonly #sequence: Sequence
  readonly #lanes: Outgoing
  #room: Waiter | undefined
  #empty: Waiter | undefined
  #pumpDue = false
  /** The far side has ended: it gives no more credit, and no more acks. */
  #last = false
  #lately = 0
  /** Of messages that somebody wants to know about, or that may be dropped. */
  #parcels: Parcels | undefined
  /** Waits for that all is acknowledged. */
  #settled: Waiter | undefined

  constructor(sequence: Sequence, outbox: Outbox, way: Way) {
    this.#way = way
    this.#sequence = sequence
    const frames = (this.frames = new FramesOut(sequence, outbox, way))
    this.#lanes = new Outgoing(sequence, {
      frame: (kind, flags, type, lane, seq, body, from, to) => {
        const part = from === 0 && to === body.length ? body : body.subarray(from, to)
        frames.write(kind, flags, type, lane < DONE_LANES ? lane : lane - DONE_LANES, seq, part, -1)
      },
      room: () => frames.room,
      onRoom: (lane) => {
        way.onRoom(lane)
      },
      onWritten: (lane) => {
        way.onWritten(lane)
      },
    })
    for (let lane = 0; lane < kinds.EVENT_LANES; lane++) this.#lanes.open(lane, way.theirs.eventWindow, lane)
  }

  /** Bytes accepted and not yet taken by the system. */
  get queued(): number {
    return this.frames.queued + this.#lanes.queued
  }

  // Pipes

  detach(): void {
    this.frames.detach()
    this.#parcels?.detached()
  }

  /** Another pipe has taken over. To be followed by `pump`. */
  attach(outbox: Outbox): void {
    this.frames.attach(outbox)
    this.#lanes.restart()
  }

  /** The far side has all that was ever to be sent. */
  get confirmed(): boolean {
    return this.#lanes.queued === 0 && this.#sequence.acked === this.#sequence.sent
  }

  // Lanes

  has(lane: number): boolean {
    return this.#lanes.has(lane)
  }

  /** A lane that is not one of events; nothing, if it is open. */
  open(lane: number, priority: number): void {
    if (!this.#lanes.has(lane)) this.#lanes.open(lane, this.#way.theirs.laneWindow, priority, STREAM_MARK)
  }

  isFull(lane: number): boolean {
    return this.#lanes.queuedOf(lane) > STREAM_MARK
  }

  put(lane: number, kind: number, flags: number, type: number, body: Uint8Array): Entry | undefined {
    const now = body.length > LONG ? this.#way.platform.now() : this.#lately
    return this.#lanes.put(lane, kind, flags, type, body, now)
  }

  /** An event with a receipt, or one that may be dropped while it waits. */
  send(type: TypeInfo, flags: number, body: Uint8Array, options: ParcelOptions): Parcel {
    const parcels = (this.#parcels ??= this.#newParcels())
    const parcel = parcels.add(type, body.length, options)
    const kind = type.delivery === 'volatile' ? kinds.VOLATILE : kinds.EVENT
    const now = this.#way.platform.now()
    parcels.waits(parcel, this.#lanes.put(parcel.lane, kind, flags, type.index, body, now, parcel))
    return parcel
  }

  /** Takes a message back that was sent so. False: some of it has left. */
  takeBack(parcel: Parcel): boolean {
    return this.#parcels?.revoke(parcel) ?? false
  }

  /** The far side tells what became of a message. */
  onDone(done: Done): void {
    this.#parcels?.done(done)
  }

  /**
   * Tells what became of the message of this seq, which came on this lane. Not on that lane: behind events that wait for
   * credit it would wait for the far side, which may wait for it.
   */
  done(lane: number, seq: number, code: string): void {
    const own = DONE_LANES + lane
    if (!this.#lanes.has(own)) this.#lanes.open(own, Infinity, lane)
    this.put(own, kinds.DONE, 0, 0, encodeDone({ seq, code }))
  }

  /** Bytes that `send` would free first, since what waits is older. */
  replaceable(type: TypeInfo, key: Key): number {
    return this.#parcels?.replaceable(type, key) ?? 0
  }

  #newParcels(): Parcels {
    const way = this.#way
    const revoke = (lane: number, entry: Entry): boolean => {
      const revoked = this.#lanes.revoke(lane, entry)
      // Whoever waits for room may have it now.
      if (revoked) this.pumpSoon()
      return revoked
    }
    const drop = (reason: DropReason, bytes: number): void => {
      way.drop(reason, bytes)
    }
    return new Parcels({ deadlines: way.deadlines, now: way.platform.now, revoke, drop })
  }

  /**
   * Writes what is all that is ever sent on this lane, if it fits one frame and nothing has to go before. Then the lane need
   * not be opened. `deadline`: milliseconds, with the flag for it; -1: none.
   */
  pass(
    lane: number,
    priority: number,
    kind: number,
    flags: number,
    type: number,
    deadline: number,
    body: Uint8Array,
  ): boolean {
    const seq = this.#lanes.pass(priority, kinds.HEADER + 4 + body.length)
    if (seq === 0) return false
    this.frames.write(kind, flags, type, lane, seq, body, deadline)
    return true
  }

  /** The last message on a lane. If it is the first as well, and can leave at once, the lane need not be opened. */
  last(lane: number, priority: number, kind: number, body: Uint8Array): void {
    if (!this.#lanes.has(lane)) {
      if (this.pass(lane, priority, kind, 0, 0, -1, body)) return
      this.open(lane, priority)
    }
    this.put(lane, kind, 0, 0, body)
    this.finish(lane)
  }

  revoke(lane: number, entry: Entry): boolean {
    return this.#lanes.revoke(lane, entry)
  }

  abort(lane: number, kind: number, body: Uint8Array): void {
    this.#lanes.abort(lane, kind, body, this.#way.platform.now())
  }

  finish(lane: number): void {
    this.#lanes.finish(lane)
  }

  limit(lane: number, limit: number): void {
    this.#lanes.limit(lane, limit)
  }

  /** The far side has all frames up to the sequence's `acked`. */
  acked(): void {
    const { acked } = this.#sequence
    this.frames.acked(acked)
    // By the clock of now where bulk is timed: by an older one the far side seems to be as near as can be, whatever
    // waits in between, and the window would grow without end.
    const timed = this.#lanes.bulk.inFlight > 0
    this.#lanes.acked(acked, timed ? this.#way.platform.now() : this.#lately)
    this.#parcels?.acked(acked)
  }

  // Waiting

  /** What a send returns: resolved already, unless too much waits. */
  room(): Promise<void> {
    const { highWaterMark, outboxes } = this.#way
    if (this.queued > highWaterMark) {
      // Only a write can bring the drain that ends a wait.
      this.frames.flush()
      if (this.queued > highWaterMark) return this.#wait()
    }
    return outboxes.turn.pause
  }

  #wait(): Promise<void> {
    if (this.#room !== undefined) return this.#room.promise
    const { promise } = (this.#room = new Waiter())
    this.#way.onWait(true)
    return promise
  }

  /** The far side has ended. What waits for it is not to be waited for. */
  farEnded(): void {
    this.#last = true
    this.pumpSoon()
  }

  /** Nothing waits on any lane, or nothing of it can ever leave. */
  get #isEmpty(): boolean {
    return this.#lanes.queued === 0 || (this.#last && this.frames.taken)
  }

  /** The far side has all that was sent, and has told of what wants a DONE, or will not say so any more. */
  get #isSettled(): boolean {
    if (!this.#isEmpty) return false
    if (this.#last) return true
    if (this.#parcels?.awaited === true) return false
    return this.frames.settled
  }

  /** Resolves when all that was sent is with the system, and under a session with the far side. */
  settled(): Promise<void> {
    if (this.#last) this.pumpSoon()
    return this.#isSettled ? Promise.resolve() : (this.#settled ??= new Waiter()).promise
  }

  /** Resolves when nothing waits on any lane that can still leave. */
  emptied(): Promise<void> {
    if (this.#last) this.pumpSoon()
    return this.#lanes.queued === 0 ? Promise.resolve() : (this.#empty ??= new Waiter()).promise
  }

  /** The outbox got rid of something: more of what waits may go there, but not from within its write. */
  pumpSoon(): void {
    if (this.#pumpDue) return
    this.#pumpDue = true
    this.#way.platform.defer(() => {
      this.#pumpDue = false
      if (!this.#way.isGone()) this.pump()
    })
  }

  /** Writes what may be written by now. */
  pump(): void {
    const { highWaterMark, outboxes, platform } = this.#way
    this.#lately = platform.now()
    this.frames.replay()
    this.#lanes.pump(this.#lately)
    const { queued } = this
    if (queued <= highWaterMark) outboxes.onRoom()
    if (this.#room !== undefined && queued <= highWaterMark / 2) {
      this.#room.resolve()
      this.#room = undefined
      this.#way.onWait(false)
    }
    if (this.#empty !== undefined && this.#isEmpty) {
      this.#empty.resolve()
      this.#empty = undefined
    }
    if (this.#settled !== undefined && this.#isSettled) {
      this.#settled.resolve()
      this.#settled = undefined
    }
  }

  /** The session with this id is lost: what of it goes over the next one, as in Parcels. To be followed by `end`. */
  salvage(session: string, proved: boolean): Salvage {
    return this.#parcels?.salvage(session, proved) ?? { kept: [], waited: 0 }
  }

  /**
   * The connection is over: who waits hears of it. Returns the messages that never were sent whole. `unknown`, `proved`: of
   * those that were, and are not acknowledged; see Parcels. `quiet`: what became of their messages is told otherwise to those
   * who wait for room.
   */
  end(why: Error, unknown: 'gone' | 'lost' | 'closed', proved: boolean, quiet: boolean): Loss {
    this.#parcels?.end(unknown, proved)
    if (quiet) this.#room?.resolve()
    else this.#room?.reject(why)
    this.#empty?.reject(why)
    this.#settled?.reject(why)
    this.frames.end()
    let messages = 0
    let bytes = 0
    for (let lane = 0; lane < kinds.EVENT_LANES; lane++) {
      const dropped = this.#lanes.close(lane)
      messages += dropped.messages
      bytes += dropped.bytes
    }
    return { messages, bytes }
  }
}
