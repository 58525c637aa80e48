import { createHash, randomFillSync } from 'node:crypto'
import { lstat, rm } from 'node:fs/promises'
import process from 'node:process'
import { nodeDisk } from './node-disk.ts'
import type { Platform } from './platform.ts'

export const nodePlatform: Platform = {
  now: () => performance.now(),
  setTimer(fn, ms) {
    const timer = setTimeout(fn, ms)
    return { cancel: () => clearTimeout(timer) }
  },
  defer: (fn) => {
    process.nextTick(fn)
  },
  afterPoll: (fn) => {
    setImmediate(fn)
  },
  random: () => Math.random(),
  randomBytes: (length) => randomFillSync(new Uint8Array(length)),
  // A copy: a Buffer may share its memory with others, and is not what the type says.
  hash: (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest()),
  disk: nodeDisk,
  async unlink(path) {
    const file = await lstat(path).catch(() => undefined)
    if (file?.isSocket() === false) throw new Error(`${path} is no socket`)
    await rm(path, { force: true })
  },
  report: (error) => {
    process.emitWarning(error)
  },
}
