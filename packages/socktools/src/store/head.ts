/**
 * The head of a segment: `[magic 8]` and a record with all that was known when it was begun, so that no older segment
 * is needed but for the messages in it that are pending. A segment gets its name when its head is durable: a head that
 * does not read is damage, never a torn write. Pure.
 */
import { fail } from '../errors.ts'
import { rangesOf, type Ledger, type Ranges } from './ledger.ts'
import { ID_BYTES, idBytes, idText } from './payloads.ts'
import { Batch, type Crc32, getU64, readRecord, RECORD, setU64 } from './record.ts'

const MAGIC = Uint8Array.from('sockstor', (c) => c.charCodeAt(0))
const VERSION = 1
/** The head has a crc that starts from here: it is what tells the salt of the others. */
const NO_SALT = 0

export interface Head {
  readonly id: string
  readonly number: number
  readonly salt: number
  /** The older segments that were kept, and how many bytes of each count. */
  readonly segments: readonly (readonly [number: number, end: number])[]
  readonly cursors: readonly (readonly [id: string, n: number])[]
  readonly peers: readonly { readonly name: string; readonly last: number; readonly pending: Ranges }[]
}

/** What the checks of a new segment's records begin with. */
export function newSalt(randomBytes: (length: number) => Uint8Array): number {
  // A platform may give a view of memory that others use.
  const { buffer, byteOffset } = randomBytes(4)
  return new DataView(buffer, byteOffset).getUint32(0)
}

export const headOf = (
  ledger: Ledger,
  segments: Head['segments'],
  facts: Pick<Head, 'id' | 'number' | 'salt'>,
): Head => ({
  ...facts,
  segments,
  cursors: [...ledger.cursors],
  peers: Array.from(ledger.peers.values(), ({ name, last, pending }) => ({
    ...{ name, last },
    pending: rangesOf(pending.keys()),
  })),
})

export function writeHead(head: Head, crc32: Crc32): Uint8Array {
  const out = new Writer()
  out.u8(VERSION)
  out.bytes(idBytes(head.id))
  out.u32(head.salt)
  out.u32(head.segments.length)
  for (const [number, end] of head.segments) out.u64(number, end)
  out.u32(head.cursors.length)
  for (const [id, n] of head.cursors) {
    out.bytes(idBytes(id))
    out.u64(n)
  }
  out.u32(head.peers.length)
  for (const { name, last, pending } of head.peers) {
    const bytes = new TextEncoder().encode(name)
    out.u32(bytes.length)
    out.bytes(bytes)
    out.u64(last)
    out.u32(pending.length)
    for (const [from, to] of pending) out.u64(from, to)
  }
  const payload = out.done()
  const batch = new Batch(crc32)
  const at = batch.begin(RECORD.head, head.number, payload.length)
  batch.memory.set(payload, at)
  batch.end(NO_SALT)
  const whole = new Uint8Array(MAGIC.length + batch.length)
  whole.set(MAGIC)
  whole.set(batch.bytes, MAGIC.length)
  return whole
}

/** The head of a segment and where it ends, or what is wrong with it. Throws UNSUPPORTED if another version wrote it. */
export function readHead(
  bytes: Uint8Array,
  crc32: Crc32,
): { readonly head: Head; readonly end: number } | string {
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) return 'it does not begin as a segment does'
  const record = readRecord(bytes, MAGIC.length, NO_SALT, crc32)
  if (record?.type !== RECORD.head) return 'its head is damaged'
  const { payload, n: number, end } = record
  if (payload[0] !== VERSION)
    fail(
      'UNSUPPORTED',
      `the store was written in version ${payload[0] ?? 0} of its form, and this reads ${VERSION}`,
    )
  const from = new Reader(payload, 1)
  const id = idText(from.bytes(ID_BYTES))
  const salt = from.u32()
  const segments = from.list(() => [from.u64(), from.u64()] as const)
  const cursors = from.list(() => [idText(from.bytes(ID_BYTES)), from.u64()] as const)
  const peers = from.list(() => {
    const name = new TextDecoder().decode(from.bytes(from.u32()))
    return { name, last: from.u64(), pending: from.list(() => [from.u64(), from.u64()] as const) }
  })
  return { head: { id, number, salt, segments, cursors, peers }, end }
}

class Writer {
  #bytes = new Uint8Array(1024)
  #view = new DataView(this.#bytes.buffer)
  #length = 0

  u8(value: number): void {
    const at = this.#take(1)
    this.#view.setUint8(at, value)
  }

  u32(value: number): void {
    const at = this.#take(4)
    this.#view.setUint32(at, value)
  }

  u64(...values: number[]): void {
    for (const value of values) {
      const at = this.#take(8)
      setU64(this.#view, at, value)
    }
  }

  bytes(bytes: Uint8Array): void {
    const at = this.#take(bytes.length)
    this.#bytes.set(bytes, at)
  }

  done(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  #take(size: number): number {
    const at = this.#length
    this.#length += size
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#length)
      larger.set(this.#bytes)
      this.#bytes = larger
      this.#view = new DataView(larger.buffer)
    }
    return at
  }
}

/** Over bytes whose crc is right: they are what a writer wrote. */
class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at: number

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#at = at
  }

  u32(): number {
    return this.#view.getUint32(this.#move(4))
  }

  u64(): number {
    return getU64(this.#view, this.#move(8))
  }

  bytes(size: number): Uint8Array {
    const at = this.#move(size)
    return this.#bytes.subarray(at, at + size)
  }

  list<T>(item: () => T): T[] {
    const list: T[] = []
    for (let left = this.u32(); left > 0; left--) list.push(item())
    return list
  }

  #move(size: number): number {
    const at = this.#at
    this.#at += size
    return at
  }
}
