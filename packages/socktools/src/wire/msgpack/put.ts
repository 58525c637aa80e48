/** The parts of a message, each written behind what a slab has already. */
import type { Slab } from './slab.ts'
import * as t from './tokens.ts'

const utf8 = new TextEncoder()

const laid = new Uint8Array(8)
const desk = new DataView(laid.buffer)

/** An integer as such, up to 2^53 - 1; what else is a number as a float of 64 bits. */
export function putNumber(slab: Slab, n: number): void {
  if (n >>> 0 === n) putNatural(slab, n)
  else if ((n | 0) === n) putNegative(slab, n)
  else if (Number.isSafeInteger(n)) {
    desk.setInt32(0, Math.floor(n / 2 ** 32))
    desk.setUint32(4, n)
    putLaid(slab, n < 0 ? t.INT_64 : t.UINT_64)
  } else {
    desk.setFloat64(0, n)
    putLaid(slab, t.FLOAT_64)
  }
}

/** Up to 32 bits. */
function putNatural(slab: Slab, n: number): void {
  const bytes = slab.room(5)
  let at = slab.at
  if (n < 0x80) bytes[at++] = n
  else if (n < 2 ** 8) {
    bytes[at++] = t.UINT
    bytes[at++] = n
  } else if (n < 2 ** 16) {
    bytes[at++] = t.UINT + 1
    bytes[at++] = n >>> 8
    bytes[at++] = n
  } else {
    bytes[at++] = t.UINT + 2
    bytes[at++] = n >>> 24
    bytes[at++] = n >>> 16
    bytes[at++] = n >>> 8
    bytes[at++] = n
  }
  slab.at = at
}

/** Down to 32 bits. */
function putNegative(slab: Slab, n: number): void {
  const bytes = slab.room(5)
  let at = slab.at
  if (n >= -0x20) bytes[at++] = n
  else if (n >= -(2 ** 7)) {
    bytes[at++] = t.INT
    bytes[at++] = n
  } else if (n >= -(2 ** 15)) {
    bytes[at++] = t.INT + 1
    bytes[at++] = n >>> 8
    bytes[at++] = n
  } else {
    bytes[at++] = t.INT + 2
    bytes[at++] = n >>> 24
    bytes[at++] = n >>> 16
    bytes[at++] = n >>> 8
    bytes[at++] = n
  }
  slab.at = at
}

/** In 64 bits, with a sign as long as that is enough. */
export function putBigint(slab: Slab, n: bigint): void {
  desk.setBigInt64(0, n)
  putLaid(slab, n < 2n ** 63n ? t.INT_64 : t.UINT_64)
}

function putLaid(slab: Slab, token: number): void {
  const bytes = slab.room(9)
  let at = slab.at
  bytes[at++] = token
  // As a loop it would take twice as long.
  bytes[at] = laid[0]!
  bytes[at + 1] = laid[1]!
  bytes[at + 2] = laid[2]!
  bytes[at + 3] = laid[3]!
  bytes[at + 4] = laid[4]!
  bytes[at + 5] = laid[5]!
  bytes[at + 6] = laid[6]!
  bytes[at + 7] = laid[7]!
  slab.at = at + 8
}

/** How many items: in the token if they are less than 16, else in 16 or 32 bits behind `long` or the token after it. */
export function putCount(slab: Slab, short: number, long: number, n: number): void {
  if (n < 16) slab.room(1)[slab.at++] = short + n
  else if (n < 2 ** 16) putLength(slab, long, 2, n)
  else putLength(slab, long + 1, 4, n)
}

/** In 8, 16 or 32 bits. */
export function putBytes(slab: Slab, value: Uint8Array): void {
  const { length } = value
  const width = length < 2 ** 8 ? 1 : length < 2 ** 16 ? 2 : 4
  slab.room(length + 5)
  putLength(slab, t.BIN + (width >> 1), width, length)
  slab.bytes.set(value, slab.at)
  slab.at += length
}

/** A token, and a number in `width` bytes. */
function putLength(slab: Slab, token: number, width: number, n: number): void {
  const bytes = slab.room(5)
  let at = slab.at
  bytes[at++] = token
  if (width === 4) {
    bytes[at++] = n >>> 24
    bytes[at++] = n >>> 16
  }
  if (width > 1) bytes[at++] = n >>> 8
  bytes[at++] = n
  slab.at = at
}

/** From this length in characters on the engine is faster. */
const LONG = 64

/** False: it has no form in UTF-8, since it holds half a surrogate pair. */
export function putText(slab: Slab, text: string): boolean {
  const { length } = text
  if (length >= LONG) return putLong(slab, text)
  const bytes = slab.room(2 + 3 * length)
  const head = length < 32 ? 1 : 2
  const from = slab.at + head
  let at = from
  for (let i = 0; i < length; i++) {
    const c = text.charCodeAt(i)
    if (c >= 0x80) {
      at = putRest(bytes, at, text, i)
      if (at === 0) return false
      break
    }
    bytes[at++] = c
  }
  close(slab, from, head, at)
  return true
}

/** What begins with the character at `i`. Returns where it ends, or 0 if it has no form. */
function putRest(bytes: Uint8Array, at: number, text: string, i: number): number {
  for (; i < text.length; i++) {
    let c = text.charCodeAt(i)
    if (c < 0x80) {
      bytes[at++] = c
      continue
    }
    if (c < 0x800) bytes[at++] = 0xc0 | (c >> 6)
    else {
      if (c >= 0xd800 && c < 0xe000) {
        // NaN behind the last one, which is no half either.
        const low = text.charCodeAt(++i)
        if (!(c < 0xdc00 && low >= 0xdc00 && low < 0xe000)) return 0
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00)
        bytes[at++] = 0xf0 | (c >> 18)
        bytes[at++] = 0x80 | ((c >> 12) & 0x3f)
      } else bytes[at++] = 0xe0 | (c >> 12)
      bytes[at++] = 0x80 | ((c >> 6) & 0x3f)
    }
    bytes[at++] = 0x80 | (c & 0x3f)
  }
  return at
}

function putLong(slab: Slab, text: string): boolean {
  if (!(text as string & { isWellFormed(): boolean }).isWellFormed()) return false
  const head = text.length < 2 ** 8 ? 2 : text.length < 2 ** 16 ? 3 : 5
  const start = slab.at - slab.start
  // Most text is ASCII, and takes no more than this.
  slab.room(head + text.length)
  slab.at += head
  const first = utf8.encodeInto(text, slab.bytes.subarray(slab.at))
  slab.at += first.written
  if (first.read < text.length) {
    const rest = text.slice(first.read)
    slab.room(3 * rest.length)
    slab.at += utf8.encodeInto(rest, slab.bytes.subarray(slab.at)).written
  }
  close(slab, slab.start + start + head, head, slab.at)
  return true
}

/** Puts the length of the text `[from, to)` before it, where `head` bytes were left, and ends the text there. */
function close(slab: Slab, from: number, head: number, to: number): void {
  const length = to - from
  const needed = length < 32 ? 1 : length < 2 ** 8 ? 2 : length < 2 ** 16 ? 3 : 5
  if (needed > head) {
    // More bytes than characters.
    const offset = from - slab.start
    slab.at = to
    slab.room(needed - head)
    from = slab.start + offset
    slab.bytes.copyWithin(from + needed - head, from, slab.at)
  }
  slab.at = from - head
  if (needed === 1) slab.bytes[slab.at++] = t.FIXSTR + length
  else putLength(slab, t.STR + (needed >> 2) + (needed > 2 ? 1 : 0), needed - 1, length)
  slab.at += length
}
