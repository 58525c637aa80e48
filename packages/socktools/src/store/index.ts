import { nodePlatform } from '../platform/node.ts'
import { openFiles } from './open.ts'
import { type StoreOptions as Options, storeSettings } from './options.ts'
import { DurableStore, needDirectory, type StorePlatform } from './store.ts'

export type { Disk, DiskFile, DiskLock } from '../platform/disk.ts'
export { inspect, type InspectedSegment, type Inspection } from './inspect.ts'
export type { StorePlatform } from './store.ts'
export type * from './types.ts'

export interface StoreOptions extends Options {
  /** Its disk, clock and randomness. Default: those of Node. */
  readonly platform?: StorePlatform
}

/**
 * A durable outbox, and the cursors of an inbox, in a directory of its own.
 *
 * ```ts
 * const store = await Store.open('/var/lib/app/outbox', { maxAge: 7 * 86_400_000 })
 * const n = await store.append('warehouse', 'order', bytes)      // durable from here on
 * for await (const message of store.pending('warehouse')) …      // those that are not settled, in order
 * await store.settle('warehouse', n, 'delivered')
 * await store.close()
 * ```
 */
export class Store extends DurableStore {
  /**
   * Opens the store in a directory, or makes one with a new id. Rejects with STORE_LOCKED while another process (or
   * this one) has it open, with STORE_CORRUPT when it was damaged, with UNSUPPORTED when another version wrote it, with
   * OUTBOX_FULL when there is no space to make one, with STORE_FAILED when the system refuses (the cause tells), with BAD_OPTION.
   */
  static async open(
    directory: string,
    { platform = nodePlatform, ...options }: StoreOptions = {},
  ): Promise<Store> {
    needDirectory(directory)
    const settings = storeSettings(options)
    return new Store(await openFiles(platform, directory), settings, platform)
  }
}
