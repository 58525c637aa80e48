// What a durable log costs at the least: records as those of the store, gathered in one buffer, one write and one
// fdatasync for all that came meanwhile. No ids, no recovery, no limits, no second file.
import { open } from 'node:fs/promises'
import { crc32 } from 'node:zlib'

/** Bytes of a record of the store beside names and payload. */
const HEAD = 29

/** @param {string} directory */
export async function openLog(directory) {
  const file = await open(`${directory}/log`, 'w+')
  /** @type {{ payload: Uint8Array, resolve: () => void }[]} */
  let queue = []
  let buffer = Buffer.alloc(1024 * 1024)
  let end = 0
  let running = false

  const run = async () => {
    while (queue.length > 0) {
      const taken = queue
      queue = []
      let length = 0
      for (const { payload } of taken) {
        const next = length + HEAD + payload.length
        if (next > buffer.length) buffer = Buffer.concat([buffer], 2 * next)
        buffer.writeUInt32BE(next - length - 8, length)
        buffer.set(payload, length + HEAD)
        buffer.writeUInt32BE(crc32(buffer.subarray(length + 8, next)), length + 4)
        length = next
      }
      await file.write(buffer, 0, length, end)
      await file.datasync()
      end += length
      for (const { resolve } of taken) resolve()
    }
    running = false
  }

  return {
    /** @type {(payload: Uint8Array) => Promise<unknown>} */
    append: (payload) =>
      new Promise((resolve) => {
        queue.push({ payload, resolve: () => resolve(undefined) })
        if (running) return
        running = true
        process.nextTick(run)
      }),
    /** How many bytes of payload it has. */
    async count(/** @type {number} */ size) {
      return end / (HEAD + size)
    },
    close: () => file.close(),
  }
}
