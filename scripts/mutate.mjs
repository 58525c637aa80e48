/**
 * npm run mutate [-- --only NAME …]   changes the source a little, in one place after another, and looks whether a test
 *                                     fails. NAME is part of a path, as in `wire/v1/session`
 *                [--survivors]        only what no test found last time, after a test was added
 *                [--late]             only what was ended by time: on a busy machine a slow run is taken for a loop
 *                [--minutes M]        begins with no file after so long (60)
 *                [--workers W]        mutants at a time (2)
 *                [--table]            runs nothing: what is known, as a table and a list of survivors
 *
 * Which files, and with which tests: scripts/mutate/subjects.mjs. What came of each file is kept in .cache/mutate/; what
 * has not changed since is not run again. Ends with `N mutants, K killed, S survived: P %`, and fails where a file is below
 * the bar. Stryker is installed beside it, in scripts/mutate/, on first use.
 */
import { execSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { subjects } from './mutate/subjects.mjs'

/** Percent that have to be killed of each file. */
const BAR = 85
const root = resolve(import.meta.dirname, '..')
const tools = join(root, 'scripts/mutate')
const cache = join(root, '.cache/mutate')
const library = 'packages/socktools'
process.chdir(root)

const { values: given } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    survivors: { type: 'boolean', default: false },
    late: { type: 'boolean', default: false },
    minutes: { type: 'string', default: '60' },
    workers: { type: 'string', default: '2' },
    table: { type: 'boolean', default: false },
  },
})
const names = Object.keys(subjects).filter((name) => given.only?.some((part) => name.includes(part)) ?? true)
const end = performance.now() + Number(given.minutes) * 60_000
if (!given.table && !existsSync(join(tools, 'node_modules')))
  execSync('npm ci --ignore-scripts --prefer-offline', { cwd: tools, stdio: 'inherit' })

const results = new Map()
for (const name of names) {
  const result = given.table || performance.now() > end ? known(name) : await mutated(name)
  if (result === undefined) console.log(`${name.padEnd(24)} not run`)
  else results.set(name, result)
  if (result !== undefined && !given.table) console.log(lineOf(name, result))
}
if (given.table) for (const line of tableOf(results)) console.log(line)
for (const [name, { mutants }] of results)
  for (const mutant of mutants.filter(survived)) console.log(describe(name, mutant))
const total = countOf([...results.values()].flatMap(({ mutants }) => mutants))
console.log(`${total.all} mutants, ${total.killed} killed, ${total.survived} survived: ${total.score} %`)
const low = [...results.values()].some(({ mutants }) => scoreOf(mutants) < BAR)
process.exitCode = low || results.size === 0 ? 1 : 0

/** What was seen of a file, whether or not it has changed since. */
function known(name) {
  const path = kept(name)
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined
}

async function mutated(name) {
  const before = known(name)
  const source = hashOf([`src/${name}.ts`])
  const tests = hashOf(subjects[name].map((test) => `test/${test}`))
  const sameSource = before?.source === source
  const again = sameSource && (given.survivors || given.late) ? before.mutants.filter(wanted) : undefined
  if (sameSource && before.tests === tests && again === undefined) return before
  if (again?.length === 0) return before
  const file = `${library}/src/${name}.ts`
  const places = again?.map(({ location: { start, end } }) => {
    // Stryker counts columns of a range from 0, and its end in.
    return `${file}:${start.line}:${start.column - 1}-${end.line}:${end.column}`
  })
  const { stryker } = await import('./mutate/stryker.mjs')
  const workers = Number(given.workers)
  const ran = await stryker({ root, file, places, tests: subjects[name], workers, temp: join(cache, 'tmp') })
  const mutants = again === undefined ? ran : merged(before.mutants, ran)
  const result = { source, tests, mutants }
  mkdirSync(dirname(kept(name)), { recursive: true })
  writeFileSync(kept(name), JSON.stringify(result))
  return result
}

function merged(before, ran) {
  const now = new Map(ran.map((mutant) => [keyOf(mutant), mutant]))
  return before.map((mutant) => (wanted(mutant) ? (now.get(keyOf(mutant)) ?? mutant) : mutant))
}

/** Whether a mutant of last time is to be run again. */
function wanted(mutant) {
  return given.late ? mutant.status === 'Timeout' : survived(mutant)
}

function survived({ status }) {
  return status === 'Survived' || status === 'NoCoverage'
}

function countOf(mutants) {
  const survivors = mutants.filter(survived).length
  const killed = mutants.filter(({ status }) => status === 'Killed' || status === 'Timeout').length
  const late = mutants.filter(({ status }) => status === 'Timeout').length
  // Rounded down: what reads 85.0 reaches that.
  const score = (Math.floor(10 * scoreOf(mutants)) / 10).toFixed(1)
  return { all: killed + survivors, killed, late, survived: survivors, score }
}

function scoreOf(mutants) {
  const counted = mutants.filter(
    (mutant) => survived(mutant) || ['Killed', 'Timeout'].includes(mutant.status),
  )
  return counted.length === 0
    ? 100
    : (100 * counted.filter((mutant) => !survived(mutant)).length) / counted.length
}

function lineOf(name, { mutants }) {
  const { all, killed, late, survived, score } = countOf(mutants)
  return `${name.padEnd(24)} ${all} mutants, ${killed} killed (${late} by time), ${survived} survived: ${score} %`
}

function* tableOf(results) {
  yield '| file | mutants | killed | of these by time | survived | score |'
  yield '| --- | --- | --- | --- | --- | --- |'
  for (const [name, { mutants }] of results) {
    const { all, killed, late, survived, score } = countOf(mutants)
    yield `| \`${name}\` | ${all} | ${killed} | ${late} | ${survived} | ${score} % |`
  }
}

function describe(name, { location: { start }, mutatorName, original, replacement }) {
  const short = (text) => (text.length > 60 ? `${text.slice(0, 57)}…` : text).replaceAll(/\s+/g, ' ')
  return `${name}.ts:${start.line}:${start.column} ${mutatorName}  ${short(original)}  →  ${short(replacement ?? '')}`
}

function kept(name) {
  return join(cache, `${name}.json`)
}

function keyOf({ mutatorName, replacement, location: { start, end } }) {
  return [mutatorName, replacement, start.line, start.column, end.line, end.column].join(' ')
}

function hashOf(paths) {
  const hash = createHash('sha256')
  for (const path of paths) hash.update(readFileSync(join(library, path)))
  return hash.digest('hex')
}
