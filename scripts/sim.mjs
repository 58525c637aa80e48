/**
 * npm run sim -- --seeds N --from S     runs the scenario of test/sim with the seeds S … S+N-1 (100 from 1), on what was
 *                                       built, in one worker process per core; prints what happened how often, and a
 *                                       replay line for each failure
 *               [--workers W] [--sessions on|off] [--lossless] [--no-shrink]
 * npm run sim -- --replay LINE          one run as that line has it, with its whole trace
 *
 * Ends with `N seeds, F failures`. It fails as well if something that it is to show happened too rarely: each kind of
 * fault and each transition at least 100 times in 10,000 seeds.
 */
import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { FAULT_KINDS, simulate, SimulationError } from 'socktools/testing'
import { NEEDED, optionsOf, v1Socks } from '../test/sim/v1-socks.ts'

const { values: given } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    workers: { type: 'string', default: String(availableParallelism()) },
    replay: { type: 'string' },
    lossless: { type: 'boolean', default: false },
    sessions: { type: 'string' },
    'no-shrink': { type: 'boolean', default: false },
    worker: { type: 'string' },
  },
})
/** Runs that a failing seed may spend on a smaller case, and failures of one worker that are worth it. */
const SHRINK = { runs: 80, failures: 2 }

const sessions = { on: true, off: false }[given.sessions]
const scenario = v1Socks({ lossless: given.lossless, sessions })
/** What the workers have to be told, and a replay. */
const flags = [
  given.sessions === undefined ? [] : ['--sessions', given.sessions],
  given.lossless ? '--lossless' : [],
].flat()

if (given.replay !== undefined) await replay(given.replay)
else if (given.worker !== undefined) await work(JSON.parse(given.worker))
else await conduct(whole('seeds'), whole('from'), Math.max(1, whole('workers')))

function whole(name) {
  if (!/^\d{1,9}$/.test(given[name])) {
    console.error(`--${name} takes a whole number`)
    process.exit(2)
  }
  return Number(given[name])
}

async function replay(line) {
  try {
    const { hash, counts } = await simulate(
      { ...JSON.parse(line), log: (text) => console.log(text) },
      scenario,
    )
    console.log(counts)
    console.log(`1 seed, 0 failures, hash ${hash}`)
  } catch (error) {
    console.log(error)
    console.log('1 seed, 1 failure')
    process.exitCode = 1
  }
}

/** In a worker process: every `step`th seed. */
async function work({ from, to, step, first }) {
  let shrinks = given['no-shrink'] ? 0 : SHRINK.failures
  for (let seed = from + first; seed < to; seed += step) {
    const options = optionsOf(seed)
    try {
      const { counts, hash, time } = await simulate(options, scenario)
      process.send({ seed, counts, hash, time })
    } catch (error) {
      const smaller = shrinks-- > 0 ? await again({ ...options, shrink: SHRINK.runs }) : error
      const known = smaller instanceof SimulationError
      process.send({
        seed,
        failure: {
          text: known ? smaller.what : String(smaller),
          stack: String((known ? smaller.cause : smaller)?.stack ?? ''),
          lines: known ? smaller.lines.slice(-25) : [],
          replay: known ? smaller.report.replay : JSON.stringify({ seed }),
        },
      })
    }
  }
  process.disconnect()
}

async function again(options) {
  try {
    await simulate(options, scenario)
    return new Error(
      `seed ${options.seed} failed once and not again: something outside of the simulation has a say`,
    )
  } catch (error) {
    return error
  }
}

async function conduct(seeds, from, workers) {
  const began = performance.now()
  const totals = new Map()
  const failures = []
  let done = 0
  let virtual = 0
  const env = { ...process.env }
  delete env.NODE_V8_COVERAGE // coverage of what is built tells nothing of src, and takes its time
  await Promise.all(
    Array.from({ length: Math.min(workers, seeds) }, (_, first) => {
      const job = JSON.stringify({ from, to: from + seeds, step: workers, first })
      const shrink = given['no-shrink'] ? ['--no-shrink'] : []
      const child = fork(import.meta.filename, ['--worker', job, ...flags, ...shrink], { env })
      child.on('message', ({ seed, counts, time = 0, failure }) => {
        done++
        virtual += time
        for (const [what, n] of Object.entries(counts ?? {})) totals.set(what, (totals.get(what) ?? 0) + n)
        if (failure !== undefined) {
          failures.push(seed)
          const { text, stack, lines, replay } = failure
          console.log([`\nFAILED ${text}`, stack, ...lines].join('\n'))
          console.log(`${['npm run sim --', ...flags, '--replay'].join(' ')} '${replay}'\n`)
        }
      })
      return new Promise((resolve) => {
        child.on('exit', resolve)
      })
    }),
  )
  for (const [what, n] of [...totals].sort(([a], [b]) => (a < b ? -1 : 1)))
    console.log(`${String(n).padStart(10)}  ${what}`)
  const hours = Math.round(virtual / 3_600_000)
  console.log(`${hours} hours of virtual time in ${((performance.now() - began) / 1000).toFixed(1)} s`)
  const rare = tooRare(totals, seeds)
  for (const what of rare) console.log(`too rare: ${what}`)
  if (done < seeds) console.log(`${seeds - done} seeds were not run: a worker ended early`)
  console.log(`${done} seeds, ${failures.length} failures`)
  process.exitCode = failures.length > 0 || rare.length > 0 || done < seeds ? 1 : 0
}

/** A few seeds tell nothing of that. */
function tooRare(totals, seeds) {
  const least = seeds < 500 ? 0 : Math.floor(seeds / 100)
  return [...FAULT_KINDS.map((kind) => `fault ${kind}`), ...NEEDED].filter(
    (what) => (totals.get(what) ?? 0) < least,
  )
}
