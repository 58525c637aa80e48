/** Segments written by hand: what a store may find, well made or not. */
import { crc32 } from 'node:zlib'
import { type Head, writeHead } from '../../src/store/head.ts'
import { addAppend, addCursor, addSettle } from '../../src/store/payloads.ts'
import { addMark, Batch } from '../../src/store/record.ts'
import { segmentName } from '../../src/store/recover.ts'
import { SimDisk } from '../../src/testing/index.ts'
import { DIR, xoshiro128 } from '../support/store.ts'

export const ID = 'a1'.repeat(16)
export const saltOf = (number: number): number => 0xbad00000 + number
export const nameOf = (number: number): string => `${DIR}/${segmentName(number)}`
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** One segment, record by record. */
export class Written {
  readonly number: number
  readonly #head: Uint8Array
  readonly #batch = new Batch(crc32)

  constructor(number: number, head: Partial<Head> = {}) {
    this.number = number
    const empty = { id: ID, number, salt: saltOf(number), segments: [], cursors: [], peers: [] }
    this.#head = writeHead({ ...empty, ...head }, crc32)
  }

  get end(): number {
    return this.#head.length + this.#batch.length
  }

  get content(): Uint8Array {
    return Uint8Array.from([...this.#head, ...this.#batch.bytes])
  }

  mark(): this {
    addMark(this.#batch, this.end, saltOf(this.number))
    return this
  }

  /** Gives where it is. */
  append(peer: string, n: number, text: string, at = n): { offset: number; bytes: number } {
    const offset = this.end
    addAppend(this.#batch, n, at, bytes(peer), bytes('say'), bytes(text), saltOf(this.number))
    return { offset, bytes: this.end - offset }
  }

  settle(peer: string, from: number, to: number): this {
    addSettle(this.#batch, bytes(peer), from, to, saltOf(this.number))
    return this
  }

  cursor(id: string, n: number): this {
    addCursor(this.#batch, id, n, saltOf(this.number))
    return this
  }

  /** A record whose check is right, whatever it says. */
  raw(type: number, n: number, payload: Uint8Array): this {
    const at = this.#batch.begin(type, n, payload.length)
    this.#batch.memory.set(payload, at)
    this.#batch.end(saltOf(this.number))
    return this
  }
}

export const newDisk = (options: { capacity?: number } = {}): SimDisk =>
  new SimDisk({ random: xoshiro128(1), wallClock: () => 1e12, ...options })

/** A disk with these, and behind the content of the last one what `after` is. */
export function diskWith(segments: readonly Written[], after: Uint8Array = new Uint8Array(0)): SimDisk {
  const disk = newDisk()
  for (const one of segments) {
    const behind = one === segments.at(-1) ? after : new Uint8Array(0)
    disk.put(nameOf(one.number), Uint8Array.from([...one.content, ...behind]))
  }
  return disk
}

/** How many files were opened and not closed. */
export function openFilesOf(disk: SimDisk): () => number {
  let open = 0
  disk.before = ({ kind }) => {
    if (kind === 'open') open++
    if (kind === 'close') open--
  }
  return () => open
}
