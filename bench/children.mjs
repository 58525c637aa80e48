// Child processes that answer in lines of JSON and never outlive their trial.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** @type {Set<import('node:child_process').ChildProcess>} */
const alive = new Set()
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
})

/** What a child may take to leave on its own once its stdin has ended. */
const GRACE_MS = 300

/**
 * The line that matters of what a program wrote before it died.
 * @param {string} text
 */
function gist(text) {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  return lines.find((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1) ?? 'it said nothing'
}

/**
 * @param {string} file
 * @param {string[]} args
 */
export function startChild(file, args) {
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  alive.add(child)
  const exited = once(child, 'exit').finally(() => alive.delete(child))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  let complaint = ''
  child.stderr.on('data', (text) => {
    complaint = (complaint + text).slice(-2000)
  })
  child.stdin.on('error', () => {}) // it may have left already
  exited.catch((error) => {
    complaint = error.message
  })

  return {
    /** @returns {Promise<any>} the next line's JSON */
    async next() {
      const { value, done } = await lines.next()
      if (done) throw new Error(`a child ended early: ${gist(complaint)}`)
      return JSON.parse(value)
    },
    /** @param {number} figure */
    tell(figure) {
      child.stdin.write(`${figure}\n`)
    },
    async stop(graceMs = GRACE_MS) {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
      child.stdin.end()
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
      await exited
      clearTimeout(timer)
    },
    /** The end of what it wrote to stderr. */
    complaint: () => complaint,
  }
}

/**
 * @template T
 * @param {number} ms
 * @param {string} what
 * @param {Promise<T>} work
 * @returns {Promise<T>}
 */
export async function within(ms, what, work) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took more than ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
