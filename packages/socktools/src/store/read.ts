import { fail } from '../errors.ts'
import { type AppendRecord, readAppend } from './payloads.ts'
import { type Crc32, readRecord, RECORD } from './record.ts'

/** What is read at a time, where records are shorter. */
const WINDOW = 256 * 1024

/** Reads the messages of a store one after another, from windows of its files. */
export class MessageReader {
  #segment = 0
  #from = 0
  #bytes: Uint8Array = new Uint8Array(0)
  readonly #read: (segment: number, offset: number, length: number) => Promise<Uint8Array>
  readonly #crc32: Crc32

  constructor(read: (segment: number, offset: number, length: number) => Promise<Uint8Array>, crc32: Crc32) {
    this.#read = read
    this.#crc32 = crc32
  }

  /** Throws STORE_CORRUPT when what lies there is not that message. Its payload is a view of the window. */
  async message(
    peer: string,
    n: number,
    place: { readonly segment: number; readonly offset: number; readonly bytes: number },
    salt: number,
  ): Promise<AppendRecord> {
    const { segment, offset, bytes } = place
    if (
      segment !== this.#segment ||
      offset < this.#from ||
      offset + bytes > this.#from + this.#bytes.length
    ) {
      this.#bytes = await this.#read(segment, offset, Math.max(bytes, WINDOW))
      this.#segment = segment
      this.#from = offset
    }
    const at = offset - this.#from
    const record = readRecord(this.#bytes.subarray(0, at + bytes), at, salt, this.#crc32)
    const append = record?.type === RECORD.append && record.n === n ? readAppend(record) : undefined
    if (append?.peer !== peer)
      fail('STORE_CORRUPT', `message ${n} to ${peer} was damaged on the disk, in segment ${segment}`)
    return append
  }
}
