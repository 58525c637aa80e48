import { fail } from '../errors.ts'

/** How a payload's length stands before it. */
export interface LengthHeader {
  /** The most bytes that a header takes. */
  readonly width: number
  /** The longest payload in bytes that it can say. */
  readonly max: number
  /** The bytes that it takes to say `n`. */
  size(n: number): number
  /** Writes the header of a payload of `n` bytes into `into` from `at`, and returns where it ends. */
  write(into: Uint8Array, at: number, n: number): number
  /** How many bytes the header at `at` has; 0 while it is not whole within `bytes[at, end)`. */
  span(bytes: Uint8Array, at: number, end: number): number
  /** The payload's length, said by the whole header at `at`; NaN if it makes no sense. */
  read(bytes: Uint8Array, at: number): number
}

export interface LengthOptions {
  /**
   * How many bytes the length takes, or `'varint'`: seven bits a byte, the lowest first, as Protocol Buffers
   * have it, 1 to 8 bytes here. What one can say: 255, 65,535, 4,294,967,295 bytes; with 8 and
   * `'varint'` 9,007,199,254,740,991 (2^53 - 1). Default 4.
   */
  readonly length?: 1 | 2 | 4 | 8 | 'varint'
  /** Which byte of the length comes first: the highest (`'big'`, the default) or the lowest. Not for `'varint'`. */
  readonly endian?: 'big' | 'little'
  /** The length counts its own bytes as well as the payload's. Default false. Not for `'varint'`. */
  readonly inclusive?: boolean
}

/** Throws BAD_OPTION. */
export function lengthHeader({ length = 4, endian, inclusive = false }: LengthOptions): LengthHeader {
  if (length !== 'varint' && !WIDTHS.includes(length)) {
    fail('BAD_OPTION', `lengthPrefixed({ length }) is 1, 2, 4, 8 or 'varint', not ${JSON.stringify(length)}`)
  }
  if (endian !== undefined && !ENDS.includes(endian)) {
    fail('BAD_OPTION', `lengthPrefixed({ endian }) is 'big' or 'little', not ${JSON.stringify(endian)}`)
  }
  if (typeof inclusive !== 'boolean') {
    fail('BAD_OPTION', `lengthPrefixed({ inclusive }) is true or false, not ${JSON.stringify(inclusive)}`)
  }
  if (length === 'varint') {
    if (inclusive) fail('BAD_OPTION', 'a varint that counts its own bytes would not know how many it has')
    if (endian !== undefined) fail('BAD_OPTION', 'a varint has one order of bytes: leave `endian` out')
    return VARINT
  }
  return length === 4 && endian !== 'little' && !inclusive
    ? U32
    : fixed(length, endian === 'little', inclusive)
}

const WIDTHS: readonly unknown[] = [1, 2, 4, 8]
const ENDS: readonly unknown[] = ['big', 'little']
/** Beyond 2^53 - 1 neighbouring integers are one and the same number in JavaScript. */
const MAX = Number.MAX_SAFE_INTEGER

/** The default: four bytes, the highest first. Written out, since every message passes here. */
export const U32: LengthHeader = {
  width: 4,
  max: 0xffff_ffff,
  size: () => 4,
  write: writeU32,
  span: (_bytes, at, end) => (end - at < 4 ? 0 : 4),
  read: readU32,
}

export function writeU32(into: Uint8Array, at: number, n: number): number {
  into[at] = n >>> 24
  into[at + 1] = n >>> 16
  into[at + 2] = n >>> 8
  into[at + 3] = n
  return at + 4
}

export function readU32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] ?? 0) << 24) |
      ((bytes[at + 1] ?? 0) << 16) |
      ((bytes[at + 2] ?? 0) << 8) |
      (bytes[at + 3] ?? 0)) >>>
    0
  )
}

/** Any other of a fixed width. Arithmetic, not shifts: those end at 32 bits. */
function fixed(width: number, little: boolean, inclusive: boolean): LengthHeader {
  const own = inclusive ? width : 0
  return {
    width,
    max: Math.min(2 ** (8 * width) - 1, MAX) - own,
    size: () => width,
    write(into, at, n) {
      let left = n + own
      for (let i = 0; i < width; i++) {
        into[little ? at + i : at + width - 1 - i] = left % 256
        left = Math.floor(left / 256)
      }
      return at + width
    },
    span: (_bytes, at, end) => (end - at < width ? 0 : width),
    read(bytes, at) {
      let n = 0
      for (let i = 0; i < width; i++) n = n * 256 + (bytes[little ? at + width - 1 - i : at + i] ?? 0)
      // Above 2^53 low bits are lost on the way, but no sum ever falls back below it.
      return n < own || n > MAX ? NaN : n - own
    },
  }
}

const VARINT_WIDTH = 8

/** Unsigned LEB128: seven bits a byte, the lowest first; the highest bit tells that another byte follows. */
const VARINT: LengthHeader = {
  width: VARINT_WIDTH,
  max: MAX,
  size(n) {
    let size = 1
    for (let left = n; left >= 128; left = Math.floor(left / 128)) size++
    return size
  },
  write(into, at, n) {
    let end = at
    let left = n
    for (; left >= 128; left = Math.floor(left / 128)) into[end++] = (left % 128) + 128
    into[end++] = left
    return end
  },
  span(bytes, at, end) {
    for (let i = 0; i < end - at; i++) {
      // The last byte that there may be ends it, so that nothing waits for a ninth.
      if ((bytes[at + i] ?? 0) < 128 || i === VARINT_WIDTH - 1) return i + 1
    }
    return 0
  },
  read(bytes, at) {
    let n = 0
    let unit = 1
    for (let i = 0; i < VARINT_WIDTH; i++) {
      const byte = bytes[at + i] ?? 0
      n += (byte % 128) * unit
      unit *= 128
      // A zero at the end adds nothing: there is one way to write each length.
      if (byte < 128) return (byte === 0 && i > 0) || n > MAX ? NaN : n
    }
    return NaN
  },
}
