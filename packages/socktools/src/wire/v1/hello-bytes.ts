/**
 * HELLO and WELCOME as bytes: a magic, the message, the version, then fields.
 *
 * ```
 *   magic 16 · 1 · lowest version u8 · highest version u8 · fields        HELLO
 *   magic 16 · 2 · version u8 · result u8 · fields                        WELCOME
 *   field: tag u8 (0x80: critical) · length u16 · value                   by ascending tag & 0x7f
 * ```
 */
import { fail } from '../../errors.ts'
import { readU32 } from '../length-header.ts'
import {
  type Accepted,
  type Hello,
  type Limits,
  MAX_HELLO,
  MIN_WINDOW,
  type Offer,
  type Rejected,
  type Resume,
  type Session,
  VERSIONS,
  type Versions,
  versionMismatch,
  type Welcome,
} from './hello.ts'
import { cutText, Reader, Writer } from './reader.ts'

/** `socktools wire` and a line end that a transfer in text mode would damage. */
export const MAGIC = Uint8Array.from('socktools wire\r\n', (c) => c.charCodeAt(0))
const HELLO = 1
const WELCOME = 2
const RESULTS = ['new', 'resumed', 'rejected'] as const

const CRITICAL = 0x80
const FEATURES = 0x01
/** Tags 0x02 to 0x08. */
const LIMITS: readonly (keyof Limits)[] = [
  'maxMessage',
  'eventWindow',
  'laneWindow',
  'maxCalls',
  'maxStreams',
  'heartbeat',
  'ttl',
]
const FIRST_LIMIT = 0x02
const NODE_ID = 0x10
const INCARNATION = 0x11
const FINGERPRINT = 0x12
const CODECS = 0x13
const RESUME = 0x20
const SESSION = 0x21
const LAST_RECV = 0x22
const KEPT_WITH = 0x23
const REJECTION = 0x30
const OFFERED = [...LIMITS.map((_, i) => FIRST_LIMIT + i), NODE_ID, INCARNATION, FINGERPRINT, CODECS]

const CODEC = /^[\x21-\x7e]+$/

/** Whether a payload begins as HELLO and WELCOME do. */
export const isMagic = (payload: Uint8Array): boolean => MAGIC.every((byte, i) => payload[i] === byte)

/** Whether a stream that begins so may begin with the frame of a HELLO, as far as it goes. */
export function mayBeHello(first: Uint8Array): boolean {
  if (first.length >= 4 && (readU32(first, 0) < MAGIC.length || readU32(first, 0) > MAX_HELLO)) return false
  return first.subarray(4, 4 + MAGIC.length).every((byte, i) => byte === MAGIC[i])
}

export function encodeHello(hello: Hello): Uint8Array {
  const { low, high, resume } = hello
  const out = new Writer().bytes(MAGIC).u8(HELLO).u8(low).u8(high)
  putOffer(out, hello)
  if (resume !== undefined) {
    const { sessionId, token, connGen, lastRecv } = resume
    put(out, RESUME, new Writer().bytes(sessionId).bytes(token).u32(connGen).u64(lastRecv))
  }
  return out.done()
}

export function encodeWelcome(welcome: Welcome): Uint8Array {
  const { version, result } = welcome
  const out = new Writer().bytes(MAGIC).u8(WELCOME).u8(version).u8(RESULTS.indexOf(result))
  if (welcome.result === 'rejected') {
    const { code, text, lastRecv, nodeId } = welcome
    if (lastRecv !== undefined) put(out, LAST_RECV, new Writer().u64(lastRecv))
    if (nodeId !== undefined) put(out, KEPT_WITH, new Writer().bytes(nodeId))
    put(out, REJECTION, new Writer().text(code, 1).text(cutText(text, MAX_REASON), 2))
    return out.done()
  }
  putOffer(out, welcome)
  if (welcome.session !== undefined) {
    const { sessionId, token, lastRecv } = welcome.session
    put(out, SESSION, new Writer().bytes(sessionId).bytes(token).u64(lastRecv))
  }
  return out.done()
}

/** The longest text of a rejection, in bytes. */
const MAX_REASON = 1024

function putOffer(out: Writer, offer: Offer): void {
  if (offer.features !== 0n) put(out, FEATURES, new Writer().bits(offer.features))
  for (const [i, name] of LIMITS.entries()) put(out, FIRST_LIMIT + i, new Writer().u32(offer[name]))
  for (const [tag, bytes] of [
    [NODE_ID, offer.nodeId],
    [INCARNATION, offer.incarnation],
    [FINGERPRINT, offer.fingerprint],
  ] as const) {
    put(out, tag, new Writer().bytes(bytes))
  }
  const codecs = new Writer()
  for (const name of offer.codecs) codecs.text(name, 1)
  put(out, CODECS, codecs)
}

function put(out: Writer, tag: number, value: Writer): void {
  const bytes = value.done()
  out.u8(tag).u16(bytes.length).bytes(bytes)
}

/**
 * The first frame at an acceptor. Throws WIRE_MISMATCH if it is no HELLO, and BAD_HELLO, VERSION_MISMATCH or UNSUPPORTED,
 * which the acceptor answers with a rejection. The version is looked at first: what stands behind it is another's affair
 * if none is common.
 */
export function decodeHello(payload: Uint8Array, ours: Versions = VERSIONS): Hello {
  if (!isMagic(payload) || (payload[MAGIC.length] ?? HELLO) !== HELLO)
    fail('WIRE_MISMATCH', 'the first frame here is no HELLO')
  const from = open(payload, 'HELLO')
  const [low, high] = [from.u8(), from.u8()]
  if (low < 1 || high < low) from.refuse(`the versions ${low} to ${high}`)
  if (high < ours.low || low > ours.high) throw versionMismatch({ low, high }, ours)
  const fields = fieldsOf(from)
  return { low, high, ...offerOf(fields), resume: fields.get(RESUME)?.(resumeOf) }
}

/**
 * The first frame at a dialer. Throws PEER_NOT_SESSION if it is no WELCOME, BAD_HELLO, or UNSUPPORTED. Of a rejection
 * nothing but the reason is read.
 */
export function decodeWelcome(payload: Uint8Array): Welcome {
  if (!isMagic(payload) || (payload[MAGIC.length] ?? WELCOME) !== WELCOME)
    fail('PEER_NOT_SESSION', 'the first frame that came back is no WELCOME')
  const from = open(payload, 'WELCOME')
  const version = from.u8()
  const number = from.u8()
  const result = RESULTS[number] ?? from.refuse(`the unknown result ${number}`)
  if (version < 1) from.refuse('the version 0')
  if (result === 'rejected') return rejectionOf(fieldsOf(from, false), version)
  const fields = fieldsOf(from)
  const offer = offerOf(fields)
  if (offer.codecs.length !== 1) from.refuse(`${offer.codecs.length} codecs, and one is chosen`)
  const session = result === 'resumed' ? need(fields, SESSION, sessionOf) : fields.get(SESSION)?.(sessionOf)
  return { result, version, ...offer, session } satisfies Accepted
}

/** Behind the byte that tells which of the two it is. */
function open(payload: Uint8Array, name: string): Reader {
  const from = new Reader(payload, MAGIC.length, name, 'BAD_HELLO')
  if (payload.length > MAX_HELLO) from.refuse(`${payload.length} bytes, and ${MAX_HELLO} is the most`)
  from.u8()
  return from
}

/** By tag: applies a function to the value, all of which that function must read. */
type Fields = Map<number, <T>(read: (value: Reader) => T) => T>

/** Known tags alone. Throws UNSUPPORTED at a critical one that is unknown, if `strict`. */
function fieldsOf(from: Reader, strict = true): Fields {
  const fields: Fields = new Map()
  let last = 0
  while (from.left > 0) {
    const said = from.u8()
    const tag = said & ~CRITICAL
    const value = from.within(from.u16(), `the field 0x${tag.toString(16).padStart(2, '0')}`)
    if (tag <= last) from.refuse(`the tag 0x${tag.toString(16)} is 0, twice there or out of order`)
    last = tag
    if (KNOWN.has(tag)) {
      fields.set(tag, (read) => {
        const got = read(value)
        value.end()
        return got
      })
    } else if (strict && said !== tag) {
      fail('UNSUPPORTED', `the far side insists on the field 0x${tag.toString(16)}, which is unknown here`)
    }
  }
  return fields
}

const KNOWN = new Set([FEATURES, ...OFFERED, RESUME, SESSION, LAST_RECV, KEPT_WITH, REJECTION])

function need<T>(fields: Fields, tag: number, read: (value: Reader) => T): T {
  const field = fields.get(tag)
  if (field === undefined)
    return fail('BAD_HELLO', `the field 0x${tag.toString(16).padStart(2, '0')} is missing`)
  return field(read)
}

function offerOf(fields: Fields): Offer {
  const limits = LIMITS.map((name, i) => {
    const limit = need(fields, FIRST_LIMIT + i, (value) => value.u32())
    if (name.endsWith('Window') && limit < MIN_WINDOW)
      fail('BAD_HELLO', `${name} is ${limit} bytes, and ${MIN_WINDOW} is the least`)
    return [name, limit] as const
  })
  return {
    features: fields.get(FEATURES)?.((value) => value.bits()) ?? 0n,
    ...(Object.fromEntries(limits) as unknown as Limits),
    nodeId: need(fields, NODE_ID, nodeIdOf),
    incarnation: need(fields, INCARNATION, (value) => value.bytes(16)),
    fingerprint: need(fields, FINGERPRINT, (value) => value.bytes(16)),
    codecs: need(fields, CODECS, codecsOf),
  }
}

function nodeIdOf(value: Reader): Uint8Array {
  if (value.left < 16 || value.left > 64) value.refuse(`${value.left} bytes, and a nodeId has 16 to 64`)
  return value.rest()
}

function codecsOf(value: Reader): string[] {
  const codecs: string[] = []
  do codecs.push(value.ascii(value.u8(), CODEC))
  while (value.left > 0)
  return codecs
}

const resumeOf = (value: Reader): Resume => ({
  sessionId: value.bytes(16),
  token: value.bytes(16),
  connGen: value.u32(),
  lastRecv: value.u64(),
})

const sessionOf = (value: Reader): Session => ({
  sessionId: value.bytes(16),
  token: value.bytes(16),
  lastRecv: value.u64(),
})

function rejectionOf(fields: Fields, version: number): Rejected {
  const lastRecv = fields.get(LAST_RECV)?.((value) => value.u64())
  const nodeId = fields.get(KEPT_WITH)?.(nodeIdOf)
  return need(fields, REJECTION, (value) => ({
    result: 'rejected',
    version,
    code: value.code(),
    text: value.text(value.u16()),
    ...(lastRecv !== undefined && { lastRecv }),
    ...(nodeId !== undefined && { nodeId }),
  }))
}
