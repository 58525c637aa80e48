import { fail } from '../errors.ts'
import { MARK, type MarkedText, SHORT } from './msgpack-marks.ts'

/** MessagePack, as https://github.com/msgpack/msgpack/blob/master/spec.md has it. */
const NIL = 0xc0
const FALSE = 0xc2
const TRUE = 0xc3
/** From these on: with 8, 16, 32 and, of integers, 64 bits. */
const BIN = 0xc4
const UINT = 0xcc
const UINT_64 = UINT + 3
const INT = 0xd0
const INT_64 = INT + 3
const STR = 0xd9
/** From these on: with 16 and 32 bits. */
const ARRAY = 0xdc
const MAP = 0xde
const FLOAT_32 = 0xca
const FLOAT_64 = 0xcb
const EXT_8 = 0xc7
const FIXEXT_4 = 0xd6
const FIXEXT_8 = 0xd7
/** Extension type -1: a timestamp, of 4, 8 or 12 bytes. */
const TIMESTAMP = 0xff
/** Milliseconds on either side of 1970 that a Date can say. */
const DATE_RANGE = 8.64e15

export interface ScanLimits {
  readonly depth: number
  readonly values: number
}

/**
 * Walks through one message without building anything of it. Throws `code` unless it is one value, whole, with
 * nothing behind it, within the limits, and of the kinds that PROTOCOL.md lists.
 *
 * A decoder is only safe behind this: msgpackr runs its extensions whatever its options are, records and
 * class names of the sender's choice among them, and takes an array's length at its word.
 */
export class Scan {
  /** The texts, keys too, that begin with U+FEFF and are not SHORT. */
  readonly marked: MarkedText[] = []
  /** There are bytes among the values, which a decoder may give out as views. */
  binary = false
  readonly #code: 'BAD_MESSAGE' | 'CANNOT_ENCODE'
  readonly #bytes: Uint8Array
  readonly #depth: number
  /** Values that may still come. */
  #left: number
  #at = 0

  constructor(bytes: Uint8Array, code: 'BAD_MESSAGE' | 'CANNOT_ENCODE', { depth, values }: ScanLimits) {
    this.#bytes = bytes
    this.#code = code
    this.#depth = depth
    this.#left = values
  }

  run(): void {
    this.#value(this.#depth)
    if (this.#at < this.#bytes.length)
      this.#refuse(`${this.#bytes.length - this.#at} bytes behind the message`)
  }

  #value(depth: number): void {
    const token = this.#byte()
    if (token < 0x80 || token >= 0xe0) return // an integer, whole
    if (token < 0x90) this.#map(token & 0x0f, depth)
    else if (token < 0xa0) this.#array(token & 0x0f, depth)
    else if (token < 0xc0) this.#text(token & 0x1f)
    else this.#long(token, depth)
  }

  #long(token: number, depth: number): void {
    switch (token) {
      case NIL:
      case FALSE:
      case TRUE:
        break
      case BIN:
      case BIN + 1:
      case BIN + 2:
        this.binary = true
        this.#skip(this.#uint(1 << (token - BIN)))
        break
      case FLOAT_32:
        this.#skip(4)
        break
      case FLOAT_64:
        this.#float()
        break
      case UINT:
      case UINT + 1:
      case UINT + 2:
      case UINT_64:
        this.#skip(1 << (token - UINT))
        break
      case INT:
      case INT + 1:
      case INT + 2:
      case INT_64:
        this.#skip(1 << (token - INT))
        break
      case EXT_8:
        this.#timestamp(this.#byte())
        break
      case FIXEXT_4:
        this.#timestamp(4)
        break
      case FIXEXT_8:
        this.#timestamp(8)
        break
      case STR:
      case STR + 1:
      case STR + 2:
        this.#longText(1 << (token - STR))
        break
      case ARRAY:
      case ARRAY + 1:
        this.#array(this.#uint(2 << (token - ARRAY)), depth)
        break
      case MAP:
      case MAP + 1:
        this.#map(this.#uint(2 << (token - MAP)), depth)
        break
      default:
        this.#refuse(token === 0xc1 ? 'the byte c1, which means nothing' : 'an extension type')
    }
  }

  #array(n: number, depth: number): void {
    this.#enter(n, depth)
    for (let i = 0; i < n; i++) this.#value(depth - 1)
  }

  #map(n: number, depth: number): void {
    this.#enter(2 * n, depth)
    for (let i = 0; i < n; i++) {
      this.#key()
      this.#value(depth - 1)
    }
  }

  /** Each value takes a byte at least: what is announced and not there ends as cut off. */
  #enter(values: number, depth: number): void {
    if (depth === 0) this.#refuse(`nested deeper than ${this.#depth}`)
    this.#left -= values
    if (this.#left < 0) this.#refuse('more values than msgpack({ maxValues })')
  }

  #key(): void {
    const token = this.#byte()
    const isShort = token >= 0xa0 && token < 0xc0
    if (isShort || (token >= STR && token <= STR + 2)) {
      const from = isShort ? this.#text(token & 0x1f) : this.#longText(1 << (token - STR))
      if (this.#at - from === PROTO.length && PROTO.every((byte, i) => this.#bytes[from + i] === byte))
        this.#refuse('the key __proto__')
    } else if (token >= UINT && token <= INT_64) this.#skip(1 << (token & 3))
    else if (token >= 0x80 && token < 0xe0) this.#refuse('a key that is neither text nor an integer')
  }

  /** Text whose length is said in `width` bytes. */
  #longText(width: number): number {
    const length = this.#uint(width)
    const from = this.#text(length)
    if (length > SHORT && MARK.every((byte, i) => this.#bytes[from + i] === byte))
      this.marked.push({ token: from - width - 1, from, length })
    return from
  }

  /** Where it begins. */
  #text(n: number): number {
    const from = this.#skip(n)
    if (!isUtf8(this.#bytes, from, this.#at)) this.#refuse('text that is not UTF-8')
    return from
  }

  /** On its way out a number without a fraction is an integer, as it is to the languages that tell the two apart. */
  #float(): void {
    const at = this.#skip(8)
    if (this.#code === 'BAD_MESSAGE') return
    const view = this.#view()
    const number = view.getFloat64(at)
    if (!Number.isSafeInteger(number)) return
    this.#bytes[at - 1] = number < 0 ? INT_64 : UINT_64
    view.setInt32(at, Math.floor(number / 2 ** 32))
    view.setUint32(at + 4, number)
  }

  /** `n` bytes, and before them the type of the extension. */
  #timestamp(n: number): void {
    if (this.#byte() !== TIMESTAMP) this.#refuse('an extension type')
    const at = this.#skip(n)
    if (n === 4) return
    const view = this.#view()
    const nanos = n === 8 ? view.getUint32(at) >>> 2 : n === 12 ? view.getUint32(at) : Infinity
    const seconds = n === 12 ? Number(view.getBigInt64(at + 4)) : 0
    if (nanos >= 1e9 || Math.abs(seconds * 1000 + nanos / 1e6) > DATE_RANGE)
      this.#refuse('a timestamp that is no time')
  }

  #byte(): number {
    return this.#bytes[this.#skip(1)] ?? 0
  }

  #uint(width: number): number {
    const from = this.#skip(width)
    let n = 0
    for (let at = from; at < this.#at; at++) n = n * 256 + (this.#bytes[at] ?? 0)
    return n
  }

  /** Where the next `n` bytes begin. */
  #skip(n: number): number {
    const from = this.#at
    if (n > this.#bytes.length - from) this.#refuse('cut off')
    this.#at += n
    return from
  }

  #view(): DataView {
    const { buffer, byteOffset, length } = this.#bytes
    return new DataView(buffer, byteOffset, length)
  }

  #refuse(what: string): never {
    return fail(this.#code, `MessagePack that is refused after ${this.#at} bytes: ${what}`)
  }
}

const PROTO = Array.from('__proto__', (c) => c.charCodeAt(0))

/** From this length on native code is faster, though it makes a string of it. */
const LONG = 64
const strict = new TextDecoder('utf-8', { fatal: true })

/** Whether `bytes[from, to)` are well-formed UTF-8: table 3-7 of the Unicode standard. */
export function isUtf8(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from >= LONG) {
    try {
      strict.decode(bytes.subarray(from, to))
      return true
    } catch {
      return false
    }
  }
  for (let at = from; at < to; ) {
    const lead = bytes[at++] ?? 0
    if (lead < 0x80) continue
    const more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3
    if (lead < 0xc2 || lead > 0xf4 || to - at < more) return false
    // The second byte of some is bound more closely: nothing overlong, no surrogates, nothing above U+10FFFF.
    const second = bytes[at] ?? 0
    const least = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80
    const most = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf
    if (second < least || second > most) return false
    for (let i = 1; i < more; i++) if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return false
    at += more
  }
  return true
}
