import type { TypeInfo } from '../../contract/protocol.ts'
import { CallError, RemoteError, SockError, isCallError } from '../../errors.ts'
import { decodeFault, encodeFault } from '../../wire/v1/bodies.ts'
import { Unserved } from '../middleware.ts'
import { decodeData, encodeData, type DataCodec } from './data.ts'

/** What this side itself may decide about what was asked, with what the far side is told. */
const DECIDED = {
  BAD_MESSAGE: 'what was sent is not what the schema takes',
  CANNOT_ENCODE: 'the answer cannot be encoded',
  TOO_LARGE: 'the answer is too large',
  CANCELLED: 'cancelled',
  CALL_TIMEOUT: 'the deadline has passed',
  UNHANDLED: 'nothing takes this type',
  DRAINING: 'this side is ending',
  REFUSED: 'it was not passed on',
  UNKNOWN_TYPE: 'this side has no such type',
} as const

type Decided = keyof typeof DECIDED

/** What the far side is told of what this side decided: never of an error that only has such a code. */
export const refusal = (code: Decided, text: string = DECIDED[code]): Uint8Array => encodeFault(code, text)

/** The same of data that were refused. Where in them is told, if that is known. */
export const badMessage = ({ code, what }: SockError): Uint8Array =>
  refusal('BAD_MESSAGE', code === 'BAD_MESSAGE' ? what : undefined)

/** The same of why what is served was stopped. */
export const stopped = ({ code }: SockError): Uint8Array =>
  refusal(Object.hasOwn(DECIDED, code) ? (code as Decided) : 'CANCELLED')

/**
 * What the far side is told of what a handler threw: a CallError as it is, of anything else that it failed. An error of
 * this library too may be about somebody else, whom the handler asked.
 */
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
  if (Unserved.is(thrown)) return refusal(thrown.code)
  return encodeFault('HANDLER_FAILED', 'the handler failed')
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
