import { decodePrefix, type HeaderSlot } from '../../wire/v1/bodies.ts'
import { EVENT, readU64, SEQ, VOLATILE } from '../../wire/v1/frame.ts'
import { withoutMarks } from '../../wire/v1/marks.ts'
import { type Facts, NO_FACTS } from '../context.ts'
import { Inbox } from '../inbox.ts'
import type { Loss } from '../peer-hooks.ts'
import type { Answers } from './answers.ts'
import { decodeData, from } from './data.ts'
import type { Inbound, Takers } from './inbound.ts'
import { Keep } from './keep.ts'

/** The events that came whole, until their handlers have them. */
export class EventsIn {
  readonly #to: Takers
  readonly #in: Pick<Inbound, 'taken'>
  readonly #answers: Answers
  /** By priority; each made when it is needed. */
  readonly #inboxes: (Inbox | undefined)[] = [undefined, undefined, undefined, undefined]
  readonly #keeps: readonly Keep[]

  constructor(to: Takers, inbound: Pick<Inbound, 'taken'>, answers: Answers) {
    this.#to = to
    this.#in = inbound
    this.#answers = answers
    this.#keeps = this.#inboxes.map(() => new Keep(to.spare))
  }

  /** `whole`: with its header. */
  put(lane: number, kind: number, whole: Uint8Array): void {
    const inbox = (this.#inboxes[lane] ??= this.#inbox(lane))
    // Nobody promised that these arrive, and no credit bounds them.
    if (kind === VOLATILE && inbox.high) this.#to.behind(whole.length)
    else inbox.put(this.#kept(lane, whole, inbox.waiting > 0))
  }

  #kept(lane: number, whole: Uint8Array, waits: boolean): Uint8Array {
    const keep = this.#keeps[lane]
    if (waits && keep !== undefined) return keep.keep(whole)
    keep?.clear()
    return whole
  }

  #inbox(lane: number): Inbox {
    return new Inbox({
      ...this.#to.inbox,
      handle: (whole) => this.#handle(lane, whole),
      // Credit holds the far side back.
      onPressure: () => undefined,
      onIdle: () => {
        if (this.idle) this.#to.onIdle()
      },
    })
  }

  #handle(lane: number, whole: Uint8Array): Promise<void> | undefined {
    const [kind = 0, flags = 0, high = 0, low = 0] = whole
    if (kind === EVENT) this.#in.taken(lane, whole.length)
    const index = (high << 8) | low
    const { codec, types } = this.#to
    const type = types.at(index) ?? String(index)
    const { at, headers } = decodePrefix(whole, flags)
    const body = from(whole, at)
    let facts = NO_FACTS
    if (headers !== undefined) {
      const seq = readU64(whole, SEQ)
      const marks = this.#answers.marksOf(headers)
      const before = this.#answers.before(headers, lane, seq, marks)
      if (before === 'taken') return undefined
      facts = factsOf(headers, marks !== undefined || before !== undefined, before === 'unknown')
      if (marks !== undefined) return this.#answers.handle(lane, seq, type, body, marks, facts)
    }
    if (typeof type === 'object' && type.kind === 'msg')
      return this.#to.application.event(type, body, () => decodeData(type.input, codec, body), facts)
    this.#to.application.unhandled(typeof type === 'object' ? type.name : type, body)
    return undefined
  }

  get idle(): boolean {
    return this.#inboxes.every((inbox) => inbox?.idle ?? true)
  }

  get waiting(): number {
    return this.#inboxes.reduce((sum, inbox) => sum + (inbox?.waiting ?? 0), 0)
  }

  /** Resolves when all events that have arrived by now are handled. */
  async settled(): Promise<void> {
    await Promise.all(this.#inboxes.map(async (inbox) => inbox?.settled()))
  }

  /** No handler of an event is started any more. */
  stop(): Loss {
    let messages = 0
    let bytes = 0
    for (const inbox of this.#inboxes) {
      const lost = inbox?.stop()
      messages += lost?.messages ?? 0
      bytes += lost?.bytes ?? 0
    }
    return { messages, bytes }
  }
}

/** `marked`: some of the headers are the wire's own. */
const factsOf = (headers: HeaderSlot, marked: boolean, redelivered: boolean): Facts => ({
  headers: marked ? withoutMarks(headers) : headers,
  redelivered,
})
