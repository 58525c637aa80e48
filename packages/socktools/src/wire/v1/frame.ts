/**
 * The frames of wire v1: a header of 24 bytes, then a body. PROTOCOL.md has the same in the same order.
 *
 * ```
 *   kind u8 · flags u8 · type u16 · lane u32 · seq u64 · ack u64 · body
 * ```
 */
import { fail } from '../../errors.ts'
import { readU32, writeU32 } from '../length-header.ts'

/** Bytes of the header. */
export const HEADER = 24
/** Where in it the seq stands. */
export const SEQ = 8
/** The longest body of a frame, in bytes. */
export const MAX_CHUNK = 65_536
/** Where a sender here cuts: such a chunk and its header fit into the smallest window. */
export const SEND_CHUNK = 61_440
/** The highest seq, ack, limit: beyond it neighbouring integers are one number to many languages. */
export const MAX_U53 = Number.MAX_SAFE_INTEGER

/** Further chunks of this message follow on this lane. */
export const MORE = 0x01
/** The body begins with a header slot. */
export const HEADERS = 0x02
/** The body begins with the milliseconds left. */
export const DEADLINE = 0x04

// Sequenced.
export const EVENT = 0x01
export const REQUEST = 0x02
export const REPLY = 0x03
export const ERROR = 0x04
export const OPEN = 0x05
export const ITEM = 0x06
export const END = 0x07
export const RESET = 0x08
export const CANCEL = 0x09
export const DONE = 0x0a
// Not sequenced, restated after an attach.
export const ACK = 0x10
export const CREDIT = 0x11
export const TABLE = 0x12
// Not sequenced, lost with the pipe.
export const PING = 0x18
export const PONG = 0x19
export const GOAWAY = 0x1a
export const GOODBYE = 0x1b
export const VOLATILE = 0x1c

/** In an unknown kind: whoever does not know it goes on without it. */
export const IGNORABLE = 0x40

/** Lanes 0 to 3 are those of events, one for each priority; calls, feeds and channels have the others. */
export const EVENT_LANES = 4
/** The longest header slot, in bytes. */
export const MAX_SLOT = 8192

/** What holds of a kind. */
interface Rule {
  readonly name: string
  readonly sequenced: boolean
  /** The flags that it may have. */
  readonly flags: number
  readonly typed: boolean
  /** The lowest and the highest lane. */
  readonly first: number
  readonly last: number
  /** Bytes of the body. */
  readonly least: number
  readonly most: number
}

const NONE = { first: 0, last: 0 }
const OF_EVENTS = { first: 0, last: EVENT_LANES - 1 }
const OWN = { first: EVENT_LANES, last: 0xffff_ffff }
const ANY = { first: 0, last: 0xffff_ffff }

const rule = (name: string, more: Partial<Rule>): Rule => ({
  name,
  sequenced: true,
  flags: 0,
  typed: false,
  ...OWN,
  least: 0,
  most: MAX_CHUNK,
  ...more,
})
const control = (name: string, least: number, most: number): Rule =>
  rule(name, { sequenced: false, ...NONE, least, most })

/** By kind; undefined: unknown. */
const RULES: (Rule | undefined)[] = Array.from({ length: 256 })
RULES[EVENT] = rule('EVENT', { flags: MORE | HEADERS, typed: true, ...OF_EVENTS })
RULES[REQUEST] = rule('REQUEST', { flags: MORE | HEADERS | DEADLINE, typed: true })
RULES[REPLY] = rule('REPLY', { flags: MORE })
RULES[ERROR] = rule('ERROR', { flags: MORE })
RULES[OPEN] = rule('OPEN', { flags: MORE | HEADERS | DEADLINE, typed: true })
RULES[ITEM] = rule('ITEM', { flags: MORE })
RULES[END] = rule('END', { most: 0 })
RULES[RESET] = rule('RESET', { flags: MORE })
RULES[CANCEL] = rule('CANCEL', { most: 0 })
RULES[DONE] = rule('DONE', { ...ANY, least: 9, most: 9 + 255 })
RULES[ACK] = control('ACK', 0, 0)
RULES[CREDIT] = control('CREDIT', 12, MAX_CHUNK)
RULES[TABLE] = { ...control('TABLE', 0, MAX_CHUNK), flags: MORE }
RULES[PING] = control('PING', 12, 12)
RULES[PONG] = control('PONG', 12, 12)
RULES[GOAWAY] = control('GOAWAY', 5, 5 + 255)
RULES[GOODBYE] = control('GOODBYE', 1, 1 + 255)
RULES[VOLATILE] = { ...control('VOLATILE', 0, MAX_CHUNK), flags: MORE | HEADERS, typed: true, ...OF_EVENTS }

/** What a kind is called: `EVENT`, or `0x77` if it is unknown. */
export const nameOfKind = (kind: number): string => RULES[kind]?.name ?? `0x${byte(kind)}`

/** Whether this version of the wire has that kind. What it has not is IGNORABLE, or never gets past `Header.read`. */
export const isKnown = (kind: number): boolean => RULES[kind] !== undefined

/** Writes a header into `into` from `at`, and returns where it ends. `seq` and `ack` are at most MAX_U53. */
export function writeHeader(
  into: Uint8Array,
  at: number,
  kind: number,
  flags: number,
  type: number,
  lane: number,
  seq: number,
  ack: number,
): number {
  into[at] = kind
  into[at + 1] = flags
  into[at + 2] = type >>> 8
  into[at + 3] = type
  writeU32(into, at + 4, lane)
  writeU64(into, at + 8, seq)
  return writeU64(into, at + 16, ack)
}

export function writeU64(into: Uint8Array, at: number, n: number): number {
  writeU32(into, at, Math.floor(n / 2 ** 32))
  return writeU32(into, at + 4, n >>> 0)
}

/** NaN above MAX_U53. */
export function readU64(bytes: Uint8Array, at: number): number {
  const high = readU32(bytes, at)
  return high > 0x1f_ffff ? NaN : high * 2 ** 32 + readU32(bytes, at + 4)
}

/** What a header says beside the ack. Always as arguments: an object would be one more for each frame. */
export type Fields = [kind: number, flags: number, type: number, lane: number, seq: number]

/** Takes a frame. `deadline`: milliseconds that stand before the body; -1: none do. */
export type TakeFrame = (...frame: [...Fields, body: Uint8Array, deadline: number]) => void

/** One header, to be read into again and again. */
export class Header {
  kind = 0
  flags = 0
  type = 0
  lane = 0
  /** 0: not sequenced. */
  seq = 0
  ack = 0

  /**
   * Takes the header of `payload`, and throws PROTOCOL_ERROR at all that can be told to be wrong from this frame alone.
   * Of an unknown kind that is IGNORABLE only the length, seq and ack are looked at.
   */
  read(payload: Uint8Array): void {
    const size = payload.length - HEADER
    if (size < 0) refuse(`a frame of ${payload.length} bytes, and the header alone has ${HEADER}`)
    const kind = payload[0] ?? 0
    const flags = payload[1] ?? 0
    const seq = readU64(payload, 8)
    const ack = readU64(payload, 16)
    this.kind = kind
    this.flags = flags
    this.type = ((payload[2] ?? 0) << 8) | (payload[3] ?? 0)
    this.lane = readU32(payload, 4)
    this.seq = seq
    this.ack = ack
    const rule = RULES[kind]
    const name = rule?.name
    if (size > MAX_CHUNK) refuse(`a body of ${size} bytes, and ${MAX_CHUNK} is the most`, name)
    if (seq !== seq || ack !== ack) refuse(`a seq or ack above ${MAX_U53}`, name)
    if (rule === undefined) {
      if ((kind & IGNORABLE) === 0) refuse(`a frame of the unknown kind 0x${byte(kind)}`)
      return
    }
    if ((flags & ~rule.flags) !== 0)
      refuse(`the flags 0x${byte(flags)}, and 0x${byte(rule.flags)} are all it may have`, name)
    if (rule.sequenced !== seq > 0)
      refuse(rule.sequenced ? 'no seq' : `the seq ${seq}, and it takes none`, name)
    if (!rule.typed && this.type !== 0) refuse(`the type ${this.type}, and it takes none`, name)
    const { lane } = this
    if (lane < rule.first || lane > rule.last)
      refuse(`the lane ${lane}, and it takes ${spanOf(rule.first, rule.last)}`, name)
    if (size < rule.least || size > rule.most)
      refuse(`a body of ${size} bytes, and it has ${spanOf(rule.least, rule.most)}`, name)
    if (flags !== 0) this.#flagged(payload, size, rule.name)
    else if (kind === CREDIT && size % 12 !== 0)
      refuse(`a body of ${size} bytes, which is no multiple of 12`, name)
  }

  /** What flags say of the body. HEADERS and DEADLINE stand on first chunks only, which then hold all of the prefix. */
  #flagged(payload: Uint8Array, size: number, name: string): void {
    const { flags } = this
    if (size === 0 && (flags & MORE) !== 0) refuse('a chunk of nothing with more to follow', name)
    let prefix = (flags & DEADLINE) === 0 ? 0 : 4
    if ((flags & HEADERS) !== 0) {
      const at = HEADER + prefix
      const slot = ((payload[at] ?? 0) << 8) | (payload[at + 1] ?? 0)
      if (slot > MAX_SLOT) refuse(`a header slot of ${slot} bytes, and ${MAX_SLOT} is the most`, name)
      prefix += 2 + slot
    }
    if (prefix > size) refuse(`a prefix of ${prefix} bytes in a first chunk of ${size}`, name)
  }
}

const spanOf = (least: number, most: number): string => (least === most ? `${least}` : `${least} to ${most}`)

const byte = (n: number): string => n.toString(16).padStart(2, '0')

function refuse(what: string, name?: string): never {
  return fail('PROTOCOL_ERROR', name === undefined ? what : `${name}: ${what}`)
}
