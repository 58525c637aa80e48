import { type Fault, isBytes, isPlain, MAX_DEPTH, refusedOfClass, stepOf } from '../plain-data.ts'
import { putBigint, putBytes, putCount, putNumber, putText } from './put.ts'
import { Slab } from './slab.ts'
import { putTime } from './time.ts'
import * as t from './tokens.ts'

/**
 * Writes one message in one pass, each value in its shortest form, and judges it meanwhile: what is refused here would be
 * lost or altered, or refused at the far side. What getters of the data throw it lets through. They may want to write,
 * too, for which there is to be another writer.
 */
export class Writer {
  readonly #slab = new Slab()
  /** Values that may still come. */
  #left = 0
  /** Something has put properties into every object. */
  #isHaunted = false

  /** Writes `data`, or with a type the pair of both. Returns the first thing in it that it refuses. */
  write(data: unknown, maxValues: number, type?: string | number): Fault | undefined {
    this.#slab.begin()
    this.#left = maxValues
    this.#isHaunted = hasAny(Object.prototype)
    if (type !== undefined) {
      if ((this.#left -= 2) < 0) return TOO_MUCH
      this.#token(t.FIXARRAY + 2)
      const fault = this.#value(type, 0)
      if (fault !== undefined) return fault
    }
    return this.#value(data, DEPTH)
  }

  /** What was written. */
  take(): Uint8Array {
    return this.#slab.take()
  }

  /** After every message: it may have grown to any length before it was refused. */
  end(): void {
    this.#slab.end()
  }

  #value(data: unknown, depth: number): Fault | undefined {
    switch (typeof data) {
      case 'string':
        return putText(this.#slab, data) ? undefined : HALF
      case 'number':
        putNumber(this.#slab, data)
        return undefined
      case 'object':
        if (data !== null) return this.#object(data, depth)
        this.#token(t.NIL)
        return undefined
      case 'boolean':
        this.#token(data ? t.TRUE : t.FALSE)
        return undefined
      case 'undefined':
        this.#token(t.NIL)
        return undefined
      case 'bigint':
        if (data < -(2n ** 63n) || data >= 2n ** 64n) return TOO_LARGE
        putBigint(this.#slab, data)
        return undefined
      default:
        return faultOf(`a ${typeof data}`)
    }
  }

  #object(value: object, depth: number): Fault | undefined {
    if (Array.isArray(value)) return this.#array(value, depth)
    if (isPlain(value)) return this.#properties(value as Properties, depth, this.#isHaunted)
    if (value instanceof Uint8Array) {
      putBytes(this.#slab, value)
      return undefined
    }
    if (isBytes(value)) return MEMORY
    if (isDate(value)) return putTime(this.#slab, value.getTime()) ? undefined : NO_DATE
    if ('toJSON' in value) return TO_JSON
    const refusal = refusedOfClass(value)
    if (refusal !== undefined) return { ...refusal, path: '' }
    return this.#properties(value as Properties, depth, true)
  }

  #array(items: readonly unknown[], depth: number): Fault | undefined {
    if (depth === 0) return TOO_DEEP
    const { length } = items
    if ((this.#left -= length) < 0) return TOO_MUCH
    putCount(this.#slab, t.FIXARRAY, t.ARRAY, length)
    for (let i = 0; i < length; i++) {
      const item = items[i]
      if (typeof item === 'number') putNumber(this.#slab, item)
      else {
        const fault = this.#value(item, depth - 1)
        if (fault !== undefined) return within(`[${i}]`, fault)
      }
    }
    return undefined
  }

  /** `inherits`: some of what shows may not be its own. */
  #properties(value: Properties, depth: number, inherits: boolean): Fault | undefined {
    if (depth === 0) return TOO_DEEP
    const slab = this.#slab
    slab.room(1)
    /** Where the count is to be, in a memory that may be another by then. */
    const offset = slab.at++ - slab.start
    let n = 0
    // The fastest way through an object, but it does not tell how many there are to come.
    for (const key in value) {
      if (inherits && !Object.hasOwn(value, key)) continue
      const item = value[key]
      if (item === undefined) continue
      if (key === '__proto__') return PROTO
      if ((this.#left -= 2) < 0) return TOO_MUCH
      n++
      if (!putText(slab, key)) return HALF_KEY
      if (typeof item === 'number') putNumber(slab, item)
      else {
        const fault = this.#value(item, depth - 1)
        if (fault !== undefined) return within(stepOf(key), fault)
      }
    }
    if (n < 16) slab.bytes[slab.start + offset] = t.FIXMAP + n
    else this.#count(offset, n)
    return undefined
  }

  /** A count that takes more than the one byte that was left for it. */
  #count(offset: number, n: number): void {
    const slab = this.#slab
    const more = n < 2 ** 16 ? 2 : 4
    slab.room(more)
    const at = slab.start + offset
    slab.bytes.copyWithin(at + 1 + more, at + 1, slab.at)
    const end = slab.at + more
    slab.at = at
    putCount(slab, t.FIXMAP, t.MAP, n)
    slab.at = end
  }

  #token(token: number): void {
    const slab = this.#slab
    slab.room(1)[slab.at++] = token
  }
}

type Properties = Readonly<Record<string, unknown>>

/** One more is the pair around it. */
const DEPTH = MAX_DEPTH - 1

const faultOf = (what: string, instead?: string): Fault =>
  instead === undefined ? { what, path: '' } : { what, instead, path: '' }

const HALF = faultOf('half a surrogate pair')
const HALF_KEY = faultOf('half a surrogate pair in a key')
const PROTO = faultOf('the key __proto__')
const TOO_LARGE = faultOf('a bigint of more than 64 bits')
const TOO_DEEP = faultOf(`what nests deeper than ${DEPTH}, or in a circle,`)
const TOO_MUCH = faultOf('more values than msgpack({ maxValues })')
const MEMORY = faultOf('memory', 'send a Uint8Array of it')
const NO_DATE = faultOf('an invalid Date')
const TO_JSON = faultOf('what has a toJSON', 'send what that answers')

/** What is too much as a whole is so nowhere. */
const within = (step: string, fault: Fault): Fault =>
  fault === TOO_MUCH ? fault : { ...fault, path: step + fault.path }

/** By its tag: the name Date is the platform's, since it is the clock as well. */
const isDate = (value: object): value is { getTime(): number } =>
  Object.prototype.toString.call(value) === '[object Date]'

function hasAny(value: object): boolean {
  for (const _ in value) return true
  return false
}
