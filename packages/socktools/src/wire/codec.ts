import { fail, reasonOf } from '../errors.ts'

/** How a message (type and data) becomes a payload and back. Pure. */
export interface Codec<Out = never, In = unknown> {
  readonly name: string
  /** Throws CANNOT_ENCODE. May return `data` itself: it is copied or lent by the sender. */
  encode(type: string | number, data: Out): Uint8Array
  /** Throws BAD_MESSAGE. May return views of `payload`, which belongs to the receiver. */
  decode(payload: Uint8Array): Message<In>
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

/** The seed's default: every message has type 0 and its data is the payload. A string is sent as UTF-8. */
export function raw(): RawCodec {
  return {
    name: 'raw',
    encode(type, data) {
      if (type !== 0) fail('CANNOT_ENCODE', `raw() carries no type but 0, not ${JSON.stringify(type)}`)
      if (data instanceof Uint8Array) return data
      if (typeof data === 'string') return utf8.encode(data)
      return fail('CANNOT_ENCODE', `raw() cannot send ${nameOf(data)}`)
    },
    decode: (payload) => ({ type: 0, data: payload }),
  }
}

/** Nesting beyond this is refused: a handler that recurses over its data must not be overrun. */
export const MAX_JSON_DEPTH = 64

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
 * does not test it. What JSON cannot say changes on the way, as JSON.stringify has it: undefined and NaN arrive
 * as null, a Date as a string.
 */
export function json<T = unknown>({ max = 1024 * 1024 }: JsonOptions = {}): Codec<T, T> {
  if (!(max > 0)) fail('BAD_OPTION', `json({ max }) takes a number of bytes, not ${max}`)
  // `fatal`: a byte that is no UTF-8 is an error here, never a silent U+FFFD.
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  return {
    name: 'json',
    encode(type, data) {
      if (!isType(type)) fail('CANNOT_ENCODE', `${TYPES}, not ${nameOf(type)}`)
      // JSON.stringify would turn bytes into {"0":…} and a function into null: lost without a word.
      if (ArrayBuffer.isView(data) || typeof data === 'function' || typeof data === 'symbol') {
        fail('CANNOT_ENCODE', `json() cannot send ${nameOf(data)}`)
      }
      let payload: Uint8Array
      try {
        payload = utf8.encode(JSON.stringify([type, data]))
      } catch (thrown) {
        return fail('CANNOT_ENCODE', `json() cannot write this message: ${reasonOf(thrown)}`, {
          cause: thrown,
        })
      }
      // The far side would only refuse it.
      const fault = unreadable(payload, max)
      return fault === undefined ? payload : fail('CANNOT_ENCODE', fault)
    },
    decode(payload) {
      const fault = unreadable(payload, max)
      if (fault !== undefined) fail('BAD_MESSAGE', fault)
      let parsed: unknown
      try {
        parsed = JSON.parse(text.decode(payload))
      } catch (thrown) {
        return fail('BAD_MESSAGE', `not JSON: ${reasonOf(thrown)}`, { cause: thrown })
      }
      if (!Array.isArray(parsed) || parsed.length !== 2) return fail('BAD_MESSAGE', 'not a JSON [type, data]')
      const [type, data] = parsed as [unknown, T]
      if (isType(type)) return { type, data }
      return fail('BAD_MESSAGE', `${TYPES}, not ${nameOf(type)}`)
    },
  }
}

const TYPES = 'a message type is a string or a safe integer'

const isType = (type: unknown): type is string | number =>
  typeof type === 'string' || Number.isSafeInteger(type)

/** Why a text is not parsed at all. */
function unreadable(json: Uint8Array, max: number): string | undefined {
  if (json.length > max) return `JSON of ${json.length} bytes, and json({ max }) is ${max}`
  return deeperThan(json, MAX_JSON_DEPTH) ? `JSON nested deeper than ${MAX_JSON_DEPTH}` : undefined
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
