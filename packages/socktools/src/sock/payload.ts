import type { Contract } from '../contract/protocol.ts'
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

/** A codec that encodes the messages of a contract and nothing else, for what has no handshake. */
export function contracted(codec: Codec, { byName }: Contract): Codec {
  return {
    ...codec,
    encode: (type, data) => {
      const kind = byName.get(String(type))?.kind
      if (kind === undefined) fail('UNKNOWN_TYPE', `the contract has no type ${JSON.stringify(type)}`)
      if (kind !== 'msg') fail('UNKNOWN_TYPE', `${JSON.stringify(type)} is a ${kind}, not a msg`)
      return codec.encode(type, data)
    },
    decode: (payload) => codec.decode(payload),
  }
}
