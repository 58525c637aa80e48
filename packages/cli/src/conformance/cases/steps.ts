/** Frames that many cases send. */
import { jsonBytes, octets, uint } from '../bytes.ts'
import type { Step } from '../case.ts'
import { credit, DEADLINE, MORE, fault, reason, slot } from '../frame.ts'
import { type Sending, TYPE } from '../talk.ts'

export const event = (value: unknown, more: Sending = {}): Step => [
  'EVENT',
  { type: TYPE.say, lane: 1, body: jsonBytes(value), ...more },
]

export const volatile = (value: unknown, more: Sending = {}): Step => [
  'VOLATILE',
  { type: TYPE.say, lane: 1, body: jsonBytes(value), ...more },
]

export const request = (a: number, b: number, more: Sending = {}): Step => [
  'REQUEST',
  { type: TYPE.add, lane: 5, body: jsonBytes({ a, b }), ...more },
]

/** A call that takes so long. */
export const slowRequest = (wait: number, more: Sending = {}): Step => [
  'REQUEST',
  { type: TYPE.add, lane: 5, body: jsonBytes({ a: 1, b: 2, wait }), ...more },
]

/** A call of which more is to come: its lane is open until then. */
export const begunRequest = (more: Sending = {}): Step => [
  'REQUEST',
  { type: TYPE.add, lane: 5, flags: MORE, body: octets('7b'), ...more },
]

export const openFeed = (data: unknown, more: Sending = {}): Step => [
  'OPEN',
  { type: TYPE.count, lane: 5, body: jsonBytes(data), ...more },
]

export const openChannel = (more: Sending = {}): Step => [
  'OPEN',
  { type: TYPE.chat, lane: 5, body: jsonBytes(null), ...more },
]

export const item = (value: unknown, more: Sending = {}): Step => [
  'ITEM',
  { lane: 5, body: jsonBytes(value), ...more },
]

export const end = (more: Sending = {}): Step => ['END', { lane: 5, ...more }]
export const cancel = (more: Sending = {}): Step => ['CANCEL', { lane: 5, ...more }]
export const reset = (code: string, more: Sending = {}): Step => [
  'RESET',
  { lane: 5, body: fault(code), ...more },
]
export const credits = (...pairs: readonly (readonly [number, number])[]): Step => [
  'CREDIT',
  { body: credit(...pairs) },
]
export const goodbye = (code = ''): Step => ['GOODBYE', { body: reason(code) }]
export const withDeadline = (ms: number, body: Uint8Array): Sending => ({
  flags: DEADLINE,
  body: Uint8Array.from(Buffer.concat([uint(4, ms), body])),
})
export const withHeaders = (headers: Readonly<Record<string, string>>, body: Uint8Array): Sending => ({
  flags: 2,
  body: Uint8Array.from(Buffer.concat([slot(headers), body])),
})
/** JSON text of so many bytes. */
export const text = (bytes: number, of = 'x'): string => of.repeat(bytes - 2)
