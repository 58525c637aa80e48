import { fail, needKnown, reasonOf } from '../errors.ts'
import { type BytesSchema, bytesSchema } from '../schema.ts'
import { cannotSend, type Fault, faultIn, isBytes, MAX_DEPTH, type Rules } from './plain-data.ts'

/** How a message (type and data) becomes a payload and back. Pure. */
export interface Codec<Out = never, In = unknown> {
  readonly name: string
  /** Throws CANNOT_ENCODE. May return `data` itself: it is copied or lent by the sender. */
  encode(type: string | number, data: Out): Uint8Array
  /** Throws BAD_MESSAGE. May return views of `payload`, which belongs to the receiver. */
  decode(payload: Uint8Array): Message<In>
  /** Data alone: wire v1 has the type in the header of the frame. Without it the codec is for the plain wire only. */
  readonly values?: Values<Out, In>
}

/** How data without a type becomes bytes and back. `undefined` is no bytes at all. */
export interface Values<Out = never, In = unknown> {
  /** Throws CANNOT_ENCODE. */
  encode(data: Out): Uint8Array
  /** Throws BAD_MESSAGE. May return views of `body`. */
  decode(body: Uint8Array): In
}

export interface Message<In = unknown> {
  type: string | number
  data: In
}

/** What a sock with codec `C` sends and receives. */
export type Sent<C> = C extends Codec<infer Out> ? Out : never
export type Got<C> = C extends Codec<infer _Out, infer In> ? In : never

export type RawCodec = Codec<Uint8Array | string, Uint8Array>

const utf8 = new TextEncoder()

/**
 * The seed's default: every message has type 0 and its data is the payload. A string is sent as UTF-8. In a protocol,
 * in the place of a schema, it means the same as bytes().
 */
export function raw(): RawCodec & BytesSchema {
  return {
    ...bytesSchema,
    name: 'raw',
    encode(type, data) {
      if (type !== 0) {
        const shown = typeof type === 'string' ? JSON.stringify(type) : nameOf(type)
        fail('CANNOT_ENCODE', `raw() carries no type but 0, not ${shown}`)
      }
      if (data instanceof Uint8Array) return data
      if (typeof data === 'string') return utf8.encode(data)
      return fail('CANNOT_ENCODE', `raw() cannot send ${nameOf(data)}`)
    },
    decode: (payload) => ({ type: 0, data: payload }),
  }
}

export interface JsonOptions {
  /**
   * The longest JSON text in bytes, sent or received. A text is parsed in one go, and what is dense costs a
   * hundred times its length in memory and time: 1 MiB of empty arrays keeps the loop for some 0.2 s.
   * Default 1 MiB.
   */
  readonly max?: number
}

/**
 * The seed's `[type, data]` as JSON in UTF-8. `data` arrives unchecked: `json<T>()` asserts its shape, it
 * does not test it.
 *
 * What JSON.stringify would lose is CANNOT_ENCODE, wherever in `data` it stands: bytes, a bigint, a function, a
 * symbol, a Map, a Set, a promise, an Error, and whatever else is of a class and has no properties of its own. Otherwise it is as JSON.stringify has it: a property that is undefined is left
 * out, undefined elsewhere and NaN arrive as null, a Date as a string, `toJSON` is asked (twice).
 */
export function json<T = unknown>(options: JsonOptions = {}): Codec<T, T> {
  needKnown(options, ['max'], 'json()')
  const { max = 1024 * 1024 } = options
  if (!(max > 0)) fail('BAD_OPTION', `json({ max }) takes a number of bytes, not ${max}`)
  const rules: Rules = {
    ...JSON_RULES,
    // Each takes a byte at least.
    most: max,
    tooMuch: `more than json({ max }) holds, which is ${max} bytes`,
  }
  // `fatal`: a byte that is no UTF-8 is an error here, never a silent U+FFFD.
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

  /** `data`, or `pair` around it, which is then what is written. */
  function write(data: unknown, pair?: readonly unknown[]): Uint8Array {
    let fault: Fault | undefined
    let written: string | undefined
    try {
      // A replacer of JSON.stringify would see as much, and take several times as long.
      fault = faultIn(data, rules)
      if (fault === undefined) written = JSON.stringify(pair ?? data)
    } catch (thrown) {
      return fail('CANNOT_ENCODE', `json() cannot write this message: ${reasonOf(thrown)}`, { cause: thrown })
    }
    if (fault !== undefined) fail('CANNOT_ENCODE', cannotSend('json', fault))
    // A toJSON may say that there is nothing to say.
    const payload = written === undefined ? NOTHING : utf8.encode(written)
    // The far side would only refuse it.
    return payload.length <= max ? payload : fail('CANNOT_ENCODE', tooLong(payload, max))
  }

  function read(payload: Uint8Array, depth: number): unknown {
    if (payload.length > max) fail('BAD_MESSAGE', tooLong(payload, max))
    if (deeperThan(payload, depth)) fail('BAD_MESSAGE', `JSON nested deeper than ${depth}`)
    try {
      return JSON.parse(text.decode(payload))
    } catch (thrown) {
      return fail('BAD_MESSAGE', `not JSON: ${reasonOf(thrown)}`, { cause: thrown })
    }
  }

  return {
    name: 'json',
    encode(type, data) {
      needType(type, 'CANNOT_ENCODE')
      return write(data, [type, data])
    },
    decode: (payload) => messageOf(read(payload, MAX_DEPTH)),
    values: {
      encode: (data) => (data === undefined ? NOTHING : write(data)),
      decode: (body) => (body.length === 0 ? undefined : read(body, MAX_DEPTH - 1)) as T,
    },
  }
}

const NOTHING: Uint8Array = new Uint8Array(0)

export function needType(
  type: unknown,
  code: 'CANNOT_ENCODE' | 'BAD_MESSAGE',
): asserts type is string | number {
  if (typeof type === 'string' || Number.isSafeInteger(type)) return
  fail(code, `a message type is a string or a safe integer, not ${nameOf(type)}`)
}

/** The message that a pair is, as the seed's mixins have it. Throws BAD_MESSAGE. */
export function messageOf<T>(pair: unknown): Message<T> {
  if (!Array.isArray(pair) || pair.length !== 2) return fail('BAD_MESSAGE', 'this is no [type, data]')
  const [type, data] = pair as [unknown, T]
  needType(type, 'BAD_MESSAGE')
  return { type, data }
}

const tooLong = ({ length }: Uint8Array, max: number): string =>
  `JSON of ${length} bytes, and json({ max }) is ${max}`

const JSON_RULES: Omit<Rules, 'most' | 'tooMuch'> = {
  // One more is the pair around it.
  depth: MAX_DEPTH - 1,
  judge(value) {
    if (typeof value === 'bigint') return { what: 'a bigint', instead: 'send it under msgpack(), or as text' }
    if (isBytes(value)) return { what: 'bytes', instead: 'send bytes under msgpack() or raw()' }
    return 'inside'
  },
}

/** Whether the brackets in this JSON nest deeper than `limit`, told from the bytes, before anything is built. */
function deeperThan(json: Uint8Array, limit: number): boolean {
  if (json.length <= limit) return false
  let depth = 0
  let quoted = false
  for (let i = 0; i < json.length; i++) {
    const byte = json[i]
    if (quoted) {
      if (byte === 0x5c) i++
      else if (byte === 0x22) quoted = false
    } else if (byte === 0x22) quoted = true
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > limit) return true
    } else if (byte === 0x5d || byte === 0x7d) depth--
  }
  return false
}

function nameOf(value: unknown): string {
  if (value === null || typeof value === 'number') return String(value)
  if (typeof value !== 'object') return `a ${typeof value}`
  // Its prototype's: an own property of that name is what a peer wrote.
  const { constructor } = (Object.getPrototypeOf(value) ?? {}) as { constructor?: { name?: string } }
  return `an object (${constructor?.name ?? 'of no class'})`
}
