/**
 * Many seeds over several worker processes, none of which can hold up the others: a seed that does not end, or that takes
 * its process with it, is a failure like any other, and the rest of its worker's seeds go to a new process.
 */
import { fork } from 'node:child_process'

/** A seed takes some tens of milliseconds: one that takes so many does not end. */
const STUCK = 60_000
/** What a process may take to start, on a busy machine. */
const START = 60_000
/** Processes that one worker may lose before its seeds are given up: something is wrong with all of them. */
const LIVES = 20
/** Young objects are most of a run, and die young: collected more rarely they cost less. */
const EXEC_ARGV = ['--max-semi-space-size=64', '--min-semi-space-size=64']

/**
 * Runs the seeds `from` … `from + seeds - 1` in `workers` processes of the module `file`, every `workers`th in each, and
 * gives the number of seeds that have a result. `onResult(result)` hears of each: of what the worker sent, or of
 * `{ seed, dead }`, where `dead` says how it took its process with it. It stops everything by returning false.
 *
 * The module reads its job from `--worker JSON`: `{ from, to, step }`. It sends `{ seed }`, and whatever else, after each seed
 * in order; `{ patience: ms }` before anything that takes longer than `stuck` milliseconds; and disconnects at the end.
 *
 * @param {{ file: string, argv?: readonly string[], cwd?: string, execArgv?: readonly string[], from: number, seeds: number, workers: number,
 *   stuck?: number, signal?: AbortSignal, onResult: (result: any) => unknown }} options
 * @returns {Promise<number>}
 */
export async function runSeeds(options) {
  const { file, argv = [], cwd, execArgv = process.execArgv } = options
  const { from, seeds, workers, stuck = STUCK, signal, onResult } = options
  const to = from + seeds
  const env = { ...process.env }
  // Coverage of what is built tells nothing of src; and a run within a test is no part of that test.
  delete env.NODE_V8_COVERAGE
  delete env.NODE_TEST_CONTEXT
  const living = new Set()
  let done = 0
  let stopped = false

  const stop = () => {
    stopped = true
    for (const child of living) child.kill('SIGKILL')
  }
  const report = (result) => {
    if (stopped) return
    done++
    if (onResult(result) === false) stop()
  }

  /** One process: gives the seed at which it is to be gone on with, if any. */
  const live = (at) =>
    new Promise((resolve) => {
      const job = JSON.stringify({ from: at, to, step: workers })
      const child = fork(file, ['--worker', job, ...argv], {
        ...{ cwd, env, execArgv: [...execArgv, ...EXEC_ARGV] },
        stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      })
      living.add(child)
      let noise = ''
      let silence
      let isStuck = false
      const wait = (ms) => {
        clearTimeout(silence)
        silence = setTimeout(() => {
          isStuck = true
          child.kill('SIGKILL')
        }, ms)
      }
      wait(stuck + START)
      child.stderr.on('data', (chunk) => (noise = (noise + chunk).slice(-2000)))
      child.on('message', (message) => {
        wait(message.patience ?? stuck)
        if (message.patience !== undefined) return
        at = message.seed + workers
        report(message)
      })
      child.on('close', (code, killed) => {
        clearTimeout(silence)
        living.delete(child)
        if (stopped || at >= to) return resolve(undefined)
        const how = isStuck
          ? `does not end: nothing came of it for ${stuck} ms`
          : `ends its process (${killed ?? code})`
        report({ seed: at, dead: [how, noise.trim()].filter((line) => line !== '').join('\n') })
        resolve(at + workers)
      })
    })

  const work = async (first) => {
    let at = first
    for (let life = 0; life < LIVES && at !== undefined && at < to && !stopped; life++) at = await live(at)
  }
  signal?.addEventListener('abort', stop)
  if (signal?.aborted !== true)
    await Promise.all(Array.from({ length: Math.min(workers, seeds) }, (_, i) => work(from + i)))
  signal?.removeEventListener('abort', stop)
  return done
}

/**
 * What a worker is to run; undefined: this process is none.
 *
 * @param {readonly string[]} argv
 * @returns {{ from: number, to: number, step: number } | undefined}
 */
export const jobOf = (argv) => {
  const at = argv.indexOf('--worker')
  return at < 0 ? undefined : JSON.parse(argv[at + 1])
}
