import { lstat, rm } from 'node:fs/promises'
import process from 'node:process'
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
  async unlink(path) {
    const file = await lstat(path).catch(() => undefined)
    if (file?.isSocket() === false) throw new Error(`${path} is no socket`)
    await rm(path, { force: true })
  },
  report: (error) => {
    process.emitWarning(error)
  },
}
