import { fail } from '../../errors.ts'
import { readU32, writeU32 } from '../length-header.ts'
import { MAX_U53, readU64, writeU64 } from './frame.ts'

// `fatal`: a byte that is no UTF-8 is an error, never a silent U+FFFD. `ignoreBOM`: U+FEFF is a character like any other.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const toUtf8 = new TextEncoder()

/** Reads fields one after the other. Throws `code` at the first that is not there or not as it must be. */
export class Reader {
  readonly #bytes: Uint8Array
  readonly #code: 'PROTOCOL_ERROR' | 'BAD_HELLO'
  /** What is read, for the error. */
  readonly #name: string
  readonly #end: number
  #at: number

  constructor(
    bytes: Uint8Array,
    at: number,
    name: string,
    code: 'PROTOCOL_ERROR' | 'BAD_HELLO' = 'PROTOCOL_ERROR',
    end = bytes.length,
  ) {
    this.#bytes = bytes
    this.#at = at
    this.#name = name
    this.#code = code
    this.#end = end
  }

  get at(): number {
    return this.#at
  }

  get left(): number {
    return this.#end - this.#at
  }

  u8(): number {
    return this.#bytes[this.#skip(1)] ?? 0
  }

  u16(): number {
    return this.u8() * 256 + this.u8()
  }

  u32(): number {
    return readU32(this.#bytes, this.#skip(4))
  }

  /** At most 2^53 - 1. */
  u64(): number {
    const n = readU64(this.#bytes, this.#skip(8))
    if (n !== n) this.refuse(`a number above ${MAX_U53}`)
    return n
  }

  /** All 64 bits. */
  bits(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32())
  }

  /** A view. */
  bytes(n: number): Uint8Array {
    const from = this.#skip(n)
    return this.#bytes.subarray(from, from + n)
  }

  /** A reader of the next `n` bytes. */
  within(n: number, name = this.#name): Reader {
    const from = this.#skip(n)
    return new Reader(this.#bytes, from, name, this.#code, from + n)
  }

  /** A view of all that is left. */
  rest(): Uint8Array {
    return this.bytes(this.left)
  }

  text(n: number): string {
    const from = this.#skip(n)
    try {
      return utf8.decode(this.#bytes.subarray(from, from + n))
    } catch {
      return this.refuse('text that is not UTF-8')
    }
  }

  /** `n` bytes of ASCII, all of them as `allowed` has it. */
  ascii(n: number, allowed: RegExp): string {
    const from = this.#skip(n)
    let text = ''
    for (let at = from; at < from + n; at++) text += String.fromCharCode(this.#bytes[at] ?? 0)
    if (!allowed.test(text)) this.refuse(`"${text}", which is not ${allowed.source}`)
    return text
  }

  /** A length in one byte, then an error code. */
  code(): string {
    return this.ascii(this.u8(), CODE)
  }

  /** The same, where none is said with a length of 0. */
  codeOrNone(): string {
    const n = this.u8()
    return n === 0 ? '' : this.ascii(n, CODE)
  }

  /** Nothing may be left. */
  end(): void {
    if (this.left > 0) this.refuse(`${this.left} bytes too many`)
  }

  refuse(what: string): never {
    return fail(this.#code, `${this.#name}: ${what}`)
  }

  #skip(n: number): number {
    const from = this.#at
    if (n > this.#end - from) this.refuse(`cut off: ${n} bytes were due and ${this.#end - from} are there`)
    this.#at += n
    return from
  }
}

/** What an error code is made of. */
export const CODE = /^[A-Z0-9_]+$/

/** Writes fields one after the other into memory that grows. */
export class Writer {
  #bytes = new Uint8Array(64)
  #at = 0

  u8(n: number): this {
    // First the room: it may be other memory then.
    const at = this.#room(1)
    this.#bytes[at] = n
    return this
  }

  u16(n: number): this {
    return this.u8(n >>> 8).u8(n)
  }

  u32(n: number): this {
    const at = this.#room(4)
    writeU32(this.#bytes, at, n)
    return this
  }

  u64(n: number): this {
    const at = this.#room(8)
    writeU64(this.#bytes, at, n)
    return this
  }

  bits(n: bigint): this {
    return this.u32(Number((n >> 32n) & 0xffff_ffffn)).u32(Number(n & 0xffff_ffffn))
  }

  bytes(bytes: Uint8Array): this {
    const at = this.#room(bytes.length)
    this.#bytes.set(bytes, at)
    return this
  }

  /** UTF-8, its length before it in `width` bytes. */
  text(text: string, width: 1 | 2): this {
    const bytes = toUtf8.encode(text)
    if (width === 1) this.u8(bytes.length)
    else this.u16(bytes.length)
    return this.bytes(bytes)
  }

  /** All that was written. */
  done(): Uint8Array {
    return this.#bytes.subarray(0, this.#at)
  }

  /** Where `n` bytes more begin. */
  #room(n: number): number {
    const at = this.#at
    if (at + n > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(at + n, 2 * this.#bytes.length))
      larger.set(this.#bytes)
      this.#bytes = larger
    }
    this.#at += n
    return at
  }
}

/** Text of at most `most` bytes of UTF-8, cut between two characters. */
export function cutText(text: string, most: number): string {
  const bytes = toUtf8.encode(text)
  if (bytes.length <= most) return text
  let end = most
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--
  return utf8.decode(bytes.subarray(0, end))
}
