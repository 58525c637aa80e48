import type { Platform } from '../platform/platform.ts'

/** What survives the processes of one simulated machine. `View` is what a process gets of it. */
export interface NodeDisk<View = unknown> {
  /** For one process, on its platform: nothing may happen through it once `alive()` is false. */
  view(process: { readonly platform: Platform; readonly alive: () => boolean }): View
  /** The process is gone: `kill` leaves the system and its caches alone, `power` takes what was not synced. */
  crash(how: 'kill' | 'power', random: () => number): void
}

/** What a process sees of a {@link KeyDisk}. After a crash its promises never settle, as those of the dead. */
export interface KeyStore {
  read(key: string): Promise<Uint8Array | undefined>
  keys(): Promise<readonly string[]>
  /** Undefined removes it. It survives a kill from then on, and the power only after sync(). */
  write(key: string, bytes: Uint8Array | undefined): Promise<void>
  /** Resolves when everything written before is there for good. */
  sync(): Promise<void>
}

/** A disk as simple as can be: bytes by key. Each write is whole or not there; the unsynced ones are lost from some point on. */
export class KeyDisk implements NodeDisk<KeyStore> {
  readonly #synced = new Map<string, Uint8Array>()
  #unsynced: [key: string, bytes: Uint8Array | undefined][] = []

  view({ platform, alive }: { readonly platform: Platform; readonly alive: () => boolean }): KeyStore {
    /** After the time that a disk needs; never, once the process is gone. */
    const later = <T>(work: () => T): Promise<T> =>
      new Promise((resolve) => {
        platform.setTimer(() => resolve(work()), 0.05 + platform.random())
      })
    return {
      read: (key) => later(() => this.#now().get(key)?.slice()),
      keys: () => later(() => [...this.#now().keys()].sort()),
      write: (key, bytes) => {
        if (alive()) this.#unsynced.push([key, bytes?.slice()])
        return later(() => undefined)
      },
      sync: () => {
        const due = this.#unsynced.length
        return later(() => this.#settle(due))
      },
    }
  }

  crash(how: 'kill' | 'power', random: () => number): void {
    if (how === 'kill') return
    this.#settle(Math.floor(random() * (this.#unsynced.length + 1)))
    this.#unsynced = []
  }

  /** What a reader sees. */
  #now(): Map<string, Uint8Array> {
    const now = new Map(this.#synced)
    for (const change of this.#unsynced) apply(now, change)
    return now
  }

  #settle(count: number): void {
    for (const change of this.#unsynced.splice(0, count)) apply(this.#synced, change)
  }
}

function apply(to: Map<string, Uint8Array>, [key, bytes]: [string, Uint8Array | undefined]): void {
  if (bytes === undefined) to.delete(key)
  else to.set(key, bytes)
}
