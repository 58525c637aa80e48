import { fail, needKnown } from '../errors.ts'
import { foreignProtocol } from './foreign.ts'
import type { Decoder, Framing } from './framing.ts'
import { Held } from './held.ts'
import {
  type LengthHeader,
  type LengthOptions,
  lengthHeader,
  readU32,
  U32,
  writeU32,
} from './length-header.ts'

export interface LengthPrefixedOptions extends LengthOptions {
  /** The longest payload in bytes, from 0. Default: all that the header can say. */
  readonly max?: number
}

/**
 * The payload's length, then the payload: the seed's wire, a u32 in big endian, unless the options say otherwise.
 * See PROTOCOL.md.
 */
export function lengthPrefixed(options: LengthPrefixedOptions = {}): Framing {
  needKnown(options, ['length', 'endian', 'inclusive', 'max'], 'lengthPrefixed()')
  const header = lengthHeader(options)
  const { max = header.max } = options
  if (!Number.isInteger(max) || max < 0 || max > header.max) {
    fail('BAD_OPTION', `lengthPrefixed({ max }) takes 0 to ${header.max} bytes with this header, not ${max}`)
  }
  return {
    name: 'lengthPrefixed',
    max,
    ...(header === U32 ? plain : general(header)),
    around: { before: (into, at, n) => header.write(into, at, n), after: (_into, at) => at },
    decoder: (onFrame, limit) => new LengthPrefixedDecoder(header, onFrame, Math.min(limit, max)),
  }
}

/** The default's own, so that no other header's use in the process makes it slower. */
const plain: Pick<Framing, 'size' | 'write'> = {
  size: (n) => 4 + n,
  write(into, at, payload) {
    const start = writeU32(into, at, payload.length)
    into.set(payload, start)
    return start + payload.length
  },
}

function general(header: LengthHeader): Pick<Framing, 'size' | 'write'> {
  return {
    size: (n) => header.size(n) + n,
    write(into, at, payload) {
      const start = header.write(into, at, payload.length)
      into.set(payload, start)
      return start + payload.length
    },
  }
}

/**
 * ```
 *            header, n ≤ max              n bytes
 *   HEADER ───────────────────▶ BODY ───────────────▶ onFrame, HEADER
 *      │ n > max, or no length at all: refused before any of the body is read or any memory taken for it
 * ```
 */
class LengthPrefixedDecoder implements Decoder {
  readonly #header: LengthHeader
  readonly #onFrame: (payload: Uint8Array) => void
  readonly #max: number
  readonly #head: Uint8Array
  readonly #held = new Held()
  #headLength = 0
  /** Payload length once the header is whole, else -1. */
  #size = -1
  #stopped = false
  #virgin = true

  constructor(header: LengthHeader, onFrame: (payload: Uint8Array) => void, max: number) {
    this.#header = header
    this.#onFrame = onFrame
    this.#max = max
    this.#head = new Uint8Array(header.width)
  }

  get partial(): number {
    return this.#headLength + this.#held.length
  }

  stop(): void {
    this.#stopped = true
  }

  push(chunk: Uint8Array): void {
    let at = this.partial === 0 ? 0 : this.#finishPartial(chunk)
    at = this.#header === U32 ? this.#wholeU32(chunk, at) : this.#whole(chunk, at)
    if (!this.#stopped && at < chunk.length) this.#hold(chunk, at)
  }

  /** Hands out the whole frames from `from` on; returns where the one begins that is not whole. */
  #wholeU32(chunk: Uint8Array, from: number): number {
    const end = chunk.length
    const { buffer, byteOffset } = chunk
    let at = from
    while (!this.#stopped && end - at >= 4) {
      const n = readU32(chunk, at)
      if (n > this.#max) this.#refuse(chunk.subarray(at), 4, n)
      const start = at + 4
      if (end - start < n) break
      at = start + n
      this.#virgin = false
      this.#onFrame(new Uint8Array(buffer, byteOffset + start, n))
    }
    return at
  }

  /** The same for any header. */
  #whole(chunk: Uint8Array, from: number): number {
    const end = chunk.length
    const { buffer, byteOffset } = chunk
    let at = from
    while (!this.#stopped) {
      const span = this.#header.span(chunk, at, end)
      if (span === 0) break
      const n = this.#header.read(chunk, at)
      if (!(n <= this.#max)) this.#refuse(chunk.subarray(at), span, n)
      const start = at + span
      if (end - start < n) break
      at = start + n
      this.#virgin = false
      this.#onFrame(new Uint8Array(buffer, byteOffset + start, n))
    }
    return at
  }

  /** Completes the frame that began in an earlier chunk, as far as this one goes; returns where to go on. */
  #finishPartial(chunk: Uint8Array): number {
    const end = chunk.length
    const at = this.#gatherHeader(chunk, 0)
    if (this.#size < 0) return at
    const missing = this.#size - this.#held.length
    if (end - at < missing) {
      this.#held.add(chunk, at, end, missing)
      return end
    }
    const payload = this.#held.take(chunk, at, at + missing)
    this.#headLength = 0
    this.#size = -1
    this.#virgin = false
    if (!this.#stopped) this.#onFrame(payload)
    return at + missing
  }

  #hold(chunk: Uint8Array, from: number): void {
    const at = this.#gatherHeader(chunk, from)
    if (this.#size >= 0) this.#held.add(chunk, at, chunk.length, this.#size)
  }

  /** Takes the header byte by byte, since only the header knows where it ends; returns where to go on. */
  #gatherHeader(chunk: Uint8Array, from: number): number {
    let at = from
    while (this.#size < 0 && at < chunk.length) {
      this.#head[this.#headLength++] = chunk[at++] ?? 0
      if (this.#header.span(this.#head, 0, this.#headLength) === 0) continue
      const n = this.#header.read(this.#head, 0)
      if (!(n <= this.#max)) this.#refuse(this.#head.subarray(0, this.#headLength), this.#headLength, n)
      this.#size = n
    }
    return at
  }

  /** `bytes` begin with the header, of `span` bytes, that says `n`; what follows it may help to name who speaks. */
  #refuse(bytes: Uint8Array, span: number, n: number): never {
    this.#stopped = true
    // Fewer than four bytes tell too little of anybody.
    const protocol = this.#virgin && span >= 4 ? foreignProtocol(bytes.subarray(0, 16)) : undefined
    if (protocol !== undefined)
      fail('FOREIGN_PROTOCOL', `this looks like ${protocol}, not a length-prefixed frame`)
    if (Number.isNaN(n)) fail('BAD_FRAME', `no length is written as ${hex(bytes.subarray(0, span))}`)
    return fail(
      'FRAME_TOO_LARGE',
      `a frame of ${n} bytes was announced, and ${this.#max} is the most taken here`,
    )
  }
}

const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ')
