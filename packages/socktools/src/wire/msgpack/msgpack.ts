/** The codec `msgpack()`, as `socktools/msgpack`. See PROTOCOL.md for the bytes. */
import { fail, reasonOf } from '../../errors.ts'
import { type Codec, messageOf, needType } from '../codec.ts'
import { cannotSend, type Fault, MAX_DEPTH } from '../plain-data.ts'
import { Reader } from './reader.ts'
import { Writer } from './writer.ts'

export interface MsgpackOptions {
  /**
   * The most values in a message, sent or received: each number, text, array, key … is one. A value can be a single
   * byte on the wire, and costs many times that in memory and time. Bytes count as one value, however many they
   * are. Default 262,144.
   */
  readonly maxValues?: number
}

/**
 * The seed's `[type, data]` as MessagePack. Beside what JSON can say, `data` may hold bytes (Uint8Array), bigints of 64
 * bits and Dates. It arrives unchecked: `msgpack<T>()` asserts its shape, it does not test it.
 *
 * Integers arrive as numbers up to 2^53, beyond that as bigints, whichever they were. A property that is undefined is
 * left out, undefined elsewhere arrives as null, -0 as 0, an object of a class as a plain one. Received bytes are
 * views of the payload. What would be lost or altered otherwise is CANNOT_ENCODE.
 */
export function msgpack<T = unknown>({ maxValues = 262_144 }: MsgpackOptions = {}): Codec<T, T> {
  if (!(maxValues > 0))
    fail('BAD_OPTION', `msgpack({ maxValues }) takes a number from 1 up, not ${maxValues}`)
  const read = (payload: Uint8Array, depth: number): unknown => reader.read(payload, depth, maxValues)
  return {
    name: 'msgpack',
    encode(type, data) {
      needType(type, 'CANNOT_ENCODE')
      return write(data, maxValues, type)
    },
    decode: (payload) => messageOf(read(payload, MAX_DEPTH)),
    values: {
      encode: (data) => (data === undefined ? NOTHING : write(data, maxValues)),
      decode: (body) => (body.length === 0 ? undefined : read(body, MAX_DEPTH - 1)) as T,
    },
  }
}

const reader = new Reader()
/** None while it writes. */
let idle: Writer | undefined

function write(data: unknown, maxValues: number, type?: string | number): Uint8Array {
  const writer = idle ?? new Writer()
  idle = undefined
  let fault: Fault | undefined
  try {
    fault = writer.write(data, maxValues, type)
    if (fault === undefined) return writer.take()
  } catch (thrown) {
    return fail('CANNOT_ENCODE', `msgpack() cannot write this message: ${reasonOf(thrown)}`, {
      cause: thrown,
    })
  } finally {
    writer.end()
    idle = writer
  }
  return fail('CANNOT_ENCODE', cannotSend('msgpack', fault))
}

const NOTHING: Uint8Array = new Uint8Array(0)
