import { fail } from '../../errors.ts'
import { Keys, readText } from './text.ts'
import { readTime } from './time.ts'
import * as t from './tokens.ts'

/**
 * Reads one message in one pass. Throws BAD_MESSAGE unless it is one value, whole, with nothing behind it, within the
 * limits, and of the kinds that PROTOCOL.md lists. Nothing of a message runs while it is read, so one reader does.
 */
export class Reader {
  readonly #keys = new Keys()
  #bytes: Uint8Array = NOTHING
  #at = 0
  /** Values that may still come. */
  #left = 0
  #depth = 0
  #floats = 0
  /** Of the message, once it has shown to have more than a FEW floats. To make one takes as long as to read those. */
  #view: DataView | undefined

  /** `depth`: how many arrays and maps may stand within each other. `maxValues`: items, keys and values, all together. */
  read(bytes: Uint8Array, depth: number, maxValues: number): unknown {
    this.#bytes = bytes
    this.#at = 0
    this.#left = maxValues
    this.#depth = depth
    this.#floats = 0
    try {
      const value = this.#value(depth)
      if (this.#at < bytes.length) this.#refuse(`${bytes.length - this.#at} bytes behind the message`)
      return value
    } finally {
      this.#bytes = NOTHING
      this.#view = undefined
    }
  }

  #value(depth: number): unknown {
    const token = this.#byte()
    if (token < t.FIXMAP) return token
    if (token >= t.NEGATIVE) return token - 256
    if (token < t.FIXARRAY) return this.#map(token & 0x0f, depth)
    if (token < t.FIXSTR) return this.#array(token & 0x0f, depth)
    if (token < t.NIL) return this.#text(token & 0x1f)
    switch (token) {
      case t.NIL:
        return null
      case t.FALSE:
        return false
      case t.TRUE:
        return true
      case t.UINT:
        return this.#byte()
      case t.UINT + 1:
        return this.#uint(2)
      case t.UINT + 2:
        return this.#uint(4)
      case t.UINT_64:
      case t.INT_64:
        return this.#int64(token)
      case t.INT:
        return (this.#byte() << 24) >> 24
      case t.INT + 1:
        return (this.#uint(2) << 16) >> 16
      case t.INT + 2:
        return this.#uint(4) | 0
      case t.FLOAT_64:
        return this.#float()
      case t.FLOAT_32:
        this.#lay(4)
        return desk.getFloat32(0)
      case t.STR:
      case t.STR + 1:
      case t.STR + 2:
        return this.#text(this.#uint(1 << (token - t.STR)))
      case t.BIN:
      case t.BIN + 1:
      case t.BIN + 2:
        return this.#binary(this.#uint(1 << (token - t.BIN)))
      case t.ARRAY:
      case t.ARRAY + 1:
        return this.#array(this.#uint(2 << (token - t.ARRAY)), depth)
      case t.MAP:
      case t.MAP + 1:
        return this.#map(this.#uint(2 << (token - t.MAP)), depth)
      case t.FIXEXT_4:
        return this.#time(4)
      case t.FIXEXT_8:
        return this.#time(8)
      case t.EXT_8:
        return this.#time(this.#byte())
      default:
        return this.#refuse(token === t.NEVER_USED ? 'the byte c1, which means nothing' : 'an extension type')
    }
  }

  #array(n: number, depth: number): unknown[] {
    this.#enter(n, depth)
    // Each item takes a byte at least, so this is no more memory than what came could fill.
    const items = new Array<unknown>(n)
    for (let i = 0; i < n; i++) {
      if (this.#bytes[this.#at] === t.FLOAT_64) {
        // Straight into the array: on the way through #value it would be a number on the heap.
        this.#at++
        items[i] = this.#float()
      } else items[i] = this.#value(depth - 1)
    }
    return items
  }

  #map(n: number, depth: number): object {
    this.#enter(2 * n, depth)
    const properties: Record<string, unknown> = {}
    let isSparse = false
    for (let i = 0; i < n; i++) {
      const key = this.#key()
      if (!isSparse && isFar(key, n)) {
        isSparse = true
        makeSparse(properties)
      }
      properties[key] = this.#value(depth - 1)
    }
    return properties
  }

  #enter(values: number, depth: number): void {
    if (depth === 0) this.#refuse(`nested deeper than ${this.#depth}`)
    this.#left -= values
    if (this.#left < 0) this.#refuse('more values than msgpack({ maxValues })')
    if (values > this.#bytes.length - this.#at) this.#refuse('cut off')
  }

  #key(): string {
    const token = this.#byte()
    if (token >= t.FIXSTR && token < t.NIL) return this.#name(token & 0x1f)
    if (token >= t.STR && token <= t.STR + 2) return this.#name(this.#uint(1 << (token - t.STR)))
    const isInteger = token < t.FIXMAP || token >= t.NEGATIVE || (token >= t.UINT && token <= t.INT_64)
    if (!isInteger) this.#refuse('a key that is neither text nor an integer')
    this.#at--
    return String(this.#value(0))
  }

  #name(n: number): string {
    const from = this.#skip(n)
    const name = this.#keys.read(this.#bytes, from, this.#at) ?? this.#refuse(NO_TEXT)
    return name === '__proto__' ? this.#refuse('the key __proto__') : name
  }

  #text(n: number): string {
    const from = this.#skip(n)
    return readText(this.#bytes, from, this.#at) ?? this.#refuse(NO_TEXT)
  }

  /** A view: the message belongs to the receiver. */
  #binary(n: number): Uint8Array {
    const from = this.#skip(n)
    const { buffer, byteOffset } = this.#bytes
    return new Uint8Array(buffer, byteOffset + from, n)
  }

  #float(): number {
    const at = this.#skip(8)
    if (this.#view !== undefined) return this.#view.getFloat64(at)
    const bytes = this.#bytes
    if (++this.#floats === FEW) this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    desk.setInt32(0, int32(bytes, at))
    desk.setInt32(4, int32(bytes, at + 4))
    return desk.getFloat64(0)
  }

  #int64(token: number): number | bigint {
    this.#lay(8)
    const high = token === t.UINT_64 ? desk.getUint32(0) : desk.getInt32(0)
    const number = high * 2 ** 32 + desk.getUint32(4)
    // What lies just beyond is rounded to 2^53 itself.
    if (Math.abs(number) < 2 ** 53) return number
    const exact = token === t.UINT_64 ? desk.getBigUint64(0) : desk.getBigInt64(0)
    return exact === 2n ** 53n || exact === -(2n ** 53n) ? number : exact
  }

  /** Of `n` bytes, and before them the type of the extension. */
  #time(n: number): Date {
    if (this.#byte() !== t.TIMESTAMP) this.#refuse('an extension type')
    if (n > 12) this.#refuse(NO_TIME)
    this.#lay(n)
    return readTime(desk, n) ?? this.#refuse(NO_TIME)
  }

  #byte(): number {
    const at = this.#at
    if (at >= this.#bytes.length) this.#refuse('cut off')
    this.#at = at + 1
    return this.#bytes[at]!
  }

  #uint(width: number): number {
    const bytes = this.#bytes
    const at = this.#skip(width)
    if (width === 1) return bytes[at]!
    if (width === 2) return (bytes[at]! << 8) | bytes[at + 1]!
    return int32(bytes, at) >>> 0
  }

  /** Lays the next `n` bytes, 12 at the most, out for `desk`: a view of each message would take longer than it does. */
  #lay(n: number): void {
    const bytes = this.#bytes
    const from = this.#skip(n)
    for (let i = 0; i < n; i++) laid[i] = bytes[from + i]!
  }

  /** Where the next `n` bytes begin. */
  #skip(n: number): number {
    const from = this.#at
    if (n > this.#bytes.length - from) this.#refuse('cut off')
    this.#at = from + n
    return from
  }

  #refuse(what: string): never {
    return fail('BAD_MESSAGE', `MessagePack that is refused after ${this.#at} bytes: ${what}`)
  }
}

/** Whether it is the index of an item far beyond as many as there are to come. */
function isFar(key: string, n: number): boolean {
  const c = key.charCodeAt(0)
  return c >= ZERO && c <= NINE && Number(key) > 2 * n + 16
}

const [ZERO, NINE] = [0x30, 0x39]

/**
 * Else V8 makes room for all items before one of index 999: 12 KB for five bytes of a message. The last index there is
 * turns it to a table, which stays.
 */
function makeSparse(properties: Record<string, unknown>): void {
  const last = String(2 ** 32 - 2)
  properties[last] = 0
  Reflect.deleteProperty(properties, last)
}

const int32 = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!

const FEW = 10
const NOTHING: Uint8Array = new Uint8Array(0)
const NO_TEXT = 'text that is not UTF-8'
const NO_TIME = 'a timestamp that is no time'

const laid = new Uint8Array(12)
const desk = new DataView(laid.buffer)
