import { type Batch, getU64, HEAD_BYTES, type RawRecord, RECORD, setU64 } from './record.ts'

/** What the records of a store hold: of a message, of an outcome, of a cursor. Pure. */

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Bytes of the name of a peer or a type at the most. */
export const MAX_NAME = 1024
export const ID_BYTES = 16

export interface AppendRecord {
  readonly peer: string
  readonly type: string
  readonly at: number
  readonly payload: Uint8Array
}

/** A name as bytes, remembered: the same few come again and again. */
export class Names {
  readonly #known = new Map<string, Uint8Array>()

  bytes(name: string): Uint8Array {
    let bytes = this.#known.get(name)
    if (bytes === undefined) {
      bytes = encoder.encode(name)
      if (this.#known.size >= 4096) this.#known.clear()
      this.#known.set(name, bytes)
    }
    return bytes
  }
}

/** Bytes of a whole record. */
export const appendSize = (peer: Uint8Array, type: Uint8Array, payload: Uint8Array): number =>
  HEAD_BYTES + 12 + peer.length + type.length + payload.length

/** `[at f64][peer u16 + utf8][type u16 + utf8][payload]` */
export function addAppend(
  batch: Batch,
  n: number,
  at: number,
  peer: Uint8Array,
  type: Uint8Array,
  payload: Uint8Array,
  salt: number,
): void {
  const from = batch.begin(RECORD.append, n, appendSize(peer, type, payload) - HEAD_BYTES)
  const { view, memory } = batch
  view.setFloat64(from, at)
  view.setUint16(from + 8, peer.length)
  memory.set(peer, from + 10)
  const second = from + 10 + peer.length
  view.setUint16(second, type.length)
  memory.set(type, second + 2)
  memory.set(payload, second + 2 + type.length)
  batch.end(salt)
}

/** Its payload is a view of the record. */
export function readAppend({ payload: bytes }: RawRecord): AppendRecord | undefined {
  if (bytes.length < 12) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const second = 10 + view.getUint16(8)
  if (second + 2 > bytes.length) return undefined
  const body = second + 2 + view.getUint16(second)
  if (body > bytes.length) return undefined
  return {
    at: view.getFloat64(0),
    peer: decoder.decode(bytes.subarray(10, second)),
    type: decoder.decode(bytes.subarray(second + 2, body)),
    payload: bytes.subarray(body),
  }
}

/** Those from n to `to` are settled: `[to u64][peer utf8]` */
export function addSettle(batch: Batch, peer: Uint8Array, from: number, to: number, salt: number): void {
  const at = batch.begin(RECORD.settle, from, 8 + peer.length)
  setU64(batch.view, at, to)
  batch.memory.set(peer, at + 8)
  batch.end(salt)
}

export function readSettle({
  payload,
}: RawRecord): { readonly to: number; readonly peer: string } | undefined {
  if (payload.length < 8) return undefined
  const view = new DataView(payload.buffer, payload.byteOffset, 8)
  return { to: getU64(view, 0), peer: decoder.decode(payload.subarray(8)) }
}

/** Of the store with this id, all up to n was taken: `[id 16]` */
export function addCursor(batch: Batch, id: string, n: number, salt: number): void {
  const at = batch.begin(RECORD.cursor, n, ID_BYTES)
  batch.memory.set(idBytes(id), at)
  batch.end(salt)
}

export const readCursor = ({ payload }: RawRecord): string | undefined =>
  payload.length === ID_BYTES ? idText(payload) : undefined

export const idText = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

export const idBytes = (id: string): Uint8Array =>
  Uint8Array.from({ length: ID_BYTES }, (_, i) => Number.parseInt(id.slice(2 * i, 2 * i + 2), 16))
