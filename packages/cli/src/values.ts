/*
 * Data on the command line. They are written and printed as JSON, in which bytes are {"base64":"aGk="}. Where there is
 * no contract at hand, the name of a type and what is asked of it make one that takes anything.
 */
import {
  type Codec,
  type Declaration,
  type Kind,
  type Protocol,
  type Schema,
  bytes,
  call,
  feed,
  json,
  msg,
} from 'socktools'
import { jsonPieces } from './escape.ts'
import { bytesFromBase64, shown } from './notation.ts'
import { UsageError } from './errors.ts'

/** One type, and how its data pass. */
export interface Typed {
  readonly protocol: Protocol
  readonly codec: readonly Codec<unknown>[]
  /** What is sent. */
  readonly data: unknown
}

/** The longest message of which a value is made. */
const MAX = 16 * 1024 * 1024

/** Whether a contract has a type of this name and kind. Throws UsageError. */
export function checkType(protocol: Protocol, type: string, kind: Kind): void {
  const declaration = Object.hasOwn(protocol, type) ? protocol[type] : undefined
  if (declaration?.kind === kind) return
  if (declaration !== undefined) {
    throw new UsageError(
      `"${type}" is a ${declaration.kind}, not a ${kind}: call is for calls, watch for feeds, send for messages`,
    )
  }
  const names = Object.entries(protocol).map(([name, one]) => `${name} (${one.kind})`)
  throw new UsageError(
    `the contract has no type ${JSON.stringify(type)}; it has ${names.join(', ') || 'none'}`,
  )
}

/** A type of the contract of a file. Throws UsageError. */
export async function known(
  protocol: Protocol,
  type: string,
  text: string | undefined,
  raw: boolean,
): Promise<Typed> {
  const declaration = Object.hasOwn(protocol, type) ? protocol[type] : undefined
  if (raw && declaration !== undefined && !isBytes(outputOf(declaration))) {
    throw new UsageError(`"${type}" does not give bytes: leave --raw out`)
  }
  const data = parsed(text)
  const asBytes = declaration !== undefined && isBytes(inputOf(declaration))
  return { protocol, codec: await codecs(false), data: asBytes ? bytesOr(data) : data }
}

/** A type of which nothing is known but its name: data that are bytes go, and come with `raw`, past the codec. */
export async function guessed(
  kind: Exclude<Kind, 'channel'>,
  type: string,
  text: string | undefined,
  raw: boolean,
): Promise<Typed> {
  const data = bytesOr(parsed(text))
  const input = data instanceof Uint8Array ? bytes() : ANYTHING
  const output = raw ? bytes() : ANYTHING
  const declaration = {
    msg: () => msg(input),
    call: () => call(input, output),
    feed: () => feed(input, output),
  }[kind]()
  return { protocol: { [type]: declaration }, codec: await codecs(true), data }
}

/** One line that a terminal can be shown. */
export const valueLine = (value: unknown): Iterable<string> => jsonPieces(shown(value) ?? null)

const ANYTHING: Schema = {
  '~standard': { version: 1, vendor: '@socktools/cli', validate: (value) => ({ value }) },
}

/** Of this copy of the library or another, which the file imports. */
const isBytes = (schema: Schema | undefined): boolean =>
  (schema as { readonly [key: symbol]: unknown } | undefined)?.[Symbol.for('socktools.bytes')] === true

const inputOf = (declaration: Declaration): Schema | undefined => {
  if (declaration.kind === 'msg') return declaration.schema
  return declaration.kind === 'channel' ? undefined : declaration.input
}

const outputOf = (declaration: Declaration): Schema | undefined => {
  if (declaration.kind === 'call') return declaration.output
  return declaration.kind === 'feed' ? declaration.item : undefined
}

/** Best first: under msgpack bytes within the data are bytes. `guess`: what is no such value is bytes of its own. */
async function codecs(guess: boolean): Promise<Codec<unknown>[]> {
  const { msgpack } = await import('socktools/msgpack')
  return [around(msgpack(), revived, guess), around(json({ max: MAX }), (data) => data, guess)]
}

function around(codec: Codec<unknown>, written: (data: unknown) => unknown, guess: boolean): Codec<unknown> {
  const { values } = codec
  if (values === undefined) return codec
  const decode = (body: Uint8Array): unknown => {
    try {
      return values.decode(body)
    } catch (thrown) {
      if (guess) return body
      throw thrown
    }
  }
  return { ...codec, values: { encode: (data) => values.encode(written(data)), decode } }
}

function parsed(text: string | undefined): unknown {
  if (text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new UsageError(
      `the data are no JSON: write {"a":1}, [1,2], 5 or, with both kinds of quotes, '"text"'`,
      { cause },
    )
  }
}

/** With bytes for what stands for bytes, wherever in the data it is. Throws what is wrong with one. */
const revived = (data: unknown): unknown =>
  data === undefined || data instanceof Uint8Array ? data : JSON.parse(JSON.stringify(data), bytesFromBase64)

/** The same where the data are that and nothing else. Throws UsageError. */
function bytesOr(data: unknown): unknown {
  try {
    return bytesFromBase64('', data)
  } catch (thrown) {
    throw new UsageError(`the data: it ${thrown instanceof Error ? thrown.message : String(thrown)}`)
  }
}
