import type { TypeInfo } from '../../contract/protocol.ts'
import type { Done } from '../../wire/v1/bodies.ts'
import type { Entry, Fate } from '../../wire/v1/lanes.ts'
import type { Deadlines } from '../deadlines.ts'
import type { DropReason, Outcome } from '../types.ts'
import { Expiring, Expiry } from './expiry.ts'
import { type Kept, keptFrom } from './kept.ts'

/** Whoever has the receipt hears. */
export type Settle = (outcome: Outcome) => void

/** For which waiting messages one is the newer. */
export type Key = string | number

export interface ParcelHost {
  readonly deadlines: Deadlines
  readonly now: () => number
  /** Takes a message back. False: some of it has left. */
  revoke(lane: number, entry: Entry): boolean
  /** A message was dropped. */
  drop(reason: DropReason, bytes: number): void
}

/** What is to be known of a message that is put in line. */
export interface ParcelOptions {
  /** Default: that of its priority. */
  readonly lane?: number
  readonly key?: Key | undefined
  readonly settle?: Settle | undefined
  readonly wantsDone?: boolean
  /** The message itself: it is to be sent again if the session is lost. */
  readonly kept?: Kept | undefined
}

/** What of a lost session goes over the next one. */
export interface Salvage {
  /** In the order in which they were sent. */
  readonly kept: readonly Kept[]
  /** How many of them were not written whole. */
  readonly waited: number
}

/** A message whose outcome somebody waits for, or that may be dropped while it waits. */
export class Parcel extends Expiring implements Fate {
  readonly type: TypeInfo
  readonly lane: number
  readonly bytes: number
  readonly key: Key | undefined
  readonly kept: Kept | undefined
  settle: Settle | undefined
  /** Undefined: all of it was written. */
  entry: Entry | undefined
  /** Of its last frame; 0: that has none, or was not written. */
  seq = 0
  /** It wants a DONE: that it was received says nothing of its outcome. */
  readonly wantsDone: boolean
  readonly #all: Parcels

  constructor(
    type: TypeInfo,
    bytes: number,
    { lane = type.priority, key, settle, wantsDone = false, kept }: ParcelOptions,
    all: Parcels,
  ) {
    super()
    this.type = type
    this.lane = lane
    this.bytes = bytes
    this.key = key
    this.kept = kept
    this.settle = settle
    this.wantsDone = wantsDone
    this.#all = all
  }

  written(seq: number): void {
    this.#all.written(this, seq)
  }

  cutOff(): void {
    this.#all.dropped(this, 'away')
  }
}

/**
 * What is to be known of single messages of one peer, beside that they were sent.
 *
 * ```
 *   add ──▶ waits ──▶ begun ──▶ written(seq) ──▶ acked ≥ seq: delivered
 *             │         └── its session is over: not delivered      └── … unless proved: unknown
 *             └── replaced, expired, away: taken back, not delivered
 * ```
 *
 * One that wants a DONE stays written until that comes: then it is delivered, or failed with the code. Without it, it is
 * unknown where it was received. One that is kept outlives a session that is lost: its receipt stays open.
 *
 * Messages that are reliable, have no receipt and are not kept never come here.
 */
export class Parcels {
  readonly #host: ParcelHost
  readonly #open = new Set<Parcel>()
  /** In the order of their seq; those before `first` are settled. */
  #written: Parcel[] = []
  #first = 0
  /** Those that wait for a DONE, by their seq. */
  readonly #asked = new Map<number, Parcel>()
  #acked = 0
  readonly #newest = new Map<TypeInfo, Map<Key, Parcel>>()
  readonly #expiry: Expiry<Parcel>

  constructor(host: ParcelHost) {
    this.#host = host
    this.#expiry = new Expiry(host, (parcel) => {
      this.#takeBack(parcel, 'expired')
    })
  }

  /** Of what waits for this key, to be replaced by the next one: its bytes. */
  replaceable(type: TypeInfo, key: Key): number {
    const older = this.#newest.get(type)?.get(key)
    return older === undefined || older.entry?.started !== false ? 0 : older.bytes
  }

  /** To be put on its lane now, with the parcel as its fate. What it replaces is dropped. */
  add(type: TypeInfo, bytes: number, options: ParcelOptions): Parcel {
    const { key } = options
    const parcel = new Parcel(type, bytes, options, this)
    if (key !== undefined) {
      const older = this.#newest.get(type)?.get(key)
      if (older !== undefined) this.#takeBack(older, 'replaced')
    }
    this.#open.add(parcel)
    return parcel
  }

  /** It was put there; undefined: it was written. */
  waits(parcel: Parcel, entry: Entry | undefined): void {
    if (entry === undefined) return
    const { type, key } = parcel
    parcel.entry = entry
    if (entry.started) return
    if (key !== undefined) this.#keysOf(type).set(key, parcel)
    else if (typeof type.delivery === 'object' && type.delivery.kind === 'ttl')
      this.#expiry.add(parcel, type.delivery.ms)
  }

  #keysOf(type: TypeInfo): Map<Key, Parcel> {
    let keys = this.#newest.get(type)
    if (keys === undefined) this.#newest.set(type, (keys = new Map<Key, Parcel>()))
    return keys
  }

  #takeBack(parcel: Parcel, reason: DropReason): void {
    const { entry, lane } = parcel
    if (entry !== undefined && this.#host.revoke(lane, entry)) this.dropped(parcel, reason)
  }

  /** Takes a message back, and says nothing of it. False: some of it has left. */
  revoke(parcel: Parcel): boolean {
    const { entry, lane } = parcel
    if (entry === undefined || !this.#host.revoke(lane, entry)) return false
    this.#waitsNoMore(parcel)
    this.#open.delete(parcel)
    return true
  }

  dropped(parcel: Parcel, reason: DropReason): void {
    this.#waitsNoMore(parcel)
    this.#close(parcel, { status: 'not-delivered', reason })
    this.#host.drop(reason, parcel.bytes)
  }

  written(parcel: Parcel, seq: number): void {
    this.#waitsNoMore(parcel)
    parcel.entry = undefined
    parcel.seq = seq
    if (parcel.settle === undefined && parcel.kept === undefined) this.#open.delete(parcel)
    else if (seq === 0) this.#close(parcel, { status: 'unknown', reason: 'volatile' })
    else if (parcel.wantsDone) this.#asked.set(seq, parcel)
    else this.#written.push(parcel)
  }

  #waitsNoMore(parcel: Parcel): void {
    const { type, key } = parcel
    this.#expiry.remove(parcel)
    if (key === undefined) return
    const keys = this.#newest.get(type)
    if (keys?.get(key) === parcel) keys.delete(key)
  }

  #close(parcel: Parcel, outcome: Outcome): void {
    this.#open.delete(parcel)
    parcel.settle?.(outcome)
    parcel.settle = undefined
  }

  /** Messages were written, and the far side has not said yet what became of them. */
  get awaited(): boolean {
    return this.#asked.size > 0
  }

  /** What the far side says became of a message; one that nobody asked about is none of ours. */
  done({ seq, code }: Done): void {
    const parcel = this.#asked.get(seq)
    if (parcel === undefined) return
    this.#asked.delete(seq)
    if (code === '') this.#close(parcel, DELIVERED)
    // It had come over an earlier session, and what became of it there is not known any more.
    else if (code === FORGOTTEN) this.#close(parcel, { status: 'unknown', reason: 'lost' })
    else this.#close(parcel, { status: 'not-delivered', reason: 'failed', code })
  }

  /** The far side has every frame up to `seq`. */
  acked(seq: number): void {
    this.#acked = seq
    for (let one = this.#written[this.#first]; one !== undefined && one.seq <= seq; ) {
      this.#close(one, DELIVERED)
      one = this.#written[++this.#first]
    }
    if (this.#first > 64 && this.#first * 2 > this.#written.length) {
      this.#written = this.#written.slice(this.#first)
      this.#first = 0
    }
  }

  /** There is no pipe: what is volatile does not wait for the next one. */
  detached(): void {
    for (const parcel of this.#open) if (parcel.type.delivery === 'volatile') this.#takeBack(parcel, 'away')
  }

  /** What it received, and said nothing of, it may have handled. */
  #isReceived({ wantsDone, seq }: Parcel): boolean {
    return wantsDone && seq > 0 && seq <= this.#acked
  }

  /**
   * The session with this id is lost: takes out, in the order in which they were sent, those that are to go over the next one.
   * To be followed by `end`, which is for the others. `proved`: as there.
   */
  salvage(session: string, proved: boolean): Salvage {
    const kept: Kept[] = []
    let waited = 0
    for (const parcel of this.#open) {
      const { seq, entry, lane } = parcel
      if (parcel.kept === undefined || this.#isReceived(parcel)) continue
      this.#open.delete(parcel)
      if (seq === 0) waited++
      if (entry !== undefined) this.#host.revoke(lane, entry)
      // Of what was not written whole nothing can have been taken.
      kept.push(seq === 0 || proved ? parcel.kept : keptFrom(parcel.kept, { session, seq }))
    }
    return { kept, waited }
  }

  /**
   * It is over. `proved`: what was not acknowledged did not arrive. Else that is unknown, for this reason. What was not
   * written whole did not arrive in any case, and is counted by whoever ends its lane; but where it was sent over an earlier
   * session as well, it may have arrived there.
   */
  end(unknown: 'gone' | 'lost' | 'closed', proved: boolean): void {
    const reason = unknown === 'closed' ? 'closed' : 'gone'
    for (const parcel of this.#open) {
      const isReceived = this.#isReceived(parcel)
      const mayHaveCome = (parcel.kept?.places.length ?? 0) > 0
      if (!mayHaveCome && (parcel.seq === 0 || (proved && !isReceived)))
        this.#close(parcel, { status: 'not-delivered', reason })
      else this.#close(parcel, { status: 'unknown', reason: unknown })
    }
    this.#written = []
    this.#first = 0
    this.#asked.clear()
    this.#newest.clear()
    this.#expiry.end()
  }
}

const DELIVERED: Outcome = Object.freeze({ status: 'delivered' })
/** The code of a DONE about a message that came again. */
export const FORGOTTEN = 'OUTCOME_UNKNOWN'
