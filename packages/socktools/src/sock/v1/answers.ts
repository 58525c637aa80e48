import type { TypeInfo } from '../../contract/protocol.ts'
import { fail } from '../../errors.ts'
import type { HeaderSlot } from '../../wire/v1/bodies.ts'
import { KEPT_LANE, type Marks, marksOf } from '../../wire/v1/marks.ts'
import { placesOf } from '../../wire/v1/resent.ts'
import type { Facts } from '../context.ts'
import type { Maybe } from '../types.ts'
import { decodeData } from './data.ts'
import type { Takers } from './inbound.ts'
import type { Outbound } from './outbound.ts'
import { FORGOTTEN } from './parcels.ts'

/** Messages whose sender wants to be told what became of them. */
export class Answers {
  readonly #to: Takers
  readonly #out: Pick<Outbound, 'done'>
  /** We are about to end: behind our last word nothing can be confirmed. What is kept by its sender comes again elsewhere. */
  leaving = false
  /** Of the messages with an id. */
  #store: string | undefined

  constructor(to: Takers, out: Pick<Outbound, 'done'>) {
    this.#to = to
    this.#out = out
  }

  /** Throws PROTOCOL_ERROR. */
  check(headers: HeaderSlot | undefined, lane: number): void {
    if (headers === undefined) return
    const places = this.#to.knowsResent ? placesOf(headers) : undefined
    const id = this.#to.tellsDone ? marksOf(headers)?.id : undefined
    if (id === undefined) return
    if (places !== undefined) fail('PROTOCOL_ERROR', 'a message with an id and a place in a session before')
    if (lane !== KEPT_LANE) fail('PROTOCOL_ERROR', `a message with an id on lane ${lane}, not ${KEPT_LANE}`)
    this.#store ??= id.store
    if (id.store !== this.#store)
      fail('PROTOCOL_ERROR', `a message of the store ${id.store}, and those before were of ${this.#store}`)
  }

  /** Undefined: nobody wants to be told. */
  marksOf(headers: HeaderSlot | undefined): Marks | undefined {
    return headers === undefined || !this.#to.tellsDone ? undefined : marksOf(headers)
  }

  /**
   * What is known of a message that may have come before; undefined: it says nothing of that. Of one that has, and is
   * dropped, it tells what can be told.
   */
  before(
    headers: HeaderSlot | undefined,
    lane: number,
    seq: number,
    marks: Marks | undefined,
  ): 'taken' | 'new' | 'unknown' | undefined {
    const places = headers === undefined || !this.#to.knowsResent ? undefined : placesOf(headers)
    if (places === undefined) return undefined
    const known = this.#to.application.judge(places)
    if (known === 'taken' && marks !== undefined && !this.#to.isGone()) this.#out.done(lane, seq, FORGOTTEN)
    return known
  }

  /** Has a message handled, and tells what became of it. `seq`: of its last frame. */
  handle(
    lane: number,
    seq: number,
    type: TypeInfo | string,
    body: Uint8Array,
    marks: Marks,
    facts: Facts,
  ): Promise<void> | undefined {
    const { application, codec } = this.#to
    const isGone = (): boolean => this.#to.isGone()
    const handle = (): Maybe<string | undefined> => {
      // It waited behind one that came over another connection.
      if (isGone() || (this.leaving && marks.id !== undefined)) return undefined
      if (typeof type !== 'object' || type.kind !== 'msg') {
        application.unhandled(typeof type === 'object' ? type.name : type, body)
        return 'UNKNOWN_TYPE'
      }
      const verdict = { code: '' }
      const all = { ...facts, verdict, durable: marks.id }
      const handled = application.event(type, body, () => decodeData(type.input, codec, body), all)
      return handled === undefined ? verdict.code : handled.then(() => verdict.code)
    }
    return application.answer(marks, handle, (code) => {
      if (!isGone()) this.#out.done(lane, seq, code)
    })
  }
}
