/** HELLO and WELCOME by hand. */
import { randomBytes } from 'node:crypto'
import { join, readUint, same, sized, toHex, uint, utf8Bytes } from './bytes.ts'
import { Failed } from './failed.ts'

export const MAGIC = utf8Bytes('socktools wire\r\n')
export const MAX_HELLO = 4096

/** Values by tag. */
export type Fields = ReadonlyMap<number, Uint8Array>

export const TAG = {
  features: 0x01,
  maxMessage: 0x02,
  eventWindow: 0x03,
  laneWindow: 0x04,
  maxCalls: 0x05,
  maxStreams: 0x06,
  heartbeat: 0x07,
  ttl: 0x08,
  nodeId: 0x10,
  incarnation: 0x11,
  fingerprint: 0x12,
  codecs: 0x13,
  resume: 0x20,
  session: 0x21,
  lastRecv: 0x22,
  rejection: 0x30,
} as const

export type TagName = keyof typeof TAG

export const SESSIONS = 1
export const DONES = 2

/** What each side of the tests grants; the vectors count on it. */
export const LIMITS = {
  maxMessage: 1_048_576,
  eventWindow: 65_536,
  laneWindow: 65_536,
  maxCalls: 2,
  maxStreams: 2,
} as const

export const RESULTS = ['new', 'resumed', 'rejected']

export const codecs = (...names: readonly string[]): Uint8Array =>
  join(...names.map((name) => sized(1, utf8Bytes(name))))

export const features = (bits: number): Uint8Array => uint(8, bits)

/** All that is mandatory. Some is another one each time: nobody is taken for one who was there before. */
export function offer(more: Partial<Record<TagName, Uint8Array | undefined>> = {}): Map<number, Uint8Array> {
  const all: Partial<Record<TagName, Uint8Array | undefined>> = {
    maxMessage: uint(4, LIMITS.maxMessage),
    eventWindow: uint(4, LIMITS.eventWindow),
    laneWindow: uint(4, LIMITS.laneWindow),
    maxCalls: uint(4, LIMITS.maxCalls),
    maxStreams: uint(4, LIMITS.maxStreams),
    heartbeat: uint(4, 0),
    ttl: uint(4, 0),
    nodeId: Uint8Array.from(randomBytes(16)),
    incarnation: Uint8Array.from(randomBytes(16)),
    fingerprint: Uint8Array.from(randomBytes(16)),
    codecs: codecs('json'),
    ...more,
  }
  const pairs = Object.entries(all).flatMap(([name, value]): [number, Uint8Array][] =>
    value === undefined ? [] : [[TAG[name as TagName], value]],
  )
  return new Map(pairs)
}

export const fieldBytes = (fields: Fields): Uint8Array =>
  join(
    ...[...fields]
      .sort(([a], [b]) => (a & 0x7f) - (b & 0x7f))
      .map(([tag, value]) => join(uint(1, tag), sized(2, value))),
  )

export const hello = (fields: Fields, low = 1, high = 1): Uint8Array =>
  join(MAGIC, Uint8Array.of(1, low, high), fieldBytes(fields))

export const welcome = (fields: Fields, result = 0, version = 1): Uint8Array =>
  join(MAGIC, Uint8Array.of(2, version, result), fieldBytes(fields))

export const rejection = (code: string, text: string): Uint8Array =>
  welcome(new Map([[TAG.rejection, join(sized(1, utf8Bytes(code)), sized(2, utf8Bytes(text)))]]), 2)

export interface Greeting {
  readonly message: 'HELLO' | 'WELCOME'
  /** The versions of HELLO, or version and result of WELCOME. */
  readonly pair: readonly [number, number]
  readonly fields: Fields
}

/** What came first, held against the form that every version has. */
export function greetingIn(payload: Uint8Array): Greeting {
  const due = (truth: boolean, what: string): void => {
    if (!truth) throw new Failed(`${what}: ${toHex(payload).slice(0, 80)}`)
  }
  due(payload.length <= MAX_HELLO, `the first frame has ${payload.length} bytes`)
  due(
    payload.length >= 19 && same(payload.subarray(0, 16), MAGIC),
    'what came first does not begin with the magic',
  )
  const [what = 0, a = 0, b = 0] = payload.subarray(16)
  due(what === 1 || what === 2, 'it is neither HELLO nor WELCOME')
  const fields = new Map<number, Uint8Array>()
  let last = 0
  for (let at = 19; at < payload.length; ) {
    const tag = payload[at] ?? 0
    due((tag & 0x7f) > last, `the tag ${tag} is out of order`)
    last = tag & 0x7f
    const length = readUint(payload.subarray(at + 1, at + 3))
    due(at + 3 + length <= payload.length, `the field ${tag} is cut off`)
    fields.set(last, payload.slice(at + 3, at + 3 + length))
    at += 3 + length
  }
  return { message: what === 1 ? 'HELLO' : 'WELCOME', pair: [a, b], fields }
}

const SIZES: readonly (readonly [TagName, number, number])[] = [
  ['maxMessage', 4, 4],
  ['eventWindow', 4, 4],
  ['laneWindow', 4, 4],
  ['maxCalls', 4, 4],
  ['maxStreams', 4, 4],
  ['heartbeat', 4, 4],
  ['ttl', 4, 4],
  ['nodeId', 16, 64],
  ['incarnation', 16, 16],
  ['fingerprint', 16, 16],
  ['codecs', 2, 4096],
]

/** Throws where something mandatory is not there, or of another size. */
export function checkOffer({ message, fields }: Greeting): void {
  for (const [name, least, most] of SIZES) {
    const value = fields.get(TAG[name])
    if (value === undefined) throw new Failed(`${message} came without ${name}`)
    if (value.length < least || value.length > most)
      throw new Failed(`${message} came with ${name} of ${value.length} bytes`)
  }
}

export function field({ message, fields }: Greeting, name: TagName): Uint8Array {
  const value = fields.get(TAG[name])
  if (value === undefined) throw new Failed(`${message} came without ${name}`)
  return value
}

export const numberIn = (greeting: Greeting, name: TagName): number => readUint(field(greeting, name))

export function codecsIn(greeting: Greeting): string[] {
  const value = field(greeting, 'codecs')
  const names: string[] = []
  for (let at = 0; at < value.length; at += 1 + (value[at] ?? 0))
    names.push(Buffer.from(value.subarray(at + 1, at + 1 + (value[at] ?? 0))).toString())
  return names
}

/** Code and text of a rejection; undefined: it is none. */
export function rejectionIn(greeting: Greeting): { code: string; text: string } | undefined {
  if (greeting.message !== 'WELCOME' || greeting.pair[1] !== 2) return undefined
  const value = field(greeting, 'rejection')
  const code = Buffer.from(value.subarray(1, 1 + (value[0] ?? 0))).toString()
  return { code, text: Buffer.from(value.subarray(3 + code.length)).toString() }
}
