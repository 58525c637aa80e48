// Ours as it is used: posted to a name that is not connected, so that what is measured is the way to the disk.
import { fileURLToPath } from 'node:url'
import { openStore } from './store.mjs'

const library = new URL('../../packages/socktools/dist/index.js', import.meta.url)

/** @param {string} directory */
export async function openPost(directory) {
  /** @type {typeof import('../../packages/socktools/dist/index.js')} */
  const { bytes, msg, TcpSock } = await import(fileURLToPath(library))
  const { store, ...log } = await openStore(directory)
  const sock = new TcpSock({ protocol: { t: msg(bytes()) }, store })
  return {
    ...log,
    /** @type {(payload: Uint8Array) => Promise<unknown>} */
    append: (payload) => sock.post('p', 't', payload).accepted,
    async count() {
      let count = 0
      for await (const { type } of store.pending('p')) if (type === 't') count++
      return count
    },
    async close() {
      await sock.close()
      await log.close()
    },
  }
}
