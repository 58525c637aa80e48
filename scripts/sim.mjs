/**
 * npm run sim -- --seeds N --from S     runs the scenario of test/sim with the seeds S … S+N-1 (100 from 1), on what was
 *                                       built, in one worker process per core; prints what happened how often, and a
 *                                       replay line for each failure
 *               [--workers W] [--sessions on|off] [--lossless] [--no-shrink] [--stuck MS]
 * npm run sim -- --replay LINE          one run as that line has it, with its whole trace
 *
 * Ends with `N seeds, F failures`. It fails as well if something that it is to show happened too rarely: each kind of
 * fault and each transition at least 100 times in 10,000 seeds.
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { FAULT_KINDS, simulate, SimulationError } from 'socktools/testing'
import { runSeeds } from './seeds.mjs'
import { optionsOf } from '../test/sim/v1-plan.ts'
import { NEEDED, v1Socks } from '../test/sim/v1-socks.ts'

const { values: given } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    workers: { type: 'string', default: String(availableParallelism()) },
    replay: { type: 'string' },
    lossless: { type: 'boolean', default: false },
    sessions: { type: 'string' },
    'no-shrink': { type: 'boolean', default: false },
    stuck: { type: 'string', default: '60000' },
    worker: { type: 'string' },
  },
})
/** Runs that a failing seed may spend on a smaller case, failures of one worker that are worth it, and milliseconds. */
const SHRINK = { runs: 80, failures: 2, patience: 300_000 }

/** Failures that are told with everything. */
const SHOWN = 10

/** What each seed has, beside the 200 sends that the scenario itself asks for: else it is too little of a run. */
const LEAST = { faults: 3, time: 600_000 }

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
async function work({ from, to, step }) {
  let shrinks = given['no-shrink'] ? 0 : SHRINK.failures
  // Thousands of errors are made on purpose, and nobody looks where. A seed that fails is run once more, and tells.
  const traces = Error.stackTraceLimit
  for (let seed = from; seed < to; seed += step) {
    const options = optionsOf(seed)
    Error.stackTraceLimit = 0
    const cpu = process.cpuUsage()
    try {
      const { counts, hash, time } = await simulate(options, scenario)
      const faults = FAULT_KINDS.reduce((sum, kind) => sum + (counts[`fault ${kind}`] ?? 0), 0)
      if (faults < LEAST.faults || time < LEAST.time)
        throw new Error(`seed ${seed} has only ${faults} faults in ${time} ms`)
      process.send({ seed, counts, hash, time, cpu: cpuSince(cpu) })
    } catch (failed) {
      Error.stackTraceLimit = traces
      process.send({ patience: SHRINK.patience })
      const error =
        failed instanceof SimulationError
          ? await again({ ...options, shrink: shrinks-- > 0 ? SHRINK.runs : 0 })
          : failed
      const known = error instanceof SimulationError
      process.send({
        seed,
        failure: {
          text: known ? error.what : String(error),
          stack: String((known ? error.cause : error)?.stack ?? ''),
          lines: known ? error.lines.slice(-25) : [],
          replay: known ? error.report.replay : JSON.stringify(options),
        },
      })
    }
  }
  process.disconnect()
}

/** In milliseconds. */
function cpuSince(before) {
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
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
  let virtual = 0
  let cpu = 0
  const shrink = given['no-shrink'] ? ['--no-shrink'] : []
  const onResult = ({ seed, counts, time = 0, failure, dead, ...ran }) => {
    virtual += time
    cpu += ran.cpu ?? 0
    for (const [what, n] of Object.entries(counts ?? {})) totals.set(what, (totals.get(what) ?? 0) + n)
    if (failure !== undefined) failed(seed, failure)
    if (dead !== undefined)
      failed(seed, {
        text: `seed ${seed} ${dead}`,
        stack: '',
        lines: [],
        replay: JSON.stringify(optionsOf(seed)),
      })
  }
  const failed = (seed, { text, stack, lines, replay }) => {
    failures.push(seed)
    if (failures.length > SHOWN) return console.log(`FAILED ${text.split('\n')[0]}`)
    console.log([`\nFAILED ${text}`, stack, ...lines].join('\n'))
    return console.log(`${['npm run sim --', ...flags, '--replay'].join(' ')} '${replay}'\n`)
  }
  const file = import.meta.filename
  const done = await runSeeds({
    file,
    argv: [...flags, ...shrink],
    from,
    seeds,
    workers,
    stuck: whole('stuck'),
    onResult,
  })
  for (const [what, n] of [...totals].sort(([a], [b]) => (a < b ? -1 : 1)))
    console.log(`${String(n).padStart(10)}  ${what}`)
  const hours = Math.round(virtual / 3_600_000)
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  console.log(
    `${hours} hours of virtual time in ${seconds} s, with ${(cpu / 1000).toFixed(1)} s of processor time`,
  )
  const rare = tooRare(totals, seeds)
  for (const what of rare) console.log(`too rare: ${what}`)
  if (done < seeds) console.log(`${seeds - done} seeds were not run: their workers ended too often`)
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
