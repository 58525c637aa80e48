import { fail } from '../errors.ts'
import { foreignProtocol } from './foreign.ts'
import type { Decoder, Framing } from './framing.ts'
import { Held } from './held.ts'

const HEADER = 4
const MAX_U32 = 0xffff_ffff

export interface LengthPrefixedOptions {
  /** The longest payload in bytes, 0 to 4,294,967,295 (the default: what the header can say). */
  readonly max?: number
}

/** The seed's wire: the payload's length as a u32 in big endian, then the payload. See PROTOCOL.md. */
export function lengthPrefixed({ max = MAX_U32 }: LengthPrefixedOptions = {}): Framing {
  if (!Number.isInteger(max) || max < 0 || max > MAX_U32) {
    fail('BAD_OPTION', `lengthPrefixed({ max }) takes 0 to ${MAX_U32} bytes, not ${max}`)
  }
  return {
    name: 'lengthPrefixed',
    max,
    size: (n) => HEADER + n,
    write(into, at, payload) {
      const n = payload.length
      writeHeader(into, at, n)
      into.set(payload, at + HEADER)
      return at + HEADER + n
    },
    around: { before: writeHeader, after: (_into, at) => at },
    decoder: (onFrame, limit) => new LengthPrefixedDecoder(onFrame, Math.min(limit, max)),
  }
}

function writeHeader(into: Uint8Array, at: number, n: number): number {
  into[at] = n >>> 24
  into[at + 1] = n >>> 16
  into[at + 2] = n >>> 8
  into[at + 3] = n
  return at + HEADER
}

/**
 * ```
 *            4 bytes, n ≤ max             n bytes
 *   HEADER ───────────────────▶ BODY ───────────────▶ onFrame, HEADER
 *      │ n > max: refused before any of the body is read or any memory taken for it
 * ```
 */
class LengthPrefixedDecoder implements Decoder {
  readonly #onFrame: (payload: Uint8Array) => void
  readonly #max: number
  readonly #head = new Uint8Array(HEADER)
  readonly #held = new Held()
  #headLength = 0
  /** Payload length once the header is whole, else -1. */
  #size = -1
  #stopped = false
  #virgin = true

  constructor(onFrame: (payload: Uint8Array) => void, max: number) {
    this.#onFrame = onFrame
    this.#max = max
  }

  get partial(): number {
    return this.#headLength + this.#held.length
  }

  stop(): void {
    this.#stopped = true
  }

  push(chunk: Uint8Array): void {
    const end = chunk.length
    const { buffer, byteOffset } = chunk
    let at = this.partial === 0 ? 0 : this.#finishPartial(chunk)
    while (!this.#stopped && end - at >= HEADER) {
      const n = readHeader(chunk, at)
      if (n > this.#max) this.#refuse(chunk, at, n)
      const start = at + HEADER
      if (end - start < n) break
      at = start + n
      this.#virgin = false
      this.#onFrame(new Uint8Array(buffer, byteOffset + start, n))
    }
    if (!this.#stopped && at < end) this.#hold(chunk, at)
  }

  /** Completes the frame that began in an earlier chunk, as far as this one goes; returns where to go on. */
  #finishPartial(chunk: Uint8Array): number {
    const end = chunk.length
    let at = 0
    if (this.#size < 0) {
      while (at < end && this.#headLength < HEADER) this.#head[this.#headLength++] = chunk[at++] ?? 0
      if (this.#headLength < HEADER) return at
      this.#readHeld()
    }
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
    let at = from
    while (at < chunk.length && this.#headLength < HEADER) this.#head[this.#headLength++] = chunk[at++] ?? 0
    if (this.#headLength < HEADER) return
    this.#readHeld()
    this.#held.add(chunk, at, chunk.length, this.#size)
  }

  #readHeld(): void {
    this.#size = readHeader(this.#head, 0)
    if (this.#size > this.#max) this.#refuse(this.#head, 0, this.#size)
  }

  #refuse(bytes: Uint8Array, at: number, n: number): never {
    this.#stopped = true
    const protocol = this.#virgin ? foreignProtocol(bytes.subarray(at, at + 16)) : undefined
    if (protocol !== undefined)
      fail('FOREIGN_PROTOCOL', `this looks like ${protocol}, not a length-prefixed frame`)
    return fail(
      'FRAME_TOO_LARGE',
      `a frame of ${n} bytes was announced, and ${this.#max} is the most taken here`,
    )
  }
}

function readHeader(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] ?? 0) << 24) |
      ((bytes[at + 1] ?? 0) << 16) |
      ((bytes[at + 2] ?? 0) << 8) |
      (bytes[at + 3] ?? 0)) >>>
    0
  )
}
