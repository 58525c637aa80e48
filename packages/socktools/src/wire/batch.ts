import { fail } from '../errors.ts'
import type { Framing } from './framing.ts'

/** Longer payloads are lent to the pipe instead of copied. */
export const COPY_MAX = 16 * 1024
/** Just below the MSS of the loopback interface (65,483): a full slab travels as one segment. */
export const SLAB = 60 * 1024

/** How much of long payloads is gathered for one write. */
const LENT = 512 * 1024

/** Spare slabs. Most writes are taken at once, so a few slabs serve thousands of connections. */
export class Slabs {
  readonly #spare: Uint8Array[] = []

  take(): Uint8Array {
    return this.#spare.pop() ?? new Uint8Array(SLAB)
  }

  give(slab: Uint8Array): void {
    if (slab.length === SLAB && this.#spare.length < 8) this.#spare.push(slab)
  }
}

/** Chunks in the order in which they are to be written, and what they amount to. */
export interface Cut {
  readonly chunks: readonly Uint8Array[]
  readonly bytes: number
  readonly messages: number
}

/**
 * Frames waiting to be written. Small ones are copied together into slabs; long payloads stand between the
 * slabs as they are.
 *
 * ```
 *   chunks: [ slab part │ long payload │ slab part ]   slab: [ written, cut │ open part │ room ]
 *                                                              from ────────▲           ▲──── to
 * ```
 */
export class Batch {
  /** Bytes waiting, frame overhead included, and the messages they make. */
  bytes = 0
  messages = 0
  readonly #framing: Framing
  readonly #slabs: Slabs
  #chunks: Uint8Array[] = []
  /** How many messages end in each chunk. */
  #counts: number[] = []
  #slab: Uint8Array | undefined
  #from = 0
  #to = 0
  /** Messages in the open part. */
  #open = 0
  /** How much of what waits stands where others put it. */
  #lent = 0

  constructor(framing: Framing, slabs: Slabs) {
    this.#framing = framing
    this.#slabs = slabs
  }

  /** Whether it is time to write, before a payload of `n` bytes is added: the slab is full, or much is lent. */
  ripe(n: number): boolean {
    if (this.#lent > LENT) return true
    return this.#slab !== undefined && this.#slab.length - this.#to < (n > COPY_MAX ? 0 : n) + SPARE
  }

  /** Adds one payload, with which so many messages end. Throws CANNOT_FRAME, and then nothing was added. */
  add(payload: Uint8Array, messages = 1): void {
    const framing = this.#framing
    if (payload.length > COPY_MAX && framing.around !== undefined) {
      this.#lend(payload, messages, framing.around)
    } else {
      const size = framing.size(payload.length)
      const slab = this.#room(size)
      const end = framing.write(slab, this.#to, payload)
      if (!(end >= this.#to && end <= this.#to + size)) wrongEnd(framing)
      this.bytes += end - this.#to
      this.#to = end
      this.#open += messages
    }
    this.messages += messages
  }

  #lend(payload: Uint8Array, messages: number, around: NonNullable<Framing['around']>): void {
    around.check?.(payload)
    const n = payload.length
    const edge = this.#framing.size(n) - n
    const slab = this.#room(edge)
    const start = this.#to
    // Both before anything counts as written: what throws has added nothing. They stand side by side in the slab, and
    // the cut between them is where the payload goes.
    const middle = around.before(slab, start, n)
    const end = around.after(slab, middle, n)
    if (!(start <= middle && middle <= end && end <= start + edge)) wrongEnd(this.#framing)
    this.#written(middle)
    this.#push(payload, 0)
    // A message counts with its last byte: that of the payload, unless something stands behind it.
    if (end > this.#to) this.#open += messages
    else this.#counts[this.#counts.length - 1] = messages
    this.#written(end)
  }

  #written(end: number): void {
    this.bytes += end - this.#to
    this.#to = end
  }

  /** A slab with room for `size` bytes from `#to` on. */
  #room(size: number): Uint8Array {
    if (this.#slab === undefined || this.#slab.length - this.#to < size) {
      this.#close()
      this.#slab = size > SLAB ? new Uint8Array(size) : this.#slabs.take()
      this.#from = this.#to = 0
    }
    return this.#slab
  }

  /** Adds bytes that stand framed already, uncopied. */
  append(cut: Cut): void {
    const last = cut.chunks.length - 1
    for (const [i, chunk] of cut.chunks.entries()) this.#push(chunk, i === last ? cut.messages : 0)
    this.messages += cut.messages
  }

  #push(chunk: Uint8Array, messages: number): void {
    this.#close()
    this.#chunks.push(chunk)
    this.#counts.push(messages)
    this.bytes += chunk.length
    this.#lent += chunk.length
  }

  /** The open part of the slab becomes a chunk; what follows it stays in use. */
  #close(): void {
    if (this.#slab === undefined || this.#from === this.#to) return
    this.#counts.push(this.#open)
    this.#chunks.push(this.#cut(this.#slab))
  }

  #cut(slab: Uint8Array): Uint8Array {
    const part = new Uint8Array(slab.buffer, slab.byteOffset + this.#from, this.#to - this.#from)
    this.#open = 0
    this.#from = this.#to
    return part
  }

  /** Takes chunks off the front: all of them, or as many as reach `limit` bytes. */
  take(limit = Infinity): Cut {
    // The usual case, and worth its lines: one message, or one slab of small ones.
    if (this.#chunks.length === 0 && this.#slab !== undefined) {
      const { bytes, messages } = this
      this.bytes = this.messages = 0
      return { chunks: [this.#cut(this.#slab)], bytes, messages }
    }
    this.#close()
    let n = 0
    let bytes = 0
    let messages = 0
    for (; n < this.#chunks.length && bytes < limit; n++) {
      bytes += this.#chunks[n]?.length ?? 0
      messages += this.#counts[n] ?? 0
    }
    const all = n === this.#chunks.length
    const chunks = all ? this.#chunks : this.#chunks.splice(0, n)
    if (all) this.#chunks = []
    if (all) this.#counts = []
    else this.#counts.splice(0, n)
    this.#lent = all ? 0 : Math.max(0, this.#lent - bytes)
    this.bytes -= bytes
    this.messages -= messages
    return { chunks, bytes, messages }
  }

  /** What stands here beyond the first `bytes` bytes and `messages` messages; it stays. */
  since(bytes: number, messages: number): Cut {
    this.#close()
    const chunks: Uint8Array[] = []
    let skip = bytes
    for (const chunk of this.#chunks) {
      if (skip < chunk.length) chunks.push(skip > 0 ? chunk.subarray(skip) : chunk)
      skip = Math.max(0, skip - chunk.length)
    }
    return { chunks, bytes: this.bytes - bytes, messages: this.messages - messages }
  }

  /** All that was taken has left: its slab may be written over. */
  rewind(): void {
    if (this.#slab === undefined || this.bytes > 0) return
    this.#slabs.give(this.#slab)
    this.#slab = undefined
  }
}

/** Whoever wrote it, memory that others will be written to must not be counted as its own. */
function wrongEnd(framing: Framing): never {
  return fail('CANNOT_FRAME', `${framing.name}() wrote more or less than its size() said`)
}

/** At least what any framing here puts around a payload: `ripe` is a hint, `add` makes sure. */
const SPARE = 40
