import { readU32, writeU32 } from '../length-header.ts'
import { COPY_MAX } from '../batch.ts'
import { EVENT, HEADER, ITEM, MORE, readU64, type TakeFrame, writeHeader } from './frame.ts'

/** A record: the bytes of the body, the header with an ack of 0, then the body, unless that is lent. */
const RECORD = 4 + HEADER
const SMALLEST = 1024
const LARGEST = 64 * 1024

/** Spare blocks of each size that are kept. */
const SPARE = 16

/** Memory for what is retained, shared by all who retain: most of it is free again before the next turn. */
export class Blocks {
  readonly #spare = new Map<number, Uint8Array[]>()

  take(size: number): Uint8Array {
    return this.#spare.get(size)?.pop() ?? new Uint8Array(size)
  }

  give(block: Uint8Array): void {
    let spare = this.#spare.get(block.length)
    if (spare === undefined) this.#spare.set(block.length, (spare = []))
    if (spare.length < SPARE) spare.push(block)
  }
}

/** One block, filled from its beginning. */
interface Part {
  readonly block: Uint8Array
  /** Where the next record goes. */
  end: number
  /** The seq of its last record. */
  last: number
  /** Bodies of its records that are lent, in their order. */
  readonly lent: Uint8Array[]
  /** Bytes of its records, bodies that are lent included. */
  bytes: number
}

/**
 * The sequenced frames that the far side has not acknowledged, in the order of their seq, to be sent again after a
 * new pipe has taken over.
 *
 * ```
 *   write ──▶ add ──▶ part, part, part ──▶ acked: whole parts are freed
 *                          ▲ rewind ── next, next …: sent again, from the first that was not acked
 * ```
 *
 * Short bodies are copied; one above COPY_MAX is lent until it is acknowledged.
 */
export class Retained {
  /** What is kept, headers included; a part is freed as a whole. */
  bytes = 0
  readonly #blocks: Blocks
  #parts: Part[] = []
  /** The parts before it are freed. */
  #first = 0
  #acked = 0
  /** What is sent again next: a part, a place in it, and how many of its lent bodies stand before that. */
  #part = Infinity
  #at = 0
  #lent = 0

  constructor(blocks: Blocks) {
    this.#blocks = blocks
  }

  /** Some of it is still to be sent again; nothing new may be written before that. */
  get replaying(): boolean {
    return this.#part < this.#parts.length
  }

  /** Keeps a frame that is written now. */
  readonly add: TakeFrame = (kind, flags, type, lane, seq, body, deadline) => {
    const prefix = deadline < 0 ? 0 : 4
    const n = prefix + body.length
    const lent = n > COPY_MAX
    const size = RECORD + (lent ? 0 : n)
    const part = this.#room(size)
    const { block } = part
    let at = writeU32(block, part.end, n)
    at = writeHeader(block, at, kind, flags, type, lane, seq, 0)
    if (lent) part.lent.push(prefix === 0 ? body : withDeadline(deadline, body))
    else {
      if (prefix > 0) at = writeU32(block, at, deadline)
      block.set(body, at)
    }
    part.end += size
    part.last = seq
    part.bytes += RECORD + n
    this.bytes += RECORD + n
  }

  #room(size: number): Part {
    const last = this.#parts[this.#parts.length - 1]
    if (last !== undefined && last.block.length - last.end >= size) return last
    // As long as what there is already: who has little in flight keeps little.
    let length = SMALLEST
    while (length < LARGEST && (length < size || length < this.bytes)) length *= 2
    const part = { block: this.#blocks.take(length), end: 0, last: 0, lent: [], bytes: 0 }
    this.#parts.push(part)
    return part
  }

  /** The far side has everything up to `seq`. */
  acked(seq: number): void {
    this.#acked = seq
    for (let part = this.#parts[this.#first]; part !== undefined && part.last <= seq; ) {
      this.bytes -= part.bytes
      this.#blocks.give(part.block)
      this.#parts[this.#first++] = FREED
      part = this.#parts[this.#first]
    }
    if (this.#first === this.#parts.length) {
      this.#parts.length = this.#first = 0
      this.#part = Infinity
    } else if (this.#first > 32 && this.#first > this.#parts.length / 2) {
      this.#parts = this.#parts.slice(this.#first)
      this.#part = Math.max(this.#part - this.#first, -1)
      this.#first = 0
    }
    if (this.#part < this.#first) {
      this.#part = this.#first
      this.#at = this.#lent = 0
    }
  }

  /** A new pipe has taken over: what was not acknowledged is sent again from its beginning. */
  rewind(): void {
    // With nothing to send again, what is added next is not to be sent again either.
    this.#part = this.#parts.length === 0 ? Infinity : this.#first
    this.#at = this.#lent = 0
  }

  /** Hands out the next frame that is to be sent again, a deadline as part of its body; false: there is none left. */
  next(again: TakeFrame): boolean {
    for (;;) {
      const part = this.#parts[this.#part]
      if (part === undefined) {
        this.#part = Infinity
        return false
      }
      if (this.#at >= part.end) {
        this.#part++
        this.#at = this.#lent = 0
        continue
      }
      const { block } = part
      const n = readU32(block, this.#at)
      const at = this.#at + 4
      const lent = n > COPY_MAX
      const body = lent
        ? (part.lent[this.#lent++] as Uint8Array)
        : block.subarray(at + HEADER, at + HEADER + n)
      this.#at = at + HEADER + (lent ? 0 : n)
      const seq = readU64(block, at + 8)
      if (seq <= this.#acked) continue
      const type = ((block[at + 2] ?? 0) << 8) | (block[at + 3] ?? 0)
      again(block[at] ?? 0, block[at + 1] ?? 0, type, readU32(block, at + 4), seq, body, -1)
      return true
    }
  }

  /** Messages of the application among what is kept: how many of them were written whole. */
  get messages(): number {
    return this.#left(ITEM).messages
  }

  /** The same of events alone; `bytes`: of all their frames, headers not counted. */
  get events(): { readonly messages: number; readonly bytes: number } {
    return this.#left(EVENT)
  }

  /** Of what was not acknowledged, of kinds from EVENT up to this one. */
  #left(last: number): { messages: number; bytes: number } {
    const left = { messages: 0, bytes: 0 }
    for (const { block, end } of this.#parts.slice(this.#first)) {
      for (let at = 0; at < end; ) {
        const n = readU32(block, at)
        const [kind = 0, flags = 0] = block.subarray(at + 4)
        if (kind <= last && readU64(block, at + 12) > this.#acked) {
          if ((flags & MORE) === 0) left.messages++
          left.bytes += n
        }
        at += RECORD + (n > COPY_MAX ? 0 : n)
      }
    }
    return left
  }

  /** Another one in the same state, in blocks of its own. */
  clone(): Retained {
    const other = new Retained(this.#blocks)
    other.bytes = this.bytes
    other.#first = 0
    other.#acked = this.#acked
    other.#part = this.#part - this.#first
    other.#at = this.#at
    other.#lent = this.#lent
    other.#parts = this.#parts
      .slice(this.#first)
      .map((part) => ({ ...part, block: part.block.slice(), lent: [...part.lent] }))
    return other
  }

  /** Two with the same key, and with the same bodies lent to them, behave alike from here on. */
  key(): string {
    const at = this.replaying ? `${this.#part - this.#first}+${this.#at}` : '-'
    const parts = this.#parts
      .slice(this.#first)
      .map(({ block, end }) => `${block.length}:${block.subarray(0, end).join()}`)
    return [this.#acked, at, ...parts].join(' ')
  }

  /** The session is over: nothing is sent again. */
  clear(): void {
    for (const part of this.#parts.slice(this.#first)) this.#blocks.give(part.block)
    this.#parts = []
    this.#first = this.bytes = 0
    this.#part = Infinity
  }
}

const FREED: Part = { block: new Uint8Array(0), end: 0, last: 0, lent: [], bytes: 0 }

function withDeadline(deadline: number, body: Uint8Array): Uint8Array {
  const whole = new Uint8Array(4 + body.length)
  whole.set(body, writeU32(whole, 0, deadline))
  return whole
}
