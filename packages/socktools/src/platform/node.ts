import { rm } from 'node:fs/promises'
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
  unlink: (path) => rm(path, { force: true }),
  report: (error) => {
    process.emitWarning(error)
  },
}
