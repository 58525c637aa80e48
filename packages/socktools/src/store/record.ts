/**
 * Records, as they lie in a segment: `[len u32][crc32 u32][type u8][n u64][payload]`, big endian. `len` counts what comes
 * after the crc, which covers it. The crc goes on from a salt of the segment, so that what an older file left on the
 * disk is no record of this one. Pure.
 */

export const RECORD = { append: 1, settle: 2, cursor: 3, mark: 4, head: 5 } as const

/** Before the payload. */
export const HEAD_BYTES = 17
/** What a mark has: where it stands. */
export const MARK_BYTES = HEAD_BYTES + 8

export type Crc32 = (bytes: Uint8Array, initial?: number) => number

export interface RawRecord {
  readonly type: number
  readonly n: number
  readonly payload: Uint8Array
  /** Where it begins and ends in the segment. */
  readonly at: number
  readonly end: number
}

const U32 = 2 ** 32

/** The record that begins at `at`, or undefined: there is no whole and valid one. */
export function readRecord(bytes: Uint8Array, at: number, salt: number, crc32: Crc32): RawRecord | undefined {
  if (bytes.length - at < HEAD_BYTES) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, HEAD_BYTES)
  const end = at + 8 + view.getUint32(0)
  if (end < at + HEAD_BYTES || end > bytes.length) return undefined
  if (crc32(bytes.subarray(at + 8, end), salt) !== view.getUint32(4)) return undefined
  const n = view.getUint32(9) * U32 + view.getUint32(13)
  if (!Number.isSafeInteger(n)) return undefined
  return { type: view.getUint8(8), n, payload: bytes.subarray(at + HEAD_BYTES, end), at, end }
}

/** Records in the order in which they are to be written, in one piece of memory that is used again. */
export class Batch {
  #bytes = new Uint8Array(64 * 1024)
  #view = new DataView(this.#bytes.buffer)
  #length = 0
  #began = 0
  readonly #crc32: Crc32

  constructor(crc32: Crc32) {
    this.#crc32 = crc32
  }

  get length(): number {
    return this.#length
  }

  /** What was added. It is overwritten after {@link clear}. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  clear(): void {
    this.#length = 0
  }

  get view(): DataView {
    return this.#view
  }

  /** All of the memory, for what is written between {@link begin} and {@link end}. */
  get memory(): Uint8Array {
    return this.#bytes
  }

  /** Makes room for a record whose payload has `size` bytes. Gives where that begins. */
  begin(type: number, n: number, size: number): number {
    const at = this.#length
    const end = at + HEAD_BYTES + size
    this.#reserve(end)
    const view = this.#view
    view.setUint32(at, end - at - 8)
    view.setUint8(at + 8, type)
    setU64(view, at + 9, n)
    this.#began = at
    this.#length = end
    return at + HEAD_BYTES
  }

  /** The payload is written. */
  end(salt: number): void {
    const at = this.#began
    this.#view.setUint32(at + 4, this.#crc32(this.#bytes.subarray(at + 8, this.#length), salt))
  }

  #reserve(length: number): void {
    if (length <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(length, 2 * this.#bytes.length))
    larger.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = larger
    this.#view = new DataView(larger.buffer)
  }
}

/**
 * Adds a mark that will stand at `position` of its segment. It says that all before it is durable: a batch begins with
 * one, and is written only when the one before it is.
 */
export function addMark(batch: Batch, position: number, salt: number): void {
  const at = batch.begin(RECORD.mark, 0, 8)
  setU64(batch.view, at, position)
  batch.end(salt)
}

/** Whether a mark stands anywhere at or after `from`: then what lies before it was durable once. */
export function hasMark(bytes: Uint8Array, from: number, salt: number, crc32: Crc32): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let at = from; at + MARK_BYTES <= bytes.length; at++) {
    if (view.getUint32(at) !== MARK_BYTES - 8 || view.getUint8(at + 8) !== RECORD.mark) continue
    if (getU64(view, at + HEAD_BYTES) === at && readRecord(bytes, at, salt, crc32) !== undefined) return true
  }
  return false
}

export function setU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / U32))
  view.setUint32(at + 4, value % U32)
}

export const getU64 = (view: DataView, at: number): number =>
  view.getUint32(at) * U32 + view.getUint32(at + 4)
