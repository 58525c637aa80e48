import { asSockError, RemoteError, type SockError } from '../../errors.ts'
import type { TypeInfo } from '../../contract/protocol.ts'
import { encodePrefix, prefixFlags } from '../../wire/v1/bodies.ts'
import { CANCEL, HEADER, REPLY, REQUEST } from '../../wire/v1/frame.ts'
import { LaneTable } from '../../wire/v1/lane-table.ts'
import type { RequestOptions } from '../types.ts'
import { rejected } from '../waiter.ts'
import { decodeData, encodeData, from, joined } from './data.ts'
import { Expiry } from './expiry.ts'
import { faultOf } from './faults.ts'
import type { Link } from './link.ts'
import { OwnCall } from './own-call.ts'
import { ServedCalls, type ServedHost } from './served-calls.ts'
import { Settling } from './settling.ts'

export interface CallHost extends ServedHost {
  /** A late answer came and was dropped. */
  late(): void
}

/**
 * The calls over one connection: ours here, those of the far side in `served`.
 *
 *   ours     waiting ──(fewer than maxCalls are open)──▶ open ──REPLY, ERROR──▶ closed
 *               └─ given up: never sent                    └─ given up: CANCEL is sent, and the lane stays until the
 *                                                              answer has come, which is counted as late and dropped
 *   theirs   REQUEST ──▶ handler ──▶ REPLY or ERROR, exactly one, whatever happens
 */
export class Calls {
  readonly #link: Link
  readonly #host: CallHost
  /** As the far side grants. */
  readonly #most: number
  readonly #open = new LaneTable<OwnCall>()
  /** Not sent, since as many are open as may be. */
  readonly #waiting = new Set<OwnCall>()
  readonly served: ServedCalls
  /** Waits for that no call is open in either direction. */
  readonly #settling = new Settling()
  readonly #expiry: Expiry<OwnCall>

  constructor(link: Link, host: CallHost, most: number) {
    this.#link = link
    this.#host = host
    this.#most = most
    this.served = new ServedCalls(link, host, () => {
      this.#settling.check(this)
    })
    this.#expiry = new Expiry(link, (call) => {
      this.#giveUp(
        call,
        link.error('CALL_TIMEOUT', `no answer to ${call.type.name} within ${call.timeout} ms`),
      )
    })
  }

  /** Whether a call of ours is open on this lane. */
  has(lane: number): boolean {
    return this.#open.has(lane)
  }

  /** Of the call of ours that is open on this lane. */
  typeOf(lane: number): TypeInfo | undefined {
    return this.#open.get(lane)?.type
  }

  get idle(): boolean {
    return this.#open.size === 0 && this.#waiting.size === 0 && this.served.size === 0
  }

  // Ours

  request(type: TypeInfo, data: unknown, options: RequestOptions, callTimeout: number): Promise<unknown> {
    const { timeout = type.deadline ?? callTimeout, signal, headers } = options
    const link = this.#link
    let body: Uint8Array
    try {
      if (!(timeout >= 0))
        throw link.error('BAD_OPTION', `timeout is a number of milliseconds, not ${timeout}`)
      if (signal?.aborted === true) throw link.error('ABORTED', 'the call was given up', signal.reason)
      body = encodeData(type.input, link.codec, data)
      const prefix =
        (timeout > 0 ? 4 : 0) + (headers === undefined ? 0 : encodePrefix(undefined, headers).length)
      const refused = link.unsendable(type, body.length, prefix)
      if (refused !== undefined) throw refused
    } catch (thrown) {
      return rejected(asSockError(thrown, 'CANNOT_ENCODE', 'the codec failed', link.address))
    }
    const call = new OwnCall(type, body, headers)
    if (timeout > 0) this.#expiry.add(call, timeout)
    if (signal !== undefined) {
      const onAbort = (): void => {
        this.#giveUp(call, link.error('ABORTED', `the call ${type.name} was given up`, signal.reason))
      }
      signal.addEventListener('abort', onAbort, { once: true })
      call.unlisten = () => {
        signal.removeEventListener('abort', onAbort)
      }
    }
    if (this.#open.size < this.#most) this.#send(call, timeout > 0 ? timeout : undefined)
    else this.#waiting.add(call)
    return call.promise
  }

  /** `left`: milliseconds until it expires. */
  #send(call: OwnCall, left: number | undefined): void {
    const { type, headers } = call
    const link = this.#link
    const lane = (call.lane = link.nextLane())
    this.#open.add(lane, call)
    const flags = prefixFlags(left, headers)
    if (headers === undefined) {
      const deadline = left === undefined ? -1 : Math.min(Math.floor(left), MAX_U32)
      if (link.out.pass(lane, type.priority, REQUEST, flags, type.index, deadline, call.body)) return
    }
    const body = flags === 0 ? call.body : joined(encodePrefix(left, headers), call.body)
    link.out.open(lane, type.priority)
    call.entry = link.out.put(lane, REQUEST, flags, type.index, body)
  }

  /** What may have waited is sent with what is left of its time. */
  #sendNext(call: OwnCall): void {
    this.#send(call, call.timeout > 0 ? Math.max(0, call.until - this.#link.now()) : undefined)
  }

  #giveUp(call: OwnCall, why: SockError): void {
    if (call.settled) return
    this.#settle(call)
    call.refuse(why)
    if (call.lane < 0) {
      this.#waiting.delete(call)
      this.#settling.check(this)
    } else if (call.entry !== undefined && this.#link.out.revoke(call.lane, call.entry)) {
      this.#link.out.finish(call.lane)
      this.#closed(call)
    } else {
      // What of a long request is not written yet need not be.
      this.#link.out.open(call.lane, call.type.priority)
      this.#link.out.abort(call.lane, CANCEL, NOTHING)
    }
  }

  /** Its promise hears now; what comes after that is late. */
  #settle(call: OwnCall): void {
    call.settled = true
    this.#expiry.remove(call)
    call.unlisten?.()
  }

  /** REPLY, ERROR or RESET has come whole. False: to no call of ours. */
  onAnswer(lane: number, kind: number, whole: Uint8Array): boolean {
    const call = this.#open.get(lane)
    if (call === undefined) return false
    const { type } = call
    const { codec, address } = this.#link
    // First, since it may end the connection, and then this call as well.
    const fault = kind !== REPLY ? faultOf(whole, type, codec, address) : undefined
    // What of the question still waits for credit is not asked any more.
    if (call.entry?.waits === true) this.#link.out.abort(lane, CANCEL, NOTHING)
    this.#link.out.finish(lane)
    this.#closed(call)
    if (call.settled) {
      this.#host.late()
      return true
    }
    this.#settle(call)
    if (fault !== undefined) {
      if (fault instanceof Promise) void fault.then((error) => call.refuse(error))
      else call.refuse(this.#asCalled(call, fault))
      return true
    }
    try {
      // A reply of a call always has a schema.
      const data = decodeData(type.output ?? type.input, codec, from(whole, HEADER))
      if (data instanceof Promise) data.then(call.resolve, (thrown: unknown) => call.refuse(thrown as Error))
      else call.resolve(data)
    } catch (thrown) {
      call.refuse(thrown as Error)
    }
    return true
  }

  /** Who serves a call of ours gave it up: no answer comes. */
  #forsaken(call: OwnCall): void {
    const { lane, entry, type, settled } = call
    const link = this.#link
    // A long request that is not all written has to end as well.
    if (entry !== undefined && !link.out.revoke(lane, entry)) link.out.abort(lane, CANCEL, NOTHING)
    link.out.finish(lane)
    this.#closed(call)
    if (settled) return
    this.#settle(call)
    call.refuse(new RemoteError({ code: 'CANCELLED', text: `no answer to ${type.name} comes` }, link.address))
  }

  /** Whose clock was first, ours or that of the far side, is all the same to who called. */
  #asCalled({ type, timeout }: OwnCall, fault: Error): Error {
    const late = fault instanceof RemoteError && fault.remote.code === 'CALL_TIMEOUT' && timeout > 0
    return late ? this.#link.error('CALL_TIMEOUT', `no answer to ${type.name} in time`, fault) : fault
  }

  /** The lane is free on both sides. */
  #closed(call: OwnCall): void {
    this.#open.delete(call.lane)
    this.#link.in.close(call.lane)
    for (const call of this.#waiting) {
      this.#waiting.delete(call)
      this.#sendNext(call)
      return
    }
    this.#settling.check(this)
  }

  /** Whether a call is on this lane; if so it is not wanted any more, or not served. */
  onCancel(lane: number): boolean {
    const call = this.#open.get(lane)
    if (call !== undefined) {
      this.#forsaken(call)
      return true
    }
    return this.served.onCancel(lane)
  }

  // Ending

  /** Resolves when no call is open, in either direction. */
  settled(): Promise<void> {
    return this.#settling.wait(this)
  }

  /** The connection is over. */
  end(why: SockError): void {
    const ours = [...this.#open.values(), ...this.#waiting]
    this.#open.clear()
    this.#waiting.clear()
    this.#expiry.end()
    for (const call of ours) {
      if (call.settled) continue
      this.#settle(call)
      const begun = call.lane >= 0 && call.entry?.started !== false
      const what = begun ? `no answer to ${call.type.name} came` : `${call.type.name} was not sent`
      const code = call.type.idempotent ? 'ASK_AGAIN' : 'OUTCOME_UNKNOWN'
      call.refuse(this.#link.error(begun ? code : 'NOT_SENT', what, why))
    }
    this.served.end(why)
    this.#settling.check(this)
  }
}

const NOTHING = new Uint8Array(0)

const MAX_U32 = 0xffff_ffff
