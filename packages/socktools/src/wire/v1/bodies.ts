/**
 * What stands in the bodies of frames. Encoders return the body alone. Decoders take a whole payload, its header in front,
 * as it arrives; they throw PROTOCOL_ERROR and nothing else, and the bytes that they return are views of it.
 */
import { fail } from '../../errors.ts'
import { readU32 } from '../length-header.ts'
import { DEADLINE, HEADER, HEADERS, MAX_SLOT } from './frame.ts'
import { CODE, cutText, Reader, Writer } from './reader.ts'

/** The header slot of a message. Without a prototype, so that a key can mean nothing but itself. */
export type HeaderSlot = Readonly<Record<string, string>>

/** What stands before the data of a message. */
export interface Prefix {
  /** Milliseconds left when it was sent. */
  readonly deadline: number | undefined
  readonly headers: HeaderSlot | undefined
  /** Where the data begins in the payload. */
  readonly at: number
}

const KEY = /^[a-z0-9-]+$/
const NO_PREFIX: Prefix = Object.freeze({ deadline: undefined, headers: undefined, at: HEADER })

/** The flags that a prefix is announced with. */
export const prefixFlags = (deadline?: number, headers?: HeaderSlot): number =>
  (deadline === undefined ? 0 : DEADLINE) | (headers === undefined ? 0 : HEADERS)

/** The bytes before the data. `deadline`: milliseconds, 0 to 2^32 - 1. Throws BAD_OPTION. */
export function encodePrefix(deadline?: number, headers?: HeaderSlot): Uint8Array {
  const out = new Writer()
  if (deadline !== undefined) {
    if (!(deadline >= 0)) fail('BAD_OPTION', `a deadline is a number of milliseconds, not ${deadline}`)
    // The far side's counts from when this arrives: one above 49 days is none that anybody would notice.
    out.u32(Math.min(Math.floor(deadline), 0xffff_ffff))
  }
  if (headers !== undefined) {
    const slot = encodeSlot(headers)
    out.u16(slot.length).bytes(slot)
  }
  return out.done()
}

function encodeSlot(headers: HeaderSlot): Uint8Array {
  const out = new Writer()
  for (const [key, value] of Object.entries(headers) as [string, unknown][]) {
    if (!KEY.test(key) || key.length > 255)
      fail('BAD_OPTION', `a header is called by 1 to 255 of a-z, 0-9 and -, not "${key}"`)
    if (typeof value !== 'string')
      fail('BAD_OPTION', `the header ${key} takes a string, not a ${typeof value}`)
    // In bytes it is measured below, once it is no longer than to be written at all.
    if (value.length > MAX_SLOT) tooLong()
    if (!(value as string & { isWellFormed(): boolean }).isWellFormed())
      fail('BAD_OPTION', `the header ${key} has half a surrogate pair`)
    out.text(key, 1).text(value, 2)
  }
  const slot = out.done()
  return slot.length <= MAX_SLOT ? slot : tooLong()
}

const tooLong = (): never => fail('BAD_OPTION', `the headers of a message take ${MAX_SLOT} bytes at most`)

/** `flags`: those of the first chunk. */
export function decodePrefix(payload: Uint8Array, flags: number): Prefix {
  if ((flags & (DEADLINE | HEADERS)) === 0) return NO_PREFIX
  // What nearly every call has, and no more.
  if ((flags & HEADERS) === 0 && payload.length >= HEADER + 4)
    return { deadline: readU32(payload, HEADER), headers: undefined, at: HEADER + 4 }
  const from = new Reader(payload, HEADER, 'the prefix of a message')
  const deadline = (flags & DEADLINE) === 0 ? undefined : from.u32()
  const headers = (flags & HEADERS) === 0 ? undefined : decodeSlot(from)
  return { deadline, headers, at: from.at }
}

function decodeSlot(from: Reader): HeaderSlot {
  const size = from.u16()
  if (size > MAX_SLOT) from.refuse(`a header slot of ${size} bytes, and ${MAX_SLOT} is the most`)
  const slot = from.within(size, 'a header slot')
  const headers = Object.create(null) as Record<string, string>
  while (slot.left > 0) {
    const key = slot.ascii(slot.u8(), KEY)
    if (key in headers) slot.refuse(`"${key}" twice`)
    headers[key] = slot.text(slot.u16())
  }
  return Object.freeze(headers)
}

/** What ERROR and RESET tell. */
export interface Fault {
  readonly code: string
  /** Written by the far side: print it escaped. */
  readonly text: string
  /** Of a declared error, in the codec of the pipe; else empty. */
  readonly data: Uint8Array
}

/** The longest text of an ERROR or RESET, in bytes. */
export const MAX_TEXT = 1024
const NOTHING = new Uint8Array(0)

/** Text that is longer than MAX_TEXT is cut. */
export function encodeFault(code: string, text: string, data: Uint8Array = NOTHING): Uint8Array {
  return needCode(code).text(cutText(text, MAX_TEXT), 2).bytes(data).done()
}

export function decodeFault(payload: Uint8Array): Fault {
  const from = new Reader(payload, HEADER, 'ERROR or RESET')
  const code = from.code()
  const size = from.u16()
  if (size > MAX_TEXT) from.refuse(`a text of ${size} bytes, and ${MAX_TEXT} is the most`)
  return { code, text: from.text(size), data: from.rest() }
}

/** `seq`: of the message that it is about. `code`: empty if it was handled. */
export interface Done {
  readonly seq: number
  readonly code: string
}

export const encodeDone = ({ seq, code }: Done): Uint8Array =>
  needCode(code, new Writer().u64(seq), true).done()

export function decodeDone(payload: Uint8Array): Done {
  const from = new Reader(payload, HEADER, 'DONE')
  const seq = from.u64()
  if (seq === 0) from.refuse('of seq 0')
  const code = from.codeOrNone()
  from.end()
  return { seq, code }
}

/** How many bytes may ever be sent on `lane`. */
export type Credit = readonly [lane: number, limit: number]

/** The most of them that one CREDIT holds. */
export const MAX_CREDITS = 5461

/** Takes 1 to MAX_CREDITS. */
export function encodeCredit(credits: readonly Credit[]): Uint8Array {
  const out = new Writer()
  for (const [lane, limit] of credits) out.u32(lane).u64(limit)
  return out.done()
}

export function decodeCredit(payload: Uint8Array): Credit[] {
  const from = new Reader(payload, HEADER, 'CREDIT')
  const credits: Credit[] = []
  do credits.push([from.u32(), from.u64()])
  while (from.left > 0)
  return credits
}

/** One type of a contract, as the far side must know it. */
export interface TableEntry {
  readonly kind: 'msg' | 'call' | 'feed' | 'channel'
  /** 1 to 255 bytes of UTF-8. */
  readonly name: string
  /** 8 bytes: of what its data looks like. */
  readonly hash: Uint8Array
}

const TYPE_KINDS = ['msg', 'call', 'feed', 'channel'] as const
/** The most types of a contract. */
export const MAX_TYPES = 4096

/** Takes them sorted by the bytes of their names: the place of each is its type id. */
export function encodeTable(entries: readonly TableEntry[]): Uint8Array {
  const out = new Writer().u16(entries.length)
  for (const { kind, name, hash } of entries) {
    out
      .u8(TYPE_KINDS.indexOf(kind) + 1)
      .text(name, 1)
      .bytes(hash)
  }
  return out.done()
}

export function decodeTable(payload: Uint8Array): TableEntry[] {
  const from = new Reader(payload, HEADER, 'TABLE')
  const count = from.u16()
  if (count > MAX_TYPES) from.refuse(`${count} types, and ${MAX_TYPES} is the most`)
  const entries: TableEntry[] = []
  let last: Uint8Array = NOTHING
  for (let i = 0; i < count; i++) {
    const number = from.u8()
    const kind = TYPE_KINDS[number - 1] ?? from.refuse(`the unknown kind of type ${number}`)
    const size = from.u8()
    const start = from.at
    const name = from.text(size)
    const bytes = payload.subarray(start, start + size)
    // Whatever comes after nothing is not empty.
    if (compare(last, bytes) >= 0) from.refuse(`"${name}" is empty, twice there or out of order`)
    last = bytes
    entries.push({ kind, name, hash: from.bytes(8) })
  }
  from.end()
  return entries
}

/** As memcmp has it. */
function compare(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

export interface Ping {
  /** After so many milliseconds without a byte from the far side its sender will call it dead. 0: never. */
  readonly ttl: number
  /** 8 bytes. */
  readonly nonce: Uint8Array
}

/** Of a PING, and of the PONG that answers it. */
export const encodePing = ({ ttl, nonce }: Ping): Uint8Array => new Writer().u32(ttl).bytes(nonce).done()

export function decodePing(payload: Uint8Array): Ping {
  const from = new Reader(payload, HEADER, 'PING or PONG')
  const ping = { ttl: from.u32(), nonce: from.bytes(8) }
  from.end()
  return ping
}

export interface Goaway {
  /** Milliseconds that whoever is sent away waits before it dials again. */
  readonly delay: number
  /** Empty: no reason given. */
  readonly code: string
}

export const encodeGoaway = ({ delay, code }: Goaway): Uint8Array =>
  needCode(code, new Writer().u32(delay), true).done()

export function decodeGoaway(payload: Uint8Array): Goaway {
  const from = new Reader(payload, HEADER, 'GOAWAY')
  const goaway = { delay: from.u32(), code: from.codeOrNone() }
  from.end()
  return goaway
}

/** `code`: empty if nothing is wrong. */
export const encodeGoodbye = (code: string): Uint8Array => needCode(code, new Writer(), true).done()

export function decodeGoodbye(payload: Uint8Array): string {
  const from = new Reader(payload, HEADER, 'GOODBYE')
  const code = from.codeOrNone()
  from.end()
  return code
}

/** A code is ours or declared in a contract: another is a fault of the caller. */
function needCode(code: string, out = new Writer(), orNone = false): Writer {
  if (!(orNone && code === '') && (!CODE.test(code) || code.length > 255))
    fail('BAD_OPTION', `an error code is 1 to 255 of A-Z, 0-9 and _, not "${code}"`)
  return out.text(code, 1)
}
