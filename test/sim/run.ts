import { execFile } from 'node:child_process'
import { resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../..')

/** Runs scripts/sim.mjs on what is built. */
export function sim(...args: string[]): Promise<{ readonly code: number; readonly stdout: string }> {
  const argv = ['--import', 'tsx', 'scripts/sim.mjs', ...args]
  return new Promise((done) => {
    execFile(process.execPath, argv, { cwd: root, maxBuffer: 2 ** 28 }, (error, stdout, stderr) => {
      done({
        code: typeof error?.code === 'number' ? error.code : error === null ? 0 : 1,
        stdout: stdout + stderr,
      })
    })
  })
}
