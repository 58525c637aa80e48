/** The codec `msgpack()`, as `socktools/msgpack`. Needs the package `msgpackr`; see PROTOCOL.md for the bytes. */
// Not 'msgpackr' itself, which would load native code where it finds some.
import { Packr } from 'msgpackr/pack'
import { fail, reasonOf } from '../errors.ts'
import { type Codec, messageOf, needType } from '../wire/codec.ts'
import { cannotSend, type Fault, faultIn, isBytes, MAX_DEPTH, type Rules } from '../wire/plain-data.ts'
import { markedTwice, SHORT } from './msgpack-marks.ts'
import { Scan, type ScanLimits } from './msgpack-scan.ts'

export interface MsgpackOptions {
  /**
   * The most values in a message, sent or received: each number, text, array, key … is one. A value can be a single
   * byte on the wire, and costs many times that in memory and time. Bytes count as one value, however many they
   * are. Default 262,144.
   */
  readonly maxValues?: number
}

/**
 * The seed's `[type, data]` as MessagePack. Beside what JSON can say, `data` may hold bytes (Uint8Array), bigints of 64
 * bits and Dates. It arrives unchecked: `msgpack<T>()` asserts its shape, it does not test it.
 *
 * Integers arrive as numbers up to 2^53, beyond that as bigints, whichever they were. A property that is undefined is
 * left out, undefined elsewhere arrives as null, -0 as 0, an object of a class as a plain one. Received bytes are
 * views of the payload. What would be lost or altered otherwise is CANNOT_ENCODE.
 */
export function msgpack<T = unknown>({ maxValues = 262_144 }: MsgpackOptions = {}): Codec<T, T> {
  if (!(maxValues > 0))
    fail('BAD_OPTION', `msgpack({ maxValues }) takes a number from 1 up, not ${maxValues}`)
  // Each is a value, and an array or object that is an item or property is counted as both.
  const rules: Rules = { ...RULES, most: 2 * maxValues, tooMuch: 'more values than msgpack({ maxValues })' }
  const limits: ScanLimits = { depth: MAX_DEPTH, values: maxValues }
  const limitsOfData: ScanLimits = { ...limits, depth: MAX_DEPTH - 1 }
  const packr = new (Packr as new (options: object) => Packer)(OPTIONS)
  const drops = dropsMarks(packr)
  // It hangs a DataView on whatever it reads, which takes longer than to copy a short message to where one hangs already.
  const desk = new Uint8Array(DESK)

  /** `data`, or `pair` around it, which is then what is written. */
  function write(data: unknown, pair?: readonly unknown[]): Uint8Array {
    let fault: Fault | undefined
    let payload = NOTHING
    try {
      fault = faultIn(pair?.[0], rules) ?? faultIn(data, rules)
      if (fault === undefined) payload = packr.pack(pair ?? data)
    } catch (thrown) {
      return fail('CANNOT_ENCODE', `msgpack() cannot write this message: ${reasonOf(thrown)}`, {
        cause: thrown,
      })
    }
    if (fault !== undefined) fail('CANNOT_ENCODE', cannotSend('msgpack', fault))
    // The far side would only refuse it.
    new Scan(payload, 'CANNOT_ENCODE', pair ? limits : limitsOfData).run()
    return payload
  }

  function read(payload: Uint8Array, limits: ScanLimits): unknown {
    const scan = new Scan(payload, 'BAD_MESSAGE', limits)
    scan.run()
    const { marked } = scan
    try {
      if (drops && marked.length > 0) return packr.unpack(markedTwice(payload, marked))
      const { length } = payload
      if (length > desk.length || scan.binary) return packr.unpack(payload)
      desk.set(payload)
      return packr.unpack(desk, length)
    } catch (thrown) {
      return fail('BAD_MESSAGE', `not MessagePack: ${reasonOf(thrown)}`, { cause: thrown })
    }
  }

  return {
    name: 'msgpack',
    encode(type, data) {
      needType(type, 'CANNOT_ENCODE')
      return write(data, [type, data])
    },
    decode: (payload) => messageOf(read(payload, limits)),
    values: {
      encode: (data) => (data === undefined ? NOTHING : write(data)),
      decode: (body) => (body.length === 0 ? undefined : read(body, limitsOfData)) as T,
    },
  }
}

/** Whether U+FEFF at the beginning of long text is lost, as it is in msgpackr 2.1; another version may keep it. */
function dropsMarks(packr: Packer): boolean {
  const text = `\ufeff${'x'.repeat(SHORT)}`
  return packr.unpack(packr.pack(text)) !== text
}

/** What is used of a Packr: the types of this entry of the package lead nowhere. */
interface Packer {
  pack(value: unknown): Uint8Array
  /** `end`: how many of its bytes are the message; absent: all. */
  unpack(payload: Uint8Array, end?: number): unknown
}

/** Plain MessagePack: nothing of msgpackr's own that others would not read. */
const OPTIONS: object = {
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
  skipValues: [undefined],
  encodeUndefinedAsNil: true,
  int64AsType: 'auto',
  useToJSON: false,
  moreTypes: false,
  structuredClone: false,
}

/** Bytes of the messages that are read from a copy. */
const DESK = 512

const NOTHING: Uint8Array = new Uint8Array(0)

const RULES: Omit<Rules, 'most' | 'tooMuch'> = {
  // One more is the pair around it.
  depth: MAX_DEPTH - 1,
  asJSON: false,
  // Else some of it would become U+FFFD without a word.
  wellFormed: true,
  judge(value) {
    if (typeof value === 'bigint') {
      return value >= -(2n ** 63n) && value < 2n ** 64n ? 'fine' : { what: 'a bigint of more than 64 bits' }
    }
    if (value instanceof Uint8Array) return 'fine'
    if (isBytes(value)) return { what: 'memory', instead: 'send a Uint8Array of it' }
    if (isDate(value)) return Number.isNaN(value.getTime()) ? { what: 'an invalid Date' } : 'fine'
    if ('toJSON' in value) return { what: 'what has a toJSON', instead: 'send what that answers' }
    return 'inside'
  },
}

/** By its tag: the name Date is the platform's, since it is the clock as well. */
const isDate = (value: object): value is { getTime(): number } =>
  Object.prototype.toString.call(value) === '[object Date]'
