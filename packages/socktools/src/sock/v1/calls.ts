import { asSockError, RemoteError, type SockError } from '../../errors.ts'
import type { TypeInfo } from '../../contract/protocol.ts'
import { encodePrefix, type HeaderSlot, prefixFlags } from '../../wire/v1/bodies.ts'
import { CANCEL, ERROR, HEADER, REPLY, REQUEST } from '../../wire/v1/frame.ts'
import { LaneTable } from '../../wire/v1/lane-table.ts'
import type { Entry } from '../../wire/v1/lanes.ts'
import { rejected } from '../waiter.ts'
import { isThenable } from '../thenable.ts'
import { decodeData, encodeData, from } from './data.ts'
import { Expiring, Expiry } from './expiry.ts'
import { faultBody, faultOf, refusal, stopped } from './faults.ts'
import type { Asked, Link } from './link.ts'

export interface RequestOptions {
  /** Milliseconds until the answer must be there; 0: for ever. Default: of the type, else the option callTimeout. */
  readonly timeout?: number
  /** Gives the call up, here and there. */
  readonly signal?: AbortSignal
  /** Travel with it; for trace context and the like. */
  readonly headers?: HeaderSlot
}

/** The application's side of what the far side asks. */
export interface CallHost {
  /** What the handler gives; may throw, or be a promise. */
  serve(asked: Asked): { answer: unknown; served: Served }
  /** What the handler threw, or why there was none to ask. */
  failed(thrown: unknown, type: TypeInfo): void
  /** A late answer came and was dropped. */
  late(): void
}

/** One that is being served. */
export interface Served {
  abort(reason: SockError): void
  end(): void
  readonly reason: SockError | undefined
}

/**
 * The calls over one connection, in both roles.
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
  readonly #serving = new LaneTable<Served>()
  /** Wait for that no call is open in either direction. */
  #onIdle: (() => void)[] = []
  #draining = false
  readonly #expiry: Expiry<OwnCall>

  constructor(link: Link, host: CallHost, most: number) {
    this.#link = link
    this.#host = host
    this.#most = most
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

  /** How many calls of the far side are being served. */
  get serving(): number {
    return this.#serving.size
  }

  get idle(): boolean {
    return this.#open.size === 0 && this.#waiting.size === 0 && this.#serving.size === 0
  }

  // Ours

  request(type: TypeInfo, data: unknown, options: RequestOptions, timeout: number): Promise<unknown> {
    const { signal, headers } = options
    const link = this.#link
    let body: Uint8Array
    try {
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
      if (link.pass(lane, type.priority, REQUEST, flags, type.index, deadline, call.body)) return
    }
    const body = flags === 0 ? call.body : joined(encodePrefix(left, headers), call.body)
    link.openOut(lane, type.priority)
    call.entry = link.put(lane, REQUEST, flags, type.index, body)
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
      this.#checkIdle()
    } else if (call.entry !== undefined && this.#link.revoke(call.lane, call.entry)) {
      this.#link.finish(call.lane)
      this.#closed(call)
    } else {
      // What of a long request is not written yet need not be.
      this.#link.openOut(call.lane, call.type.priority)
      this.#link.abort(call.lane, CANCEL, NOTHING)
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
    if (call.entry?.waits === true) this.#link.abort(lane, CANCEL, NOTHING)
    this.#link.finish(lane)
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
    if (entry !== undefined && !link.revoke(lane, entry)) link.abort(lane, CANCEL, NOTHING)
    link.finish(lane)
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
    this.#link.closeIncoming(call.lane)
    for (const call of this.#waiting) {
      this.#waiting.delete(call)
      this.#sendNext(call)
      return
    }
    if (this.#onIdle.length > 0) this.#checkIdle()
  }

  // Theirs

  get draining(): boolean {
    return this.#draining
  }

  /** New calls of the far side are turned away. */
  drain(): void {
    this.#draining = true
  }

  /** A call of the far side. True: it is not answered yet. */
  onRequest(lane: number, asked: Asked): boolean {
    const { type } = asked
    if (this.#draining) {
      this.#give(lane, type, ERROR, refusal('DRAINING'))
      return false
    }
    let served: Served | undefined
    try {
      const { answer, served: one } = this.#host.serve(asked)
      served = one
      if (isThenable(answer)) {
        this.#serving.add(lane, one)
        answer.then(
          (given) => {
            this.#answered(lane, type, one, given, false)
          },
          (thrown: unknown) => {
            this.#answered(lane, type, one, thrown, true)
          },
        )
        // Unless it was of somebody's own making, and answered there and then.
        return this.#serving.get(lane) === one
      }
      one.end()
      this.#answer(lane, type, answer)
    } catch (thrown) {
      served?.end()
      this.#failed(lane, type, thrown)
    }
    return false
  }

  #answered(lane: number, type: TypeInfo, served: Served, given: unknown, failed: boolean): void {
    if (this.#serving.get(lane) !== served) return
    this.#serving.delete(lane)
    served.end()
    // Nobody reads it, and it may be long: what closes the lane is enough.
    if (served.reason !== undefined) this.#give(lane, type, ERROR, stopped(served.reason))
    else if (failed) this.#failed(lane, type, given)
    else this.#answer(lane, type, given)
    this.#checkIdle()
  }

  #failed(lane: number, type: TypeInfo, thrown: unknown): void {
    this.#host.failed(thrown, type)
    this.#give(lane, type, ERROR, faultBody(thrown, type, this.#link))
  }

  #answer(lane: number, type: TypeInfo, given: unknown): void {
    const link = this.#link
    let kind = REPLY
    let body: Uint8Array
    try {
      body = encodeData(type.output ?? type.input, link.codec, given)
      const refused = link.tooLarge(type, body.length)
      if (refused !== undefined) {
        kind = ERROR
        this.#host.failed(refused, type)
        body = refusal('TOO_LARGE')
      }
    } catch (thrown) {
      kind = ERROR
      this.#host.failed(asSockError(thrown, 'CANNOT_ENCODE', 'the codec failed', link.address), type)
      body = refusal('CANNOT_ENCODE')
    }
    this.#give(lane, type, kind, body)
  }

  /** The last of a call of the far side. */
  #give(lane: number, { priority }: TypeInfo, kind: number, body: Uint8Array): void {
    this.#link.last(lane, priority, kind, body)
    this.#link.closeIncoming(lane)
  }

  /** Whether a call is on this lane; if so it is not wanted any more, or not served. */
  onCancel(lane: number): boolean {
    const call = this.#open.get(lane)
    if (call !== undefined) {
      this.#forsaken(call)
      return true
    }
    const served = this.#serving.get(lane)
    served?.abort(this.#link.error('CANCELLED', 'the far side gave this call up'))
    return served !== undefined
  }

  // Ending

  /** Resolves when no call is open, in either direction. */
  settled(): Promise<void> {
    return this.idle ? Promise.resolve() : new Promise((resolve) => this.#onIdle.push(resolve))
  }

  #checkIdle(): void {
    if (!this.idle) return
    for (const resolve of this.#onIdle.splice(0)) resolve()
  }

  /** The connection is over. */
  end(why: SockError): void {
    const ours = [...this.#open.values(), ...this.#waiting]
    const theirs = [...this.#serving.values()]
    this.#open.clear()
    this.#waiting.clear()
    this.#serving.clear()
    this.#expiry.end()
    for (const call of ours) {
      if (call.settled) continue
      this.#settle(call)
      const begun = call.lane >= 0 && call.entry?.started !== false
      const what = begun ? `no answer to ${call.type.name} came` : `${call.type.name} was not sent`
      const code = call.type.idempotent ? 'ASK_AGAIN' : 'OUTCOME_UNKNOWN'
      call.refuse(this.#link.error(begun ? code : 'NOT_SENT', what, why))
    }
    for (const served of theirs) served.abort(why)
    this.#checkIdle()
  }
}

const NOTHING = new Uint8Array(0)

const MAX_U32 = 0xffff_ffff

class OwnCall extends Expiring {
  readonly type: TypeInfo
  readonly body: Uint8Array
  readonly headers: HeaderSlot | undefined
  lane = -1
  /** Undefined once it is on a lane: it was written whole. */
  entry: Entry | undefined
  unlisten: (() => void) | undefined
  /** Its promise has heard; what comes after that is late. */
  settled = false
  readonly promise: Promise<unknown>
  resolve!: (value: unknown) => void
  #reject!: (error: Error) => void

  constructor(type: TypeInfo, body: Uint8Array, headers: HeaderSlot | undefined) {
    super()
    this.type = type
    this.body = body
    this.headers = headers
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.#reject = reject
    })
  }

  /** A forgotten await ends no process. */
  refuse(error: Error): void {
    this.promise.catch(() => undefined)
    this.#reject(error)
  }
}

export function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}
