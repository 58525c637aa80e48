/**
 * Files, as a store of messages needs them: what was written is lost in a power failure until `sync` has resolved, and
 * a name that was made, changed or removed until `syncDirectory` has. Failures are errors with the system's `code`
 * (ENOENT, EEXIST, ENOSPC, EIO …). Node's disk is in node-disk.ts; the simulated one, which can fail, is in testing/.
 */
export interface Disk {
  /** Milliseconds since 1970, by the clock that anybody may set: for the age of what outlives the process. */
  readonly wallClock: () => number
  /** The CRC-32 of zlib, going on from `initial` (0): an unsigned number of 32 bits. */
  readonly crc32: (bytes: Uint8Array, initial?: number) => number
  /** Makes a directory and those above it, durably. Resolves also when it is there. */
  readonly makeDirectory: (path: string) => Promise<void>
  /** The names in a directory, in no order. */
  readonly list: (path: string) => Promise<string[]>
  /** Opens a file: `read` and `write` one that is there, `create` one that is new or loses what it had. */
  readonly open: (path: string, how: 'read' | 'write' | 'create') => Promise<DiskFile>
  /** In one step: `to` is the old file or the new one, never neither. */
  readonly rename: (from: string, to: string) => Promise<void>
  readonly remove: (path: string) => Promise<void>
  /** Makes the names in it durable. */
  readonly syncDirectory: (path: string) => Promise<void>
  /**
   * Takes the one lock of a directory. Rejects with code ELOCKED, and a text that says who, while a process that lives
   * has it; that of a process which is gone is taken over.
   */
  readonly lock: (path: string) => Promise<DiskLock>
}

export interface DiskFile {
  readonly size: () => Promise<number>
  /** Reads as much of `into` as the file has from `position` on. Gives the number of bytes: less only at its end. */
  readonly read: (into: Uint8Array, position: number) => Promise<number>
  /** Writes all of `bytes`. When it rejects, any part of them may have been written. */
  readonly write: (bytes: Uint8Array, position: number) => Promise<void>
  readonly truncate: (size: number) => Promise<void>
  /** Makes content and size durable (fdatasync). After a rejection nobody knows what is: never call it again. */
  readonly sync: () => Promise<void>
  readonly close: () => Promise<void>
}

export interface DiskLock {
  readonly release: () => Promise<void>
}
