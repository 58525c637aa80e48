import { type Message, type Codec, json, raw } from 'socktools'
import { payloadPieces, terminalPieces, textOf } from './escape.ts'

/** How messages stand on lines of text: what stdin takes, and what is printed. */
export interface Notation {
  /** `max`: what --max-frame says. */
  readonly codec: (max?: number) => Codec<unknown>
  /** How long a line can be that stands for a payload of `max` bytes. */
  readonly longest: (max: number) => number
  /** The message that a line of stdin stands for. Throws what is wrong with the line. */
  read(line: Uint8Array): Message
  /** For people: one line, harmless to a terminal, in pieces. */
  text(message: Message): Iterable<string>
  /** For programs: what the JSON object of a message holds of it. */
  facts(message: Message): object
}

/** The most JSON that is taken unasked, as in json(): what a peer sends can cost a hundred times its length. */
const DENSE = 1024 * 1024

export type CodecName = 'raw' | 'json' | 'msgpack'

export async function notationOf({
  codec = 'raw',
  hex = false,
}: {
  readonly codec?: CodecName
  readonly hex?: boolean
}): Promise<Notation> {
  if (codec === 'raw') return hex ? HEX : PLAIN
  if (codec === 'json') return { ...TYPED, codec: (max = 0) => json({ max: Math.max(max, DENSE) }) }
  // Its library is loaded when it is asked for.
  const { msgpack } = await import('socktools/msgpack')
  return { ...WITH_BYTES, codec: () => msgpack() }
}

const bytesOf = ({ data }: Message): Uint8Array => data as Uint8Array

/** Each line is a payload as it stands. */
const PLAIN: Notation = {
  codec: () => raw(),
  longest: (max) => max,
  read: (line) => ({ type: 0, data: line }),
  text: (message) => payloadPieces(bytesOf(message)),
  facts(message) {
    const text = textOf(bytesOf(message))
    return text === undefined ? { base64: Buffer.from(bytesOf(message)).toString('base64') } : { text }
  },
}

const hexOf = (message: Message): string => Buffer.from(bytesOf(message)).toString('hex')

/** Each line is a payload in hex; blanks between bytes do not count. */
const HEX: Notation = {
  ...PLAIN,
  longest: (max) => 3 * max,
  read(line) {
    const digits = (textOf(line) ?? '?').replaceAll(/[ \t]/g, '')
    if (/^(?:[0-9a-f]{2})*$/i.test(digits)) return { type: 0, data: Buffer.from(digits, 'hex') }
    throw new Error('is not hex: write two digits for each byte, as in 68 69')
  },
  text: (message) => [hexOf(message)],
  facts: (message) => ({ hex: hexOf(message) }),
}

/** Each line is `[type, data]` as JSON, whatever carries it. */
const TYPED: Omit<Notation, 'codec'> = {
  // What is short in MessagePack can be long in JSON: a byte of a number, an escape for a character.
  longest: (max) => 8 * max,
  read: (line) => messageOn(line),
  text: ({ type, data }) => terminalPieces(`${String(type)} ${JSON.stringify(shown(data))}`),
  facts: ({ type, data }) => ({ type, data: shown(data) }),
}

/** The same, and bytes stand as `{"base64":"…"}`. */
const WITH_BYTES: typeof TYPED = { ...TYPED, read: (line) => messageOn(line, bytesFromBase64) }

type Revive = (key: string, value: unknown) => unknown

function messageOn(line: Uint8Array, revive?: Revive): Message {
  const parsed = parse(textOf(line) ?? '', revive)
  if (Array.isArray(parsed) && parsed.length === 2) {
    const [type, data] = parsed as [unknown, unknown]
    if (typeof type === 'string' || typeof type === 'number') return { type, data }
  }
  throw new Error('is not a message: write [type, data] as JSON, as in ["say", "hi"]')
}

/** Undefined for what is no JSON. */
function parse(text: string, revive?: Revive): unknown {
  try {
    return JSON.parse(text, revive)
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined
    throw thrown
  }
}

export function bytesFromBase64(_key: string, value: unknown): unknown {
  const { base64, ...more } = (value ?? {}) as { base64?: unknown }
  if (typeof base64 !== 'string' || Object.keys(more).length > 0) return value
  const bytes = Buffer.from(base64, 'base64')
  // Node skips what does not belong there.
  if (bytes.toString('base64') === base64) return bytes
  throw new Error('has a "base64" that is none: write whole groups of four, with = at the end')
}

/** What JSON cannot say, as it can: bytes in base64, and integers that are too large for a number as text. */
export function shown(data: unknown): unknown {
  if (data instanceof Uint8Array) return { base64: Buffer.from(data).toString('base64') }
  if (typeof data === 'bigint') return String(data)
  if (Array.isArray(data)) return data.map(shown)
  if (typeof data !== 'object' || data === null || data instanceof Date) return data
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, shown(value)]))
}
