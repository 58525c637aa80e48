import fs, { type FileHandle } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import process from 'node:process'
import { crc32 } from 'node:zlib'
import type { Disk, DiskFile } from './disk.ts'
import { lockDirectory } from './node-lock.ts'

export const nodeDisk: Disk = {
  wallClock: () => Date.now(),
  crc32: (bytes, initial = 0) => crc32(bytes, initial),
  async makeDirectory(path) {
    const whole = resolve(path)
    const first = await fs.mkdir(whole, { recursive: true })
    if (first === undefined) return
    // Each directory that got a new name in it, from the lowest up.
    for (let made = whole; ; made = dirname(made)) {
      await syncDirectory(dirname(made))
      if (made.length <= first.length) return
    }
  },
  list: (path) => fs.readdir(path),
  open: async (path, how) => new NodeFile(await fs.open(path, FLAGS[how])),
  rename: (from, to) => fs.rename(from, to),
  remove: (path) => fs.rm(path),
  syncDirectory,
  lock: lockDirectory,
}

const FLAGS = { read: 'r', write: 'r+', create: 'w+' } as const

async function syncDirectory(path: string): Promise<void> {
  // Windows cannot open a directory, and makes names durable by itself.
  if (process.platform === 'win32') return
  const handle = await fs.open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

class NodeFile implements DiskFile {
  readonly #handle: FileHandle

  constructor(handle: FileHandle) {
    this.#handle = handle
  }

  readonly size = async (): Promise<number> => (await this.#handle.stat()).size

  readonly read = async (into: Uint8Array, position: number): Promise<number> => {
    let done = 0
    while (done < into.length) {
      const { bytesRead } = await this.#handle.read(into, done, into.length - done, position + done)
      if (bytesRead === 0) break
      done += bytesRead
    }
    return done
  }

  readonly write = async (bytes: Uint8Array, position: number): Promise<void> => {
    // The system may take less than all of it, on a full disk above all: the next call then says why.
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, position + done)
      done += bytesWritten
    }
  }

  readonly truncate = (size: number): Promise<void> => this.#handle.truncate(size)
  readonly sync = (): Promise<void> => this.#handle.datasync()
  readonly close = (): Promise<void> => this.#handle.close()
}
