// The store of ours by itself, with default options.
import { fileURLToPath } from 'node:url'

const library = new URL('../../packages/socktools/dist/store/index.js', import.meta.url)

/** @param {string} directory */
export async function openStore(directory) {
  /** @type {typeof import('../../packages/socktools/dist/store/index.js')} */
  const { Store } = await import(fileURLToPath(library))
  const store = await Store.open(directory)
  return {
    store,
    /** @type {(payload: Uint8Array) => Promise<unknown>} */
    append: (payload) => store.append('p', 't', payload),
    /** Read back from the disk. */
    async count(/** @type {number} */ size) {
      let count = 0
      for await (const { payload } of store.pending('p')) if (payload.length === size) count++
      return count
    },
    close: () => store.close(),
  }
}
