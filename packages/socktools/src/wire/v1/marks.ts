/**
 * What a message says of itself in its header slot, under keys that begin with `-`: that it wants a DONE, and the id of
 * one that is kept on disk. Both sides must have the feature DONES. Pure.
 */
import { fail } from '../../errors.ts'
import type { HeaderSlot } from './bodies.ts'
import { MAX_U53 } from './frame.ts'

/** What is known of a message when its DONE is sent: its handler has returned, or the cursor behind it is on disk too. */
export type DoneLevel = 'processed' | 'durable'

/** A message that is kept by its sender until it is done: the same ones in each session that it goes over. */
export interface MessageId {
  /** Of the sending store: 32 hex digits. */
  readonly store: string
  /** From 1, ascending, for each receiver. */
  readonly n: number
  /** It may have been sent before. */
  readonly redelivered: boolean
}

export interface Marks {
  readonly done: DoneLevel
  readonly id: MessageId | undefined
}

/** Whatever their priority: messages with an id have one order. */
export const KEPT_LANE = 1

const DONE_KEY = '-done'
const ID_KEY = '-id'
const OURS = '-'
const LEVELS: readonly DoneLevel[] = ['processed', 'durable']
const ID = /^([0-9a-f]{32})\/([1-9][0-9]{0,15})(\/again)?$/

/** Keys of an application. Throws BAD_OPTION. */
export function needOwnKeys(headers: HeaderSlot | undefined): void {
  for (const key in headers)
    if (key.startsWith(OURS))
      fail('BAD_OPTION', `the header ${key}: those that begin with - are the wire's own`)
}

/** Headers of an application, with these marks. */
export function withMarks(headers: HeaderSlot | undefined, { done, id }: Marks): HeaderSlot {
  const slot: Record<string, string> = { ...headers, [DONE_KEY]: done }
  if (id !== undefined) slot[ID_KEY] = `${id.store}/${id.n}${id.redelivered ? '/again' : ''}`
  return slot
}

/** The marks of a message; undefined: it wants no DONE. Throws PROTOCOL_ERROR. */
export function marksOf(headers: HeaderSlot): Marks | undefined {
  const done = headers[DONE_KEY]
  const id = headers[ID_KEY]
  if (done === undefined) {
    if (id !== undefined) fail('PROTOCOL_ERROR', `a message with ${ID_KEY} and without ${DONE_KEY}`)
    return undefined
  }
  const level = LEVELS.find((one) => one === done)
  if (level === undefined)
    return fail('PROTOCOL_ERROR', `${DONE_KEY} "${done}" is none of ${LEVELS.join(', ')}`)
  return { done: level, id: id === undefined ? undefined : idOf(id) }
}

function idOf(text: string): MessageId {
  const [, store = '', digits = '', again] = ID.exec(text) ?? []
  const n = Number(digits)
  if (n < 1 || n > MAX_U53) fail('PROTOCOL_ERROR', `${ID_KEY} "${text}" is no id of a message`)
  return { store, n, redelivered: again !== undefined }
}

/** The headers of its application alone. */
export function withoutMarks(headers: HeaderSlot): HeaderSlot {
  const own = Object.create(null) as Record<string, string>
  for (const key in headers) if (!key.startsWith(OURS)) own[key] = headers[key] as string
  return Object.freeze(own)
}
