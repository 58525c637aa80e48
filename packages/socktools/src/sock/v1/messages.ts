import { asSockError, fail, type SockError } from '../../errors.ts'
import type { TypeInfo } from '../../contract/protocol.ts'
import { encodePrefix, prefixFlags } from '../../wire/v1/bodies.ts'
import { EVENT } from '../../wire/v1/frame.ts'
import { KEPT_LANE, type Marks, needOwnKeys, withMarks } from '../../wire/v1/marks.ts'
import { LONGEST, withPlaces } from '../../wire/v1/resent.ts'
import type { Turn } from '../turn.ts'
import type { Carriage } from '../durable/courier.ts'
import type { DropReason, Headers, MessageOptions, ReceiptOptions } from '../types.ts'
import { rejected } from '../waiter.ts'
import { encodeData, joined, keyOf } from './data.ts'
import { type Kept, ownBody } from './kept.ts'
import type { Mux } from './mux.ts'
import type { Key, Settle } from './parcels.ts'

const ASK: Marks = { done: 'processed', id: undefined }
const NO_RESENDS = 'the far side does not know by its mark what came before'
const NOTHING = new Uint8Array(0)
export const NO_DONES = 'the far side does not tell what became of messages (DONE)'

type SlowPeer = 'drop' | 'reject' | 'close'

/** Options of the sock. */
interface Limits {
  readonly slowPeer?: SlowPeer | undefined
  readonly highWaterMark: number
  readonly maxQueue: number
  readonly sessionLost: 'fail' | 'resend' | 'drop'
}

/** The peer that they are for. */
export interface MessagePeer {
  readonly state: 'open' | 'detached' | 'ending' | 'gone'
  /** Undefined: the session ends with the connection. */
  readonly session: unknown
  /** A message is not sent, which counts. */
  dropped(reason: DropReason, bytes: number): void
  /** It takes too little of what waits for it. */
  tooSlow(error: SockError): void
}

/** Messages of the application: which of them go to the lanes of events, and what becomes of the others. */
export class Messages {
  readonly #mux: Mux
  readonly #peer: MessagePeer
  readonly #limits: Limits
  readonly #turn: Turn

  constructor(mux: Mux, peer: MessagePeer, limits: Limits, turn: Turn) {
    this.#mux = mux
    this.#peer = peer
    this.#limits = limits
    this.#turn = turn
  }

  /** `settle` hears what became of it. */
  send(type: string, data: unknown, options: ReceiptOptions, settle: Settle | undefined): Promise<void> {
    const mux = this.#mux
    try {
      const info = mux.typeOf(type, 'msg')
      const body = encodeData(info.input, mux.codec, data)
      const key = info.delivery === undefined ? undefined : keyOf(info, data)
      return this.#post(info, body, options, this.#limits.slowPeer ?? 'reject', key, settle)
    } catch (thrown) {
      const error = asSockError(thrown, 'CANNOT_ENCODE', 'the codec failed', mux.address)
      return this.#refuse('unsendable', error, 0, settle)
    }
  }

  /** One of several who are sent this, in the codec of this connection: it never rejects, and holds nobody up. */
  offer(type: TypeInfo, body: Uint8Array, options: MessageOptions, key: Key | undefined): void {
    // What is refused is counted there; the promise is marked handled.
    void this.#post(type, body, options, this.#limits.slowPeer ?? 'drop', key, undefined)
  }

  #post(
    type: TypeInfo,
    body: Uint8Array,
    { headers, ack: asked }: ReceiptOptions,
    slow: SlowPeer,
    key: Key | undefined,
    settle: Settle | undefined,
  ): Promise<void> {
    const { highWaterMark, maxQueue } = this.#limits
    const mux = this.#mux
    const { out } = mux
    let sent = body
    const ack = asked ?? type.ack
    // Where nobody would hear of it, it is not asked for.
    const wantsDone = settle !== undefined && ack !== undefined && ack !== 'received'
    const slot = wantsDone ? withMarks(headers, ASK) : headers
    if (slot !== undefined) {
      try {
        needOwnKeys(headers)
        if (wantsDone) this.#needDone(type, ack)
        // What could not be sent again is not taken.
        if (this.#keeps) encodePrefix(undefined, withPlaces(slot, LONGEST))
        sent = joined(encodePrefix(undefined, slot), body)
      } catch (thrown) {
        const error = asSockError(thrown, 'BAD_OPTION', 'the headers', mux.address)
        return this.#refuse('unsendable', error, body.length, settle)
      }
    }
    const refused = mux.unsendable(type, body.length, sent.length - body.length)
    if (refused !== undefined) {
      const { state } = this.#peer
      const why = state === 'ending' || state === 'gone' ? state : 'unsendable'
      return this.#refuse(why, refused, body.length, settle)
    }
    const { queued } = out
    const { delivery } = type
    if (delivery === 'volatile' && (queued > highWaterMark || this.#isAway))
      return this.#miss(this.#isAway ? 'away' : 'slow', sent.length, settle)
    if (queued > highWaterMark) {
      const freed = key === undefined ? 0 : out.replaceable(type, key)
      if (queued - freed + sent.length > maxQueue) return this.#overflow(sent.length, slow, settle)
    }
    const flags = prefixFlags(undefined, slot)
    const kept =
      this.#keeps && delivery === undefined
        ? { type, codec: mux.codec.name, headers, body: ownBody(body), wantsDone, settle, places: [] }
        : undefined
    if (delivery === undefined && settle === undefined && kept === undefined)
      out.put(type.priority, EVENT, flags, type.index, sent)
    else out.send(type, flags, sent, { key, settle, wantsDone, kept })
    out.messages++
    return out.room()
  }

  /** What a lost session leaves open is sent again over the next one. */
  get #keeps(): boolean {
    return this.#limits.sessionLost === 'resend' && this.#peer.session !== undefined
  }

  /**
   * Sends what a session that is lost has left, before anything else and however much waits. The error: this peer cannot be
   * sent it, or could not be told that it may have come before.
   */
  again(kept: Kept): SockError | undefined {
    const mux = this.#mux
    const { type, headers, wantsDone, settle, places } = kept
    if (places.length > 0 && !mux.knowsResent) return mux.error('UNSUPPORTED', NO_RESENDS)
    if (wantsDone && !mux.tellsDone) return mux.error('UNSUPPORTED', NO_DONES)
    try {
      const slot = withPlaces(wantsDone ? withMarks(headers, ASK) : headers, places)
      const prefix = slot === undefined ? NOTHING : encodePrefix(undefined, slot)
      const refused = mux.unsendable(type, kept.body.length, prefix.length)
      if (refused !== undefined) return refused
      const body = slot === undefined ? kept.body : joined(prefix, kept.body)
      mux.out.send(type, prefixFlags(undefined, slot), body, { settle, wantsDone, kept })
      mux.out.messages++
      return undefined
    } catch (thrown) {
      return asSockError(thrown, 'BAD_OPTION', 'the headers', mux.address)
    }
  }

  #needDone({ name, delivery }: TypeInfo, ack: unknown): void {
    // Callers in JavaScript may pass anything.
    if (ack !== 'processed' && ack !== 'durable') fail('BAD_OPTION', "ack is 'received' or 'processed'")
    if (delivery === 'volatile')
      fail('BAD_OPTION', `"${name}" is volatile: nobody tells what became of its messages`)
    if (!this.#mux.tellsDone) throw this.#mux.error('UNSUPPORTED', NO_DONES)
  }

  /**
   * Puts one in line that its sender keeps until it is done: whatever waits, and on the one lane of such messages. The error:
   * it cannot be sent to this peer.
   */
  carry(
    type: TypeInfo,
    body: Uint8Array,
    headers: Headers | undefined,
    marks: Marks,
    settle: Settle,
  ): Carriage | SockError {
    const { out } = this.#mux
    const slot = withMarks(headers, marks)
    const prefix = encodePrefix(undefined, slot)
    const refused = this.#mux.unsendable(type, body.length, prefix.length)
    if (refused !== undefined) return refused
    const parcel = out.send(type, prefixFlags(undefined, slot), joined(prefix, body), {
      ...{ settle, wantsDone: true, lane: KEPT_LANE },
    })
    out.messages++
    return { revoke: () => out.takeBack(parcel) }
  }

  get #isAway(): boolean {
    return this.#peer.state === 'detached'
  }

  #refuse(why: DropReason, error: SockError, bytes: number, settle: Settle | undefined): Promise<never> {
    settle?.({ status: 'not-delivered', reason: why })
    this.#peer.dropped(why, bytes)
    return rejected(error)
  }

  /** It is dropped without an error. */
  #miss(why: DropReason, bytes: number, settle: Settle | undefined): Promise<void> {
    settle?.({ status: 'not-delivered', reason: why })
    this.#peer.dropped(why, bytes)
    return this.#turn.pause
  }

  #overflow(bytes: number, policy: SlowPeer, settle: Settle | undefined): Promise<void> {
    settle?.({ status: 'not-delivered', reason: 'slow' })
    this.#peer.dropped('slow', bytes)
    if (policy === 'drop') return this.#turn.pause
    const error = this.#mux.error('SLOW_PEER', `${this.#mux.out.queued} bytes wait to be sent already`)
    if (policy === 'close') this.#peer.tooSlow(error)
    return rejected(error)
  }
}
