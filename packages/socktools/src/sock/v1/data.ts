import { asSockError, fail } from '../../errors.ts'
import { type Schema, isBytes, validate } from '../../schema.ts'
import type { TypeInfo } from '../../contract/protocol.ts'
import type { Values } from '../../wire/codec.ts'

/** The codec of one connection, as v1 uses it. */
export interface DataCodec extends Values<unknown> {
  readonly name: string
}

/** Data as it stands in a body. Throws CANNOT_ENCODE. */
export function encodeData(schema: Schema, codec: DataCodec, data: unknown): Uint8Array {
  if (!isBytes(schema)) return codec.encode(data)
  if (data instanceof Uint8Array) return data
  return fail(
    'CANNOT_ENCODE',
    `this type is declared as bytes(), which takes a Uint8Array, not ${typeof data}`,
  )
}

/**
 * The data of a body, as its schema gives it out: at once where the schema answers at once. Throws, or rejects with,
 * BAD_MESSAGE.
 */
export function decodeData(schema: Schema, codec: DataCodec, body: Uint8Array): unknown {
  if (isBytes(schema)) return body
  let data: unknown
  try {
    data = codec.decode(body)
  } catch (thrown) {
    throw asSockError(thrown, 'BAD_MESSAGE', 'the codec failed')
  }
  return validate(schema, data)
}

/** For which waiting messages of its type one with these data is the newer. Throws BAD_OPTION. */
export function keyOf({ name, delivery }: TypeInfo, data: unknown): string | number | undefined {
  if (typeof delivery !== 'object' || delivery.kind !== 'latest') return undefined
  let key: unknown
  try {
    key = delivery.key(data as never)
  } catch (thrown) {
    throw asSockError(thrown, 'BAD_OPTION', `the key of latest() of ${JSON.stringify(name)}`)
  }
  if (typeof key === 'string' || typeof key === 'number') return key
  return fail(
    'BAD_OPTION',
    `the key of latest() of ${JSON.stringify(name)} is a text or a number, not ${typeof key}`,
  )
}

/** A view of all from `at` on: what `subarray` gives, in half the time. */
export const from = ({ buffer, byteOffset, length }: Uint8Array, at: number): Uint8Array =>
  new Uint8Array(buffer, byteOffset + at, length - at)

export function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}
