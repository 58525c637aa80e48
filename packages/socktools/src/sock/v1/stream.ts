import { asSockError, fail, type SockError } from '../../errors.ts'
import type { TypeInfo } from '../../contract/protocol.ts'
import type { Schema } from '../../schema.ts'
import type { Entry } from '../../wire/v1/lanes.ts'
import { CANCEL, END, HEADER, ITEM, RESET } from '../../wire/v1/frame.ts'
import { rejected, Waiter } from '../waiter.ts'
import { decodeData, encodeData } from './data.ts'
import { badMessage, faultBody, faultOf, refusal } from './faults.ts'
import { Keep } from './keep.ts'
import type { Link } from './link.ts'

/** How the items of a stream go, seen from this side. */
export interface Direction {
  /** Of what comes; undefined: nothing comes. */
  readonly incoming: Schema | undefined
  /** Of what is sent; undefined: nothing is. */
  readonly outgoing: Schema | undefined
}

/**
 * One feed or channel at this end: items that come, items that are sent, each side ended once.
 *
 *   coming    open ──END, RESET, CANCEL──▶ ended   CANCEL is sent when nobody reads any more: what still comes
 *               └── nobody reads ──▶ discarding ──▶ ended   is dropped until the far side has ended
 *   sending   open ──END, RESET, CANCEL sent──▶ ended   CANCEL has come: send() rejects, and the end is due
 *
 * It is over, and its lane free, when both have ended.
 */
export class Stream implements AsyncIterableIterator<unknown> {
  readonly lane: number
  readonly type: TypeInfo
  readonly #link: Link
  readonly #incoming: Schema | undefined
  readonly #outgoing: Schema | undefined
  readonly #onOver: () => void
  #items: Uint8Array[] = []
  readonly #keep: Keep
  #readers: {
    resolve: (result: IteratorResult<unknown, undefined>) => void
    reject: (error: Error) => void
  }[] = []
  #inEnded: boolean
  #outEnded: boolean
  #discarding = false
  #cancelled = false
  /** How it ended, for whoever reads next. */
  #error: Error | undefined
  /** Why nothing more is to be sent. */
  #stopped: SockError | undefined
  #room: Waiter | undefined
  /** What the last item that could not be sent was refused with. */
  #unsendable: SockError | undefined

  constructor(
    lane: number,
    type: TypeInfo,
    { incoming, outgoing }: Direction,
    link: Link,
    onOver: () => void,
  ) {
    this.lane = lane
    this.type = type
    this.#link = link
    this.#keep = new Keep(link.spare)
    this.#incoming = incoming
    this.#outgoing = outgoing
    this.#inEnded = incoming === undefined
    this.#outEnded = outgoing === undefined
    this.#onOver = onOver
  }

  /** Of a stream of ours: what opens it, unless that was written at once. */
  opening: Entry | undefined

  /** Called when the far side asks for no more, or the connection ends. */
  onStop: ((why: SockError) => void) | undefined

  /** Called where the far side opened it and sent what our schema does not take. */
  onInvalid: ((body: Uint8Array, error: SockError) => void) | undefined
  /** What the reader was told of that. */
  refused: SockError | undefined

  // What comes

  onItem(whole: Uint8Array): void {
    if (this.#inEnded) fail('PROTOCOL_ERROR', `an ITEM on lane ${this.lane}, which had ended`)
    if (this.#discarding) {
      this.#link.in.taken(this.lane, whole.length)
      return
    }
    const reader = this.#readers.shift()
    if (reader === undefined) this.#items.push(this.#keep.keep(whole))
    else this.#take(whole).then(reader.resolve, reader.reject)
  }

  onEnd(): void {
    if (this.#inEnded) fail('PROTOCOL_ERROR', `an END on lane ${this.lane}, which had ended`)
    this.#endIn(undefined)
  }

  /** The far side ended in bad order: it sends no more, and takes no more. */
  onReset(whole: Uint8Array): void {
    if (this.#inEnded) fail('PROTOCOL_ERROR', `a RESET on lane ${this.lane}, which had ended`)
    const { codec, address } = this.#link
    const fault = faultOf(whole, this.type, codec, address)
    if (!this.#outEnded) {
      const why = this.#link.error('CANCELLED', 'the far side ended this channel with an error')
      const served = this.onStop !== undefined
      this.#stop(why)
      // Whoever serves it is told, and ends it: so as many are served as may be open, however fast others follow.
      if (!served) this.reset(refusal('CANCELLED'))
    }
    if (fault instanceof Promise) void fault.then((error) => this.#endIn(error))
    else this.#endIn(fault)
  }

  /** The far side gave it up: it sends no more, and takes no more. Whoever serves it is told, and ends it. */
  onCancel(): void {
    if (!this.#outEnded) {
      const why = this.#link.error('CANCELLED', 'the far side takes no more of this')
      const served = this.onStop !== undefined
      this.#stop(why)
      if (!served) this.reset(refusal('CANCELLED'))
    }
    this.#endIn(undefined)
  }

  #endIn(error: Error | undefined): void {
    if (this.#inEnded) return
    this.#inEnded = true
    if (!this.#discarding) this.#error = error
    for (const reader of this.#readers.splice(0)) this.#ended().then(reader.resolve, reader.reject)
    this.#checkOver()
  }

  next(): Promise<IteratorResult<unknown, undefined>> {
    const whole = this.#items.shift()
    if (this.#items.length === 0) this.#keep.clear()
    if (whole !== undefined) return this.#take(whole)
    if (this.#inEnded || this.#discarding) return this.#ended()
    const next = new Promise<IteratorResult<unknown, undefined>>((resolve, reject) =>
      this.#readers.push({
        resolve,
        reject: (error) => {
          // Whoever reads ahead may look at it later: the far side ends no process.
          next.catch(() => undefined)
          reject(error)
        },
      }),
    )
    return next
  }

  /** The bytes are credited when the application takes them. What the schema refuses ends the stream. */
  #take(whole: Uint8Array): Promise<IteratorResult<unknown, undefined>> {
    this.#link.in.taken(this.lane, whole.length)
    const body = whole.subarray(HEADER)
    const refuse = (thrown: unknown): Promise<never> => {
      const error = asSockError(thrown, 'BAD_MESSAGE', 'the codec failed', this.#link.address)
      this.refused ??= error
      this.onInvalid?.(body, error)
      // With the reason, where there still is a way to tell it.
      this.reset(badMessage(error))
      this.stopReading()
      return rejected(error)
    }
    try {
      // Items come only where they have a schema.
      const value = decodeData(this.#incoming as Schema, this.#link.codec, body)
      if (!(value instanceof Promise)) return Promise.resolve({ value, done: false })
      const taken = value.then((given: unknown) => ({ value: given, done: false as const }), refuse)
      taken.catch(() => undefined)
      return taken
    } catch (thrown) {
      return refuse(thrown)
    }
  }

  #ended(): Promise<IteratorResult<unknown, undefined>> {
    const error = this.#error
    this.#error = undefined
    return error === undefined ? Promise.resolve({ value: undefined, done: true }) : rejected(error)
  }

  /** Nobody reads any more: `break` in a `for await` comes here. */
  return(): Promise<IteratorResult<unknown, undefined>> {
    this.stopReading()
    return Promise.resolve({ value: undefined, done: true })
  }

  /** What waits and what still comes is dropped. The far side does not hear of that. `why`: see stopReading. */
  discard(why?: SockError): void {
    for (const whole of this.#items.splice(0)) this.#link.in.taken(this.lane, whole.length)
    this.#keep.clear()
    if (this.#inEnded || this.#discarding) return
    this.#discarding = true
    this.#error = why
    for (const reader of this.#readers.splice(0)) this.#ended().then(reader.resolve, reader.reject)
  }

  /**
   * Gives it up: nothing more is read, and the far side is asked to end. We send no more either. `why` is what the reader
   * is told, once; without it the items seem to be over.
   */
  stopReading(why?: SockError): void {
    this.discard(why)
    if (this.#inEnded || this.#cancelled) return
    this.#cancelled = true
    if (this.opening?.waits === true) this.#withdraw(this.opening)
    else if (this.#outEnded) this.#link.out.put(this.lane, CANCEL, 0, 0, NOTHING)
    else {
      this.#link.out.abort(this.lane, CANCEL, NOTHING)
      this.#endOut()
    }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  // What is sent

  /** Resolves when there is room for more. Rejects with CANCELLED once the far side takes no more, CANNOT_ENCODE, TOO_LARGE. */
  send(item: unknown): Promise<void> {
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped)
    if (this.#outEnded || this.#outgoing === undefined)
      return Promise.reject(this.#link.error('CANCELLED', 'this side of the channel has ended'))
    let body: Uint8Array
    try {
      body = encodeData(this.#outgoing, this.#link.codec, item)
      const refused = this.#link.tooLarge(this.type, body.length)
      if (refused !== undefined) throw refused
    } catch (thrown) {
      this.#unsendable = asSockError(thrown, 'CANNOT_ENCODE', 'the codec failed', this.#link.address)
      return Promise.reject(this.#unsendable)
    }
    this.#link.out.put(this.lane, ITEM, 0, 0, body)
    if (!this.#link.out.isFull(this.lane)) return RESOLVED
    return (this.#room ??= new Waiter()).promise
  }

  /** Less than half of the mark waits on this lane. */
  onRoom(): void {
    this.#room?.resolve()
    this.#room = undefined
  }

  /** No more is sent. What was sent before arrives. */
  end(): void {
    if (this.#outEnded) return
    this.#link.out.put(this.lane, END, 0, 0, NOTHING)
    this.#endOut()
  }

  /** The same because of an error: what waits is dropped, and the far side hears `fault`. */
  reset(fault: Uint8Array): void {
    if (this.#outEnded) return
    if (this.opening?.waits === true) this.#withdraw(this.opening)
    else {
      this.#link.out.abort(this.lane, RESET, fault)
      this.#endOut()
    }
  }

  /** Ours, before it was asked to the end: nothing can have failed there, and of what was not begun nobody will tell the end. */
  #withdraw({ started }: Entry): void {
    this.#link.out.abort(this.lane, CANCEL, NOTHING)
    this.#endOut()
    if (!started) this.#endIn(undefined)
  }

  /** The same because of what whoever serves it threw, which may be what an item here was refused with. */
  fail(thrown: unknown): void {
    const refused = thrown === this.#unsendable ? this.#unsendable : undefined
    if (refused === undefined) this.reset(faultBody(thrown, this.type, this.#link))
    else this.reset(refusal(refused.code === 'TOO_LARGE' ? 'TOO_LARGE' : 'CANNOT_ENCODE'))
  }

  #endOut(): void {
    // The lane stays: a CANCEL may have to follow.
    this.#outEnded = true
    this.onRoom()
    this.#checkOver()
  }

  #stop(why: SockError): void {
    if (this.#stopped !== undefined) return
    this.#stopped = why
    this.#room?.reject(why)
    this.#room = undefined
    this.onStop?.(why)
  }

  get open(): boolean {
    return !this.#inEnded || !this.#outEnded
  }

  #checkOver(): void {
    if (this.open) return
    // It has ended before it was asked to the end.
    if (this.opening?.waits === true) this.#link.out.abort(this.lane, CANCEL, NOTHING)
    this.#link.out.finish(this.lane)
    this.#link.in.close(this.lane)
    this.#onOver()
  }

  /** The connection is over. */
  cut(why: SockError): void {
    this.#stop(why)
    this.#outEnded = true
    this.#endIn(why)
  }
}

const NOTHING = new Uint8Array(0)
const RESOLVED: Promise<void> = Promise.resolve()
