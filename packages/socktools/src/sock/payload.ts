import type { Contract, TypeInfo } from '../contract/protocol.ts'
import { asSockError, fail, SockError } from '../errors.ts'
import type { Codec, Sent } from '../wire/codec.ts'

/** The payload of a message, or what is wrong with it. */
export function encode<C extends Codec>(
  codec: C,
  type: string | number,
  data: Sent<C>,
  address?: string,
): Uint8Array | SockError {
  try {
    return (codec as Codec<Sent<C>>).encode(type, data)
  } catch (thrown) {
    return asSockError(thrown, 'CANNOT_ENCODE', 'the codec failed', address)
  }
}

/** For what may not be a payload at all. */
export const lengthOf = (payload: unknown): number => (payload instanceof Uint8Array ? payload.length : 0)

/** What is wrong with a payload, whoever it is for. */
export function unsendable(payload: Uint8Array, max: number, address?: string): SockError | undefined {
  if (!(payload instanceof Uint8Array)) {
    return new SockError('CANNOT_ENCODE', `a payload is a Uint8Array, not ${typeof payload}`, { address })
  }
  if (payload.length <= max) return undefined
  return new SockError('TOO_LARGE', `a message of ${payload.length} bytes, and ${max} is the most`, {
    address,
  })
}

/** What a contract says of a type that is to be a message. Throws UNKNOWN_TYPE. */
export function needMsg({ byName }: Contract, type: string | number): TypeInfo {
  const info = byName.get(String(type))
  if (info === undefined) return fail('UNKNOWN_TYPE', `the contract has no type ${JSON.stringify(type)}`)
  if (info.kind === 'msg') return info
  return fail('UNKNOWN_TYPE', `${JSON.stringify(type)} is a ${info.kind}, not a msg`)
}

/** A codec that encodes the messages of a contract and nothing else, for what has no handshake. */
export function contracted(codec: Codec, contract: Contract): Codec {
  return {
    ...codec,
    name: codec.name,
    encode: (type, data) => {
      const { name, maxSize = Infinity } = needMsg(contract, type)
      const payload = codec.encode(type, data)
      if (!(payload.length > maxSize)) return payload
      return fail('TOO_LARGE', `a "${name}" of ${payload.length} bytes, and its maxSize is ${maxSize}`)
    },
    decode: (payload) => codec.decode(payload),
  }
}
