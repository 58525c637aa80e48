// npm run bench: the project against its rivals, in one interleaved run.
//
//   node bench/run.mjs [--quick] [--json] [--markdown] [--only WORKLOAD,...] [--contenders NAME,...] [--rounds N]
//
// setup.mjs makes what is needed, workloads.mjs says what is run in which order, trial.mjs runs one trial,
// goals.mjs judges, report.mjs prints. Progress goes to stderr, the report to stdout.
import { parseArgs } from 'node:util'
import { contenders } from './contenders/index.mjs'
import { judgeAll, OURS } from './goals.mjs'
import { machine, markdown, rates, short, table } from './report.mjs'
import { mayHoldIdle, setUp } from './setup.mjs'
import { runTrial, ShortWindow } from './trial.mjs'
import { jobOf, plans, scheduleRound, workloads } from './workloads.mjs'

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    markdown: { type: 'boolean', default: false },
    only: { type: 'string' },
    contenders: { type: 'string' },
    rounds: { type: 'string' },
  },
})
const { chosen, names } = choose()
const usual = plans[options.quick ? 'quick' : 'full']
const plan = { ...usual, rounds: Number(options.rounds ?? usual.rounds) }
if (!(plan.rounds >= 1)) {
  console.error(`--rounds takes a number from 1 up, not ${options.rounds}`)
  process.exit(2)
}

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1)) // the exit kills the children

/** @param {string} line */
const say = (line) => process.stderr.write(`${line}\n`)

const missing = setUp(say)
for (const name of missing.keys()) if (!names.includes(name)) missing.delete(name)
for (const [name, why] of missing) say(`left out: ${name} (${why})`)
if (missing.has(OURS)) process.exit(1)

if (!mayHoldIdle()) {
  say('left out: idle (too few open files are allowed)')
  chosen.splice(0, chosen.length, ...chosen.filter(({ kind }) => kind !== 'idle'))
}

/** @type {import('./report.mjs').Figures} */
const figures = {}
/** @type {{ workload: string, contender: string, round: number, error: string }[]} */
const failures = []
const { cpu, cores, node, os, load } = machine()
const started = performance.now()
const rounds = await runRounds()
report()

/** What the options ask for, checked by name. */
function choose() {
  const inMode = workloads.flatMap(({ quick, ...workload }) => {
    if (!options.quick) return [workload]
    return quick ? [{ ...workload, contenders: quick }] : []
  })
  const wanted = options.only?.split(',') ?? inMode.map(({ name }) => name)
  const names = options.contenders?.split(',') ?? Object.keys(contenders)
  const unknown = [
    ...wanted.filter((name) => !inMode.some((workload) => workload.name === name)),
    ...names.filter((name) => !(name in contenders)),
  ]
  if (unknown.length > 0) {
    console.error(
      `not known${options.quick ? ' in a quick run' : ''}: ${unknown.join(', ')}\n` +
        `workloads: ${inMode.map(({ name }) => name).join(', ')}\ncontenders: ${Object.keys(contenders).join(', ')}`,
    )
    process.exit(2)
  }
  return { chosen: inMode.filter(({ name }) => wanted.includes(name)), names }
}

/** @returns {Promise<number>} how many rounds there was time for */
async function runRounds() {
  let longest = 0
  for (let round = 0; round < plan.rounds; round++) {
    const begun = performance.now()
    if (begun - started + longest > plan.budgetMs) {
      say(`no time for round ${round + 1}`)
      return round
    }
    for (const slot of scheduleRound(chosen, round, (name) => names.includes(name) && !missing.has(name))) {
      if (performance.now() - started > plan.budgetMs) {
        say(`no time for the rest of round ${round + 1}`)
        return round
      }
      if (!hasGivenUp(slot)) await runSlot(slot, round)
    }
    longest = Math.max(longest, performance.now() - begun)
  }
  return plan.rounds
}

/**
 * Two failures of a contender in a workload, and its other rounds are not tried.
 * @param {ReturnType<typeof scheduleRound>[number]} slot
 */
function hasGivenUp({ workload, contender }) {
  const same = failures.filter(
    (failure) => failure.workload === workload.name && failure.contender === contender,
  )
  return same.length >= 2
}

/**
 * @param {ReturnType<typeof scheduleRound>[number]} slot
 * @param {number} round
 */
async function runSlot({ workload, contender }, round) {
  const label = `round ${round + 1}/${plan.rounds} ${workload.name} ${contender}`
  try {
    const result = await runPatiently(contender, jobOf(workload, plan))
    const values = workload.measures.map(({ name, unit, of }) => {
      const value = of(result)
      const byContender = (figures[name] ??= {})
      const rounds = (byContender[contender] ??= [])
      rounds[round] = value
      return `${short(value)} ${unit}`
    })
    say(`${label}: ${values.join(', ')}`)
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown.message : String(thrown)
    failures.push({ workload: workload.name, contender, round, error })
    say(`${label}: FAILED, ${error}`)
  }
}

/**
 * A window that was too short is measured anew, twice at most.
 * @param {string} contender
 * @param {import('./workloads.mjs').Job} job
 */
async function runPatiently(contender, job) {
  for (let left = 2; ; left--) {
    try {
      return await runTrial(contender, job)
    } catch (error) {
      if (left === 0 || !(error instanceof ShortWindow)) throw error
    }
  }
}

function report() {
  const measures = chosen.flatMap((workload) => workload.measures)
  const verdicts = judgeAll(figures)
  const seconds = Math.round((performance.now() - started) / 1000)
  if (options.markdown) console.log(markdown(figures, measures, verdicts))
  else console.log(table(figures, measures, verdicts))
  console.log(
    `\n${cpu}, ${cores} cores, Node ${node}, ${os}, load ${load} before; ${rounds} rounds of ${plan.measureMs} ms in ${seconds} s`,
  )
  for (const [name, why] of missing) console.log(`left out: ${name} (${why})`)
  for (const { workload, contender, round, error } of failures) {
    console.log(`failed: ${contender} in ${workload}, round ${round + 1}: ${error}`)
  }
  if (options.json) {
    console.log(
      JSON.stringify({
        quick: options.quick,
        machine: { cpu, cores, node, os, load },
        rounds,
        seconds,
        goals: verdicts,
        rates: rates(figures, measures),
        leftOut: Object.fromEntries(missing),
        failures,
      }),
    )
  }
  // Goals that are not met are a finding, not an error; messages of ours that did not arrive are one.
  process.exitCode = failures.some(({ contender }) => contender === OURS) ? 1 : 0
}
