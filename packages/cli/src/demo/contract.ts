import { type Schema, bytes, call, channel, feed, msg, nothing } from 'socktools'

/** One of a numbered series. */
export interface Word {
  readonly n: number
  readonly from: string
}

/** Any library's schemas would do; the demo needs none for so little. */
function schema<T>(wanted: string, is: (value: unknown) => boolean): Schema<T> {
  const issues = [{ message: `expected ${wanted}` }]
  const validate = (value: unknown) => (is(value) ? { value: value as T } : { issues })
  return { '~standard': { version: 1, vendor: '@socktools/cli', validate } }
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0
const count = schema<number>('a whole number', isCount)
const text = schema<string>('text', (value) => typeof value === 'string')
const word = schema<Word>('{ n, from }', (value) => {
  const { n, from } = (value ?? {}) as Partial<Word>
  return isCount(n) && typeof from === 'string'
})

/** What the two that speak wire v1 can say to each other. */
export const TALK = {
  word: msg(word, { version: 1 }),
  double: call(count, count, { version: 1 }),
  blocks: feed(count, bytes(), { version: 1 }),
  echo: channel(text, text, { version: 1 }),
  /** Answered when whoever is asked has done its part and got its due. */
  done: call(nothing(), nothing()),
}
export type Talk = typeof TALK

/** What a shop and its warehouse say to each other. */
export const ORDERS = {
  /** Numbered from 0. */
  order: msg(count, { version: 1 }),
  /** The orders that the warehouse has handled, as it does, so many of them. */
  packed: feed(count, count, { version: 1 }),
}
export type OrdersContract = typeof ORDERS

/** What is asked of interop/python/peer.py, which serves these among others. */
export const PYTHON = {
  add: call(schema<{ a: number; b: number }>('{ a, b }', isObject), count),
  count: feed(count, count),
  chat: channel(text, text),
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}
