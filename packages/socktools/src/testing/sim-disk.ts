import { nodeDisk } from '../platform/node-disk.ts'
import type { Disk, DiskFile, DiskLock } from '../platform/disk.ts'
import { SimFile } from './sim-file.ts'

/** One step of a disk, before it happens. */
export interface DiskStep {
  readonly kind: DiskStepKind
  /** Of the file or directory. */
  readonly path: string
  /** Of a write. */
  readonly bytes: number
}

export type DiskStepKind =
  | 'makeDirectory'
  | 'list'
  | 'open'
  | 'rename'
  | 'remove'
  | 'syncDirectory'
  | 'lock'
  | 'size'
  | 'read'
  | 'write'
  | 'truncate'
  | 'sync'
  | 'close'

export interface SimDiskOptions {
  /** Where tears come from, uniform in [0, 1): `sim.random`. */
  readonly random: () => number
  /** Bytes that all files may have together. Default: no limit. What is beyond fails with ENOSPC, in its middle. */
  readonly capacity?: number
  /** Milliseconds since 1970. Default: 0 for ever. */
  readonly wallClock?: () => number
}

/** What becomes of what was not synced: all of it lost, all of it kept, or each piece as chance has it. */
export type CrashKind = 'lost' | 'kept' | 'torn'

/**
 * A disk in memory that forgets as a real one does: at {@link crash} content that was not synced is lost, kept or torn,
 * and so are the names made, changed and removed since `syncDirectory`. Set {@link before} to delay steps or make them
 * fail.
 */
export class SimDisk implements Disk {
  readonly wallClock: () => number
  readonly crc32 = nodeDisk.crc32
  /** Bytes that all files may have together. */
  capacity: number
  /**
   * Called before each step, and waited for: throw `diskError('EIO')` and the step fails. A `sync` that fails is never
   * made up for: what it was for is lost at the next crash.
   */
  before: (step: DiskStep) => unknown = () => undefined
  readonly #random: () => number
  #names = new Map<string, SimFile>()
  #durableNames = new Map<string, SimFile>()
  /** Since the last sync of their directory: the file each name stands for then, in the order in which it came to. */
  #changes: (readonly [directory: string, names: readonly (readonly [string, SimFile | undefined])[]])[] = []
  #directories = new Set<string>()
  #locks = new Set<string>()
  /** Handles of an earlier life do nothing. */
  #life = 0

  constructor({ random, capacity = Infinity, wallClock = () => 0 }: SimDiskOptions) {
    this.#random = random
    this.capacity = capacity
    this.wallClock = wallClock
  }

  /** Bytes in all files. */
  get used(): number {
    let used = 0
    for (const file of this.#names.values()) used += file.size
    return used
  }

  /** The paths of all files. */
  names(): string[] {
    return [...this.#names.keys()]
  }

  /** What a file holds now, as everybody reads it; undefined where there is none. A copy. */
  content(path: string): Uint8Array | undefined {
    return this.#names.get(path)?.content.bytes()
  }

  /** Puts a durable file there, or takes it away. */
  put(path: string, content: Uint8Array | undefined): void {
    const names = [this.#names, this.#durableNames]
    if (content === undefined) for (const each of names) each.delete(path)
    else {
      const file = new SimFile(content)
      for (const each of names) each.set(path, file)
      this.#directories.add(directoryOf(path))
    }
  }

  /** A power failure: files are what a crash leaves, every open handle is cut off, its promises stay as they are. */
  crash(how: CrashKind = 'torn'): void {
    const after = this.afterCrash(how)
    this.#life++
    this.#names = after.#names
    this.#durableNames = after.#durableNames
    this.#directories = after.#directories
    this.#changes = []
    this.#locks = new Set()
  }

  /** Another disk, as this one would be found after a power failure now. */
  afterCrash(how: CrashKind = 'torn', random = this.#random): SimDisk {
    const { capacity, wallClock } = this
    const after = new SimDisk({ random, capacity, wallClock })
    const names = how === 'kept' ? this.#names : new Map(this.#durableNames)
    if (how === 'torn') {
      for (const [, changes] of this.#changes) {
        if (random() < 0.5) for (const [path, file] of changes) setOrDelete(names, path, file)
      }
    }
    for (const [path, file] of names) after.put(path, file.crashed(how, random))
    after.#directories = new Set(this.#directories)
    return after
  }

  /** The process ends and the machine goes on: its locks are free, nothing of its files is lost, its handles do nothing. */
  kill(): void {
    this.#life++
    this.#locks = new Set()
  }

  readonly makeDirectory = (path: string): Promise<void> =>
    this.#step('makeDirectory', path, () => {
      this.#directories.add(path)
    })

  readonly list = (path: string): Promise<string[]> =>
    this.#step('list', path, () => {
      if (!this.#directories.has(path)) throw diskError('ENOENT', path)
      return [...this.#names.keys()]
        .filter((name) => directoryOf(name) === path)
        .map((name) => name.slice(path.length + 1))
    })

  readonly open = (path: string, how: 'read' | 'write' | 'create'): Promise<DiskFile> =>
    this.#step('open', path, () => {
      let file = this.#names.get(path)
      if (how === 'create') {
        if (file === undefined) this.#name(path, (file = new SimFile()))
        else file.truncate(0)
      }
      if (file === undefined) throw diskError('ENOENT', path)
      return this.#handle(path, file)
    })

  readonly rename = (from: string, to: string): Promise<void> =>
    this.#step('rename', from, () => {
      const file = this.#names.get(from)
      if (file === undefined) throw diskError('ENOENT', from)
      const changes = [[to, file] as const, [from, undefined] as const]
      this.#changes.push([directoryOf(to), changes])
      for (const [name, now] of changes) setOrDelete(this.#names, name, now)
    })

  readonly remove = (path: string): Promise<void> =>
    this.#step('remove', path, () => {
      if (!this.#names.has(path)) throw diskError('ENOENT', path)
      this.#name(path, undefined)
    })

  readonly syncDirectory = (path: string): Promise<void> =>
    this.#step('syncDirectory', path, () => {
      for (const [directory, changes] of this.#changes) {
        if (directory === path)
          for (const [name, file] of changes) setOrDelete(this.#durableNames, name, file)
      }
      this.#changes = this.#changes.filter(([directory]) => directory !== path)
    })

  readonly lock = (path: string): Promise<DiskLock> =>
    this.#step('lock', path, () => {
      if (this.#locks.has(path)) throw diskError('ELOCKED', path)
      this.#locks.add(path)
      const locks = this.#locks
      return {
        release: () => {
          locks.delete(path)
          return Promise.resolve()
        },
      }
    })

  #handle(path: string, file: SimFile): DiskFile {
    const life = this.#life
    const step = <T>(kind: DiskStepKind, work: () => T, bytes = 0): Promise<T> =>
      this.#step(kind, path, work, bytes, life)
    return {
      size: () => step('size', () => file.size),
      read: (into, position) =>
        step('read', () => {
          const found = file.content.view(position, position + into.length)
          into.set(found)
          return found.length
        }),
      write: (bytes, position) =>
        step(
          'write',
          () => {
            const grows = Math.max(0, position + bytes.length - file.size)
            const short = Math.max(0, grows - Math.max(0, this.capacity - this.used))
            file.write(bytes.subarray(0, bytes.length - short), position)
            if (short > 0) throw diskError('ENOSPC', path)
          },
          bytes.length,
        ),
      truncate: (size) =>
        step('truncate', () => {
          file.truncate(size)
        }),
      sync: () =>
        step('sync', () => {
          file.sync()
        }).catch((error: unknown) => {
          file.failSync()
          throw error
        }),
      close: () => step('close', () => undefined),
    }
  }

  #name(path: string, file: SimFile | undefined): void {
    this.#changes.push([directoryOf(path), [[path, file]]])
    setOrDelete(this.#names, path, file)
  }

  /**
   * `work` happens at once or not at all. `life`: when the process that asks for it began. Nobody of an earlier one is
   * there any more to hear of it.
   */
  async #step<T>(kind: DiskStepKind, path: string, work: () => T, bytes = 0, life = this.#life): Promise<T> {
    if (life === this.#life) await this.before({ kind, path, bytes })
    if (life !== this.#life) await new Promise(() => undefined)
    return work()
  }
}

/** An error as the system has them: with a `code`. */
export const diskError = (code: string, path = ''): Error =>
  Object.assign(new Error(`${code}: ${path}`), { code })

const directoryOf = (path: string): string => path.slice(0, path.lastIndexOf('/'))

function setOrDelete(names: Map<string, SimFile>, path: string, file: SimFile | undefined): void {
  if (file === undefined) names.delete(path)
  else names.set(path, file)
}
