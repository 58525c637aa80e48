/**
 * npm run sim:planted [-- PATTERN …]    plants each bug of test/planted/*.patch into a copy of the library, each in its own,
 *                                       and looks for it, two bugs at a time; a table tells what found it after how many seeds
 *                     [--seeds N] [--from S] [--workers W] [--minutes M] [--finder sim]
 *
 * A patch says in its head what looks for it: `Finder: sim`, the simulator, within N seeds (10,000 from 1), and
 * `Finder: model`, the check of every state, or `Finder: test PATH`, a test of the library. `--finder` takes the place of
 * all of them. `Unseen: why` is of a bug that none of them sees yet: it only has to apply.
 *
 * A patch that does not apply is not found, nor is what is still looked for after M minutes (12). Ends with
 * `N bugs, F not found, U that nothing sees yet, S seeds in T s`.
 */
import { execFile, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { jobOf, runSeeds } from './seeds.mjs'

/** A test, or the model, with a bug takes no longer than without. */
const TEST_TIMEOUT = 180_000
/** Milliseconds after which a seed does not end. */
const STUCK = 30_000
const MODEL = 'packages/socktools/test/wire/v1/model.test.ts'
const root = resolve(import.meta.dirname, '..')

const job = jobOf(process.argv)
if (job === undefined) await conduct()
else await search(job)

/** In a worker process, of the copy: seeds up to the first that fails. */
async function search({ from, to, step }) {
  Error.stackTraceLimit = 0
  // By their names, from what the copy built.
  const { simulate } = await import('socktools/testing')
  const { optionsOf } = await import('../test/sim/v1-plan.ts')
  const { v1Socks } = await import('../test/sim/v1-socks.ts')
  for (let seed = from; seed < to; seed += step) {
    try {
      await simulate(optionsOf(seed), v1Socks({ sessions: true }))
      process.send({ seed })
    } catch (error) {
      process.send({ seed, failure: String(error?.what ?? error) })
    }
  }
  process.disconnect()
}

async function conduct() {
  const { values: given, positionals: patterns } = parseArgs({
    allowPositionals: true,
    options: {
      seeds: { type: 'string', default: '10000' },
      from: { type: 'string', default: '1' },
      workers: { type: 'string', default: String(availableParallelism()) },
      minutes: { type: 'string', default: '12' },
      finder: { type: 'string' },
    },
  })
  const began = performance.now()
  const seconds = () => (performance.now() - began) / 1000
  const late = AbortSignal.timeout(Number(given.minutes) * 60_000)
  const how = { seeds: Number(given.seeds), from: Number(given.from), finder: given.finder, signal: late }
  const folder = join(root, 'test/planted')
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.patch'))
    .filter((name) => patterns.length === 0 || patterns.some((pattern) => name.includes(pattern)))
    .sort()
  const total = { missed: 0, unseen: 0, seeds: 0 }
  const row = (name, finder, seeds, said) =>
    console.log(`${name.padEnd(24)}  ${finder.padEnd(6)}  ${String(seeds).padStart(6)}  ${said}`)
  row('bug', 'finder', 'seeds', 'what it says')
  const waiting = [...names]
  const lane = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const results = await plant(join(folder, name), how)
      for (const { finder, seeds = '', found, text } of results) {
        row(name.replace('.patch', ''), finder, seeds, (found ? text : `NOT FOUND: ${text}`).slice(0, 160))
        total.seeds += Number(seeds)
      }
      if (results.some(({ found }) => !found)) total.missed++
      if (results.some(({ finder }) => finder === 'none')) total.unseen++
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, Number(given.workers)) }, lane))
  const { missed, unseen, seeds } = total
  const end = `${missed} not found, ${unseen} that nothing sees yet, ${seeds} seeds in ${seconds().toFixed(0)} s`
  console.log(`${names.length} bugs, ${end}`)
  process.exitCode = missed > 0 || names.length === 0 ? 1 : 0
}

/** What each of its finders says. */
async function plant(patch, how) {
  const head = readFileSync(patch, 'utf8')
  const [, unseen] = /^Unseen: (.*)$/m.exec(head) ?? []
  const named = [...head.matchAll(/^Finder: (sim|model|test \S+)$/gm)].map(([, name]) => name)
  const finders = how.finder === undefined ? named : [how.finder]
  if (finders.length === 0 && unseen === undefined)
    return [{ finder: '-', found: false, text: 'it says nothing of who finds it' }]
  if (how.signal.aborted) return [{ finder: '-', found: false, text: 'there was no time left' }]
  const copy = copyOfTree()
  try {
    const { status, stderr } = spawnSync('git', ['apply', patch], { cwd: copy, encoding: 'utf8' })
    if (status !== 0)
      return [{ finder: '-', found: false, text: `it does not apply any more: ${stderr.trim()}` }]
    if (finders.length === 0) return [{ finder: 'none', found: true, text: unseen }]
    const results = []
    for (const finder of finders) {
      const result = finder === 'sim' ? await bySim(copy, how) : await byTest(copy, how, ...testsOf(finder))
      results.push({ finder: finder.split(' ')[0], ...result })
    }
    return results
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

/** What is needed to build the library and to look for bugs. Its packages are those of this tree, but for the library. */
function copyOfTree() {
  const copy = mkdtempSync(join(tmpdir(), 'socktools-planted-'))
  const library = 'packages/socktools'
  const isOurs = (path) => !/[\\/](node_modules|dist)$/.test(path)
  for (const path of ['package.json', 'tsconfig.base.json', 'scripts', 'test/sim', library])
    cpSync(join(root, path), join(copy, path), { recursive: true, filter: isOurs })
  mkdirSync(join(copy, 'node_modules'))
  for (const name of readdirSync(join(root, 'node_modules')))
    if (!name.startsWith('.') && name !== 'socktools')
      symlinkSync(join(root, 'node_modules', name), join(copy, 'node_modules', name))
  symlinkSync(join(copy, library), join(copy, 'node_modules/socktools'))
  return copy
}

/** The path of the tests, and which of them. */
function testsOf(finder) {
  return finder === 'model' ? [MODEL, 'a session, in every state'] : [finder.slice('test '.length), '']
}

async function byTest(copy, { signal }, path, names) {
  // One process, which can be ended: not a runner that has others.
  const argv = ['--import', 'tsx', '--test-reporter', 'tap', '--test-name-pattern', names, path]
  const { error, stdout } = await run(argv, { cwd: copy, signal, timeout: TEST_TIMEOUT })
  if (signal.aborted) return { found: false, text: 'there was no time left' }
  const [, text = 'it did not end'] =
    /error: \|-\s*\n\s*(.*)/.exec(stdout) ?? /error: ['"](.*)['"]/.exec(stdout) ?? []
  return error === null ? { found: false, text: 'nothing is wrong' } : { found: true, text }
}

async function bySim(copy, { seeds, from, signal }) {
  // Not its declarations: a planted bug may leave something unused.
  const builds = `import { build } from 'tsdown'; await build({ cwd: 'packages/socktools', dts: false, logLevel: 'error' })`
  const { error, stderr } = await run(['--input-type=module', '-e', builds], { cwd: copy, signal })
  if (error !== null) return { found: false, text: `it does not build: ${stderr.trim() || error.message}` }
  let first
  const onResult = ({ seed, failure, dead }) => {
    if (failure === undefined && dead === undefined) return true
    first = failure ?? `seed ${seed} ${dead.split('\n')[0]}`
    return false
  }
  // One process for each bug: the number of its seeds is the same in each run.
  const done = await runSeeds({
    ...{ file: join(copy, 'scripts/planted.mjs'), cwd: copy, execArgv: ['--import', 'tsx'] },
    ...{ from, seeds, workers: 1, stuck: STUCK, signal, onResult },
  })
  if (first !== undefined) return { found: true, seeds: done, text: first }
  return { found: false, seeds: done, text: signal.aborted ? 'there was no time left' : 'in none of these' }
}

/** Node, with these arguments. Never rejects. */
function run(argv, options) {
  return new Promise((done) => {
    const how = { encoding: 'utf8', env: plain(), killSignal: 'SIGKILL', maxBuffer: 2 ** 28, ...options }
    execFile(process.execPath, argv, how, (error, stdout, stderr) => done({ error, stdout, stderr }))
  })
}

/** Coverage of a copy tells nothing; and a run within a test is no part of that test. */
function plain() {
  const env = { ...process.env }
  delete env.NODE_V8_COVERAGE
  delete env.NODE_TEST_CONTEXT
  return env
}
