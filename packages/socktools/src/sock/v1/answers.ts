import type { TypeInfo } from '../../contract/protocol.ts'
import { fail } from '../../errors.ts'
import type { HeaderSlot } from '../../wire/v1/bodies.ts'
import { KEPT_LANE, type Marks, marksOf, withoutMarks } from '../../wire/v1/marks.ts'
import type { Maybe } from '../types.ts'
import { decodeData } from './data.ts'
import type { Takers } from './inbound.ts'
import type { Outbound } from './outbound.ts'

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
    if (headers === undefined || !this.#to.tellsDone) return
    const id = marksOf(headers)?.id
    if (id === undefined) return
    if (lane !== KEPT_LANE) fail('PROTOCOL_ERROR', `a message with an id on lane ${lane}, not ${KEPT_LANE}`)
    this.#store ??= id.store
    if (id.store !== this.#store)
      fail('PROTOCOL_ERROR', `a message of the store ${id.store}, and those before were of ${this.#store}`)
  }

  /** Undefined: nobody wants to be told. */
  marksOf(headers: HeaderSlot | undefined): Marks | undefined {
    return headers === undefined || !this.#to.tellsDone ? undefined : marksOf(headers)
  }

  /** Has a message handled, and tells what became of it. `seq`: of its last frame. */
  handle(
    lane: number,
    seq: number,
    type: TypeInfo | string,
    body: Uint8Array,
    marks: Marks,
    all: HeaderSlot,
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
      const facts = { headers: withoutMarks(all), verdict, durable: marks.id }
      const handled = application.event(type, body, () => decodeData(type.input, codec, body), facts)
      return handled === undefined ? verdict.code : handled.then(() => verdict.code)
    }
    return application.answer(marks, handle, (code) => {
      if (!isGone()) this.#out.done(lane, seq, code)
    })
  }
}
