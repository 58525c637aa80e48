import type { TypeInfo } from '../../contract/protocol.ts'
import { CallError, RemoteError, SockError, isCallError, isSockError } from '../../errors.ts'
import { decodeFault, encodeFault } from '../../wire/v1/bodies.ts'
import { decodeData, encodeData, type DataCodec } from './data.ts'

/** Codes of our own that the far side may know of, with what it is told: never the text of an error of the application. */
const SAFE: Readonly<Record<string, string>> = {
  BAD_MESSAGE: 'what was sent is not what the schema takes',
  CANNOT_ENCODE: 'the answer cannot be encoded',
  TOO_LARGE: 'the answer is too large',
  CANCELLED: 'cancelled',
  CALL_TIMEOUT: 'the deadline has passed',
  UNHANDLED: 'nothing takes this type',
  DRAINING: 'this side is ending',
  REFUSED: 'it was not passed on',
}

/** What the far side is told of an error: a CallError as it is, anything else by its code at the most. */
export function faultBody(
  thrown: unknown,
  type: TypeInfo,
  { codec, maxMessage }: { readonly codec: DataCodec; readonly maxMessage: number },
): Uint8Array {
  if (isCallError(thrown)) {
    const { code, text } = thrown
    const schema = type.errors.get(code)
    try {
      const data = schema === undefined ? undefined : encodeData(schema, codec, thrown.data)
      const body = encodeFault(code, text, data)
      return body.length <= maxMessage ? body : encodeFault('TOO_LARGE', 'the data of an error is too large')
    } catch {
      return encodeFault('HANDLER_FAILED', 'the data of an error cannot be encoded')
    }
  }
  const code = isSockError(thrown) ? thrown.code : ''
  if (code === 'BAD_MESSAGE' && isSockError(thrown)) return encodeFault(code, thrown.what)
  const text = Object.hasOwn(SAFE, code) ? SAFE[code] : undefined
  return text === undefined ? encodeFault('HANDLER_FAILED', 'the handler failed') : encodeFault(code, text)
}

/**
 * What the far side told, as whoever waits for it gets it: a CallError where the contract declares the code (its data
 * checked), else REMOTE_ERROR. May be a promise, where a schema is asynchronous.
 */
export function faultOf(
  whole: Uint8Array,
  type: TypeInfo,
  codec: DataCodec,
  address: string,
): Error | Promise<Error> {
  const { code, text, data } = decodeFault(whole)
  if (!type.errors.has(code)) {
    return new RemoteError({ code, text }, address)
  }
  const schema = type.errors.get(code)
  if (schema === undefined) return new CallError(code, undefined, text)
  const bad = (cause: unknown): Error =>
    new SockError('BAD_MESSAGE', `the data of the error ${code} is not what the contract says`, {
      address,
      cause,
    })
  try {
    const decoded = decodeData(schema, codec, data)
    if (!(decoded instanceof Promise)) return new CallError(code, decoded, text)
    return decoded.then((given: unknown) => new CallError(code, given, text), bad)
  } catch (thrown) {
    return bad(thrown)
  }
}
