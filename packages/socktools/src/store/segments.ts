import type { Disk, DiskFile } from '../platform/disk.ts'
import { segmentName, type Found } from './recover.ts'

export interface Segment {
  readonly number: number
  readonly salt: number
  /** Bytes that count, and bytes that it has on the disk. */
  end: number
  size: number
  /** Messages in it whose outcome is not durable, and the bytes of their records. */
  live: number
  liveBytes: number
}

/** The disk is full, and all is as it was before. */
export class DiskFull extends Error {}

const RESERVE = 'reserve'

/** The files of a store: durable when a promise here resolves. Any rejection but DiskFull is the end of the store. */
export class Segments {
  readonly all = new Map<number, Segment>()
  #current: Segment | undefined
  /** Bytes of the space held back, 0: there is none. */
  #reserve = 0
  readonly #files = new Map<number, Promise<DiskFile>>()
  readonly #disk: Disk
  readonly #directory: string

  constructor(disk: Disk, directory: string) {
    this.#disk = disk
    this.#directory = directory
  }

  /** The one that is written to. */
  get current(): Segment {
    if (this.#current === undefined) throw new Error('a store has a segment from the first moment on')
    return this.#current
  }

  get diskBytes(): number {
    let bytes = this.#reserve
    for (const { size } of this.all.values()) bytes += size
    return bytes
  }

  /** Takes over what was found, after a crash perhaps: what is read from now on is durable, and what is not is gone. */
  async takeOver(found: readonly Found[], tail: 'nothing' | 'zeros' | 'torn'): Promise<void> {
    for (const one of found) this.#add({ ...one, live: 0, liveBytes: 0 })
    const { number, end } = this.current
    const file = await this.#file(number)
    if (tail === 'torn') {
      await file.truncate(end)
      this.current.size = end
    }
    // Another process may have written it, and died before its sync: then it is in nobody's hands but the system's.
    await file.sync()
    await this.#disk.syncDirectory(this.#directory)
    this.#reserve = await this.#sizeOf(RESERVE)
  }

  /** Begins a segment. Throws DiskFull. */
  async begin(number: number, salt: number, head: Uint8Array): Promise<void> {
    const file = await this.#make('next.tmp', segmentName(number), head)
    this.#files.set(number, Promise.resolve(file))
    this.#add({ number, salt, end: head.length, size: head.length, live: 0, liveBytes: 0 })
  }

  /** Begins a segment in the space that was held back. Throws DiskFull. */
  async beginInReserve(number: number, salt: number, head: Uint8Array): Promise<void> {
    if (head.length > this.#reserve) throw new DiskFull()
    const file = await this.#disk.open(this.#path(RESERVE), 'write')
    try {
      await file.write(head, 0)
    } catch (error) {
      await file.close()
      // There are file systems that need new space to write over old.
      throw isFull(error) ? new DiskFull() : error
    }
    await file.sync()
    await this.#name(RESERVE, segmentName(number))
    this.#files.set(number, Promise.resolve(file))
    this.#add({ number, salt, end: head.length, size: this.#reserve, live: 0, liveBytes: 0 })
    this.#reserve = 0
  }

  /** Holds back space, if it is not yet. Throws DiskFull. */
  async holdBack(bytes: number): Promise<void> {
    if (this.#reserve >= bytes) return
    const file = await this.#make('reserve.tmp', RESERVE, new Uint8Array(bytes))
    this.#reserve = bytes
    await file.close()
  }

  /** Adds bytes to the current segment. Throws DiskFull: then none of them are there, nor will be after a crash. */
  async append(bytes: Uint8Array): Promise<void> {
    const current = this.current
    const file = await this.#file(current.number)
    try {
      await file.write(bytes, current.end)
    } catch (error) {
      if (!isFull(error)) throw error
      await file.truncate(current.end)
      await file.sync()
      current.size = current.end
      throw new DiskFull()
    }
    await file.sync()
    current.end += bytes.length
    current.size = Math.max(current.size, current.end)
  }

  /** Removes those that hold nothing any more. */
  async sweep(): Promise<void> {
    const done = [...this.all.values()].filter((one) => one.live === 0 && one !== this.#current)
    await this.remove(done.map(({ number }) => number))
  }

  async remove(numbers: readonly number[]): Promise<void> {
    for (const number of numbers) {
      await this.#closeFile(number)
      await this.#removeFile(segmentName(number))
      this.all.delete(number)
    }
    if (numbers.length > 0) await this.#disk.syncDirectory(this.#directory)
  }

  /** Bytes of a segment; fewer at its end. */
  async read(number: number, offset: number, length: number): Promise<Uint8Array> {
    const into = new Uint8Array(Math.min(length, (this.all.get(number)?.end ?? offset) - offset))
    const file = await this.#file(number)
    return into.subarray(0, await file.read(into, offset))
  }

  async close(): Promise<void> {
    for (const number of [...this.#files.keys()]) await this.#closeFile(number)
  }

  #add(segment: Segment): void {
    this.all.set(segment.number, segment)
    this.#current = segment
  }

  #path(name: string): string {
    return `${this.#directory}/${name}`
  }

  #file(number: number): Promise<DiskFile> {
    let file = this.#files.get(number)
    if (file === undefined) {
      file = this.#disk.open(
        this.#path(segmentName(number)),
        number === this.current.number ? 'write' : 'read',
      )
      this.#files.set(number, file)
    }
    return file
  }

  async #closeFile(number: number): Promise<void> {
    const file = this.#files.get(number)
    this.#files.delete(number)
    await (await file)?.close()
  }

  /** A file that is whole and durable under its name, or not there. */
  async #make(temporary: string, name: string, bytes: Uint8Array): Promise<DiskFile> {
    let file: DiskFile | undefined
    try {
      file = await this.#disk.open(this.#path(temporary), 'create')
      await file.write(bytes, 0)
    } catch (error) {
      await file?.close()
      await this.#removeFile(temporary)
      throw isFull(error) ? new DiskFull() : error
    }
    await file.sync()
    await this.#name(temporary, name)
    return file
  }

  async #name(from: string, to: string): Promise<void> {
    await this.#disk.rename(this.#path(from), this.#path(to))
    await this.#disk.syncDirectory(this.#directory)
  }

  async #removeFile(name: string): Promise<void> {
    await this.#disk.remove(this.#path(name)).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw error
    })
  }

  async #sizeOf(name: string): Promise<number> {
    try {
      const file = await this.#disk.open(this.#path(name), 'read')
      const size = await file.size()
      await file.close()
      return size
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return 0
      throw error
    }
  }
}

export const codeOf = (error: unknown): unknown => (error as { readonly code?: unknown } | null)?.code

export const isFull = (error: unknown): boolean => codeOf(error) === 'ENOSPC' || codeOf(error) === 'EDQUOT'

/** Whether it went well; false: the disk is full, and nothing has changed. */
export async function unlessFull(work: Promise<void>): Promise<boolean> {
  try {
    await work
    return true
  } catch (error) {
    if (error instanceof DiskFull) return false
    throw error
  }
}
