/** Outgoing and Incoming with two lossless pipes between them, beside a model: what must come, and in which order. */
import assert from 'node:assert/strict'
import { Incoming } from '../../../src/wire/v1/arrivals.ts'
import {
  EVENT,
  HEADER,
  Header,
  ITEM,
  MAX_CHUNK,
  MORE,
  RESET,
  writeHeader,
} from '../../../src/wire/v1/frame.ts'
import { isCredited } from '../../../src/wire/v1/queue.ts'
import { type Dropped, type Entry, type LaneSink, Outgoing } from '../../../src/wire/v1/lanes.ts'
import { Sequence } from '../../../src/wire/v1/session.ts'

const MIB = 1024 * 1024
/** What bodies are parts of. */
const pool = Uint8Array.from({ length: 8 * MIB }, (_, i) => (i * 31 + (i >>> 8) * 17 + (i >>> 16)) & 0xff)
const NOTHING = new Uint8Array(0)
/** The type of a RESET is 0, but the body tells that it is the last of its lane. */
const LAST = Uint8Array.of(1, 65, 0, 0)

interface Sent {
  readonly kind: number
  readonly type: number
  readonly body: Uint8Array
  readonly entry: Entry | undefined
}

export interface LaneSetup {
  readonly id: number
  readonly window: number
  readonly priority: number
}

export class Joined implements LaneSink {
  readonly out: Outgoing
  readonly into: Incoming
  /** Frames that may be written before the next pump. */
  takes = Infinity
  /** Messages that came whole, and frames that were written. */
  came = 0
  written = 0
  /** The lane of the frame that was written last. */
  lastLane = -1

  readonly #near = new Sequence()
  readonly #far = new Sequence()
  readonly #header = new Header()
  readonly #setups: readonly LaneSetup[]
  readonly #bound: number
  #frames: Uint8Array[] = []
  #back: ({ ack: number } | { lane: number; limit: number })[] = []
  /** By lane: what must come still, what came and was not taken. */
  readonly #expected = new Map<number, Sent[]>()
  readonly #untaken = new Map<number, number[]>()
  readonly #over = new Set<number>()
  #salt = 0
  #now = 0

  constructor(setups: readonly LaneSetup[], maxMessage: number) {
    this.#setups = setups
    this.out = new Outgoing(this.#near, this)
    this.into = new Incoming(maxMessage)
    for (const setup of setups) this.#open(setup)
    const windows = setups.reduce((sum, { window }) => sum + window, 0)
    // What the one may grow to, what the others may, and one message without credit.
    this.#bound = maxMessage + HEADER + 4 * MIB + windows + Math.max(maxMessage, MAX_CHUNK) + HEADER
  }

  /** Lanes that nothing is sent on any more. */
  readonly #ended = new Set<number>()

  #open({ id, window, priority }: LaneSetup): void {
    this.#ended.delete(id)
    this.out.open(id, window, priority, 100_000)
    this.into.open(id, window)
    this.#expected.set(id, [])
    this.#untaken.set(id, [])
  }

  // The sink.

  readonly frame: LaneSink['frame'] = (kind, flags, type, lane, seq, body, from, to) => {
    assert.ok(this.takes > 0, 'written where no room was')
    assert.ok(this.written < 1_000_000, 'that never ends')
    this.takes--
    this.written++
    this.lastLane = lane
    const bytes = new Uint8Array(HEADER + to - from)
    writeHeader(bytes, 0, kind, flags, type, lane, seq, this.#near.received)
    bytes.set(body.subarray(from, to), HEADER)
    this.#frames.push(bytes)
    const { bulk } = this.out
    // A round that ended may have halved the window under what was in flight; nothing is added then.
    if (kind === ITEM || (flags & MORE) !== 0) {
      assert.ok(seq === 0 || bulk.inFlight <= bulk.size, `${bulk.inFlight} in flight, of ${bulk.size}`)
    }
  }

  room(): number {
    return this.takes
  }

  onRoom(lane: number): void {
    assert.ok(this.out.queuedOf(lane) <= 50_000, 'told too early')
    assert.ok(this.#over.delete(lane), 'told twice, or never above the mark')
  }

  // What happens.

  send(lane: number, n: number, kind: number): void {
    if (!this.out.has(lane) || this.#ended.has(lane)) return
    const at = (this.#salt++ * 8191) % (pool.length - n + 1)
    const body = n === 0 ? NOTHING : pool.subarray(at, at + n)
    const type = kind === EVENT ? this.#salt % 4 : 0
    const before = this.written
    const overBefore = this.out.queuedOf(lane) + HEADER + n > 100_000
    if (overBefore) this.#over.add(lane)
    const expected = this.#expected.get(lane)!
    const index = expected.length
    expected.push({ kind, type, body, entry: undefined })
    const entry = this.out.put(lane, kind, 0, type, body, ++this.#now)
    if (entry === undefined) {
      assert.ok(this.written > before, 'said to be written')
      if (this.out.queuedOf(lane) === 0) this.#over.delete(lane)
    } else expected[index] = { ...expected[index]!, entry }
  }

  pump(takes: number): void {
    this.takes = takes
    this.out.pump(++this.#now)
  }

  /** Takes back one that waits. */
  revoke(lane: number, which: number): void {
    const expected = this.#expected.get(lane)!
    const waiting = expected.filter(({ entry }) => entry !== undefined)
    const one = waiting[which % Math.max(1, waiting.length)]
    if (one?.entry === undefined) return
    const { started } = one.entry
    const revoked = this.out.revoke(lane, one.entry)
    if (revoked) expected.splice(expected.indexOf(one), 1)
    assert.equal(revoked && started, false)
  }

  /** What was not started will not come. */
  close(lane: number): void {
    this.#drop(
      lane,
      (_kind, entry) => !entry.started,
      () => this.out.close(lane),
    )
  }

  /** What is not written will not come; but a RESET that was begun is finished. */
  abort(lane: number): void {
    this.#drop(
      lane,
      (kind, entry) => !(kind === RESET && entry.started),
      () => this.out.abort(lane, RESET, LAST, ++this.#now),
    )
  }

  #drop(lane: number, drops: (kind: number, entry: Entry) => boolean, end: () => Dropped): void {
    const expected = this.#expected.get(lane)!
    const dropped = expected.filter(({ kind, entry }) => entry?.waits === true && drops(kind, entry))
    const { messages, bytes } = end()
    this.#ended.add(lane)
    this.#over.delete(lane)
    this.#expected.set(
      lane,
      expected.filter((one) => !dropped.includes(one)),
    )
    const data = dropped.filter(({ kind }) => kind !== RESET)
    assert.equal(messages, data.length)
    assert.ok(bytes <= data.reduce((sum, { body }) => sum + HEADER + body.length, 0), `${bytes}`)
    for (const { entry } of dropped) assert.equal(entry?.waits, false)
  }

  /** Opens again what is closed on both sides, once nothing is on its way that means the old one. */
  reopen(): void {
    if (this.#back.length > 0) return
    for (const setup of this.#setups) {
      if (!this.out.has(setup.id) && !this.into.has(setup.id)) this.#open(setup)
    }
  }

  deliver(n: number): void {
    for (const bytes of this.#frames.splice(0, n)) this.#take(bytes)
  }

  #take(bytes: Uint8Array): void {
    const header = this.#header
    header.read(bytes)
    if (header.seq === 0) this.#far.ack(header.ack)
    else assert.equal(this.#far.take(header.seq, header.ack), 'new')
    const whole = this.into.chunk(header, bytes)
    if (header.kind === ITEM || whole !== bytes) this.#far.bulk(bytes.length)
    assert.ok(this.into.partialBytes <= this.#bound, `${this.into.partialBytes} bytes are held`)
    if (whole !== undefined) this.#whole(header.lane, whole)
    if (this.#far.due) this.acknowledge()
  }

  #whole(lane: number, whole: Uint8Array): void {
    this.came++
    if (whole[0] === RESET && whole.length === HEADER + LAST.length && whole[HEADER] === 1) {
      this.into.close(lane)
      assert.deepEqual(this.#expected.get(lane), [], 'what was before it did not come')
      this.#untaken.set(lane, [])
      return
    }
    const sent = this.#expected.get(lane)!.shift()
    assert.ok(sent !== undefined, 'nobody sent that')
    assert.deepEqual([whole[0], whole[1], whole[3]], [sent.kind, 0, sent.type])
    assert.equal(Buffer.compare(whole.subarray(HEADER), sent.body), 0)
    if (isCredited(sent.kind)) this.#untaken.get(lane)!.push(whole.length)
  }

  /** The application takes one message. */
  take(lane: number): boolean {
    const bytes = this.#untaken.get(lane)!.shift()
    if (bytes !== undefined) this.into.taken(lane, bytes)
    return bytes !== undefined
  }

  acknowledge(): void {
    if (!this.#far.pending) return
    this.#far.left()
    this.#back.push({ ack: this.#far.received })
  }

  grant(): void {
    this.into.credits((lane, limit) => this.#back.push({ lane, limit }))
    assert.equal(this.into.due, false)
  }

  /** `n` of what came from the far side is taken. */
  hear(n: number): void {
    for (const one of this.#back.splice(0, n)) {
      if ('ack' in one) {
        this.#near.ack(one.ack)
        this.out.acked(one.ack, ++this.#now)
      } else this.out.limit(one.lane, one.limit)
    }
  }

  /** Everything goes on until nothing more happens; the application takes what comes on these lanes. */
  settle(taking: (lane: number) => boolean): void {
    for (let round = 0; ; round++) {
      assert.ok(round < 10_000, 'that never ends')
      const before = this.written + this.came
      this.pump(Infinity)
      this.deliver(Infinity)
      for (const { id } of this.#setups) if (taking(id)) while (this.take(id));
      this.grant()
      this.acknowledge()
      const heard = this.#back.length
      this.hear(Infinity)
      if (this.written + this.came === before && heard === 0) return
    }
  }

  /** How many messages did not come, of all that had to. */
  missing(lane: number): number {
    return this.#expected.get(lane)!.length
  }
}
