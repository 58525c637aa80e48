/** Coverage of the library's src, from what V8 wrote for each process of the tests. Reported by c8: .c8rc.json. */
import { execFileSync, execSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const GOALS = { lines: 95, branches: 90 }
const written = resolve(import.meta.dirname, '../coverage/v8')

/** Node writes coverage on exit if its environment says so; child processes of the tests inherit it. */
export function collectCoverage() {
  rmSync('coverage', { recursive: true, force: true })
  process.env.NODE_V8_COVERAGE = written
}

/** Prints the table, and says whether the goals are met. */
export function coverageReached() {
  // A file that no test imports is to count as not covered, rather than not at all.
  for (const entry of ['index.ts', 'wire/msgpack/msgpack.ts', 'store/index.ts', 'testing/index.ts']) {
    execFileSync(process.execPath, ['--import', 'tsx', join('packages/socktools/src', entry)])
  }
  delete process.env.NODE_V8_COVERAGE
  const cut = keepWhatWasWritten(written)
  if (cut > 0) console.log(`coverage: ${cut} processes were ended while they wrote theirs; it is not counted`)
  execSync('npm run --silent coverage', { stdio: ['ignore', 'inherit', 'inherit'] })
  const { total } = JSON.parse(readFileSync('coverage/coverage-summary.json', 'utf8'))
  const short = Object.entries(GOALS).filter(([what, goal]) => !(total[what].pct >= goal))
  for (const [what, goal] of short) {
    console.log(`\nnot ok  coverage: ${total[what].pct} % of ${what}, the goal is ${goal} %`)
  }
  return short.length === 0
}

/**
 * Makes the files of `folder` fit to be reported. tsx adds `__name` to each file and a `static {}` to each class; the
 * source map gives these the place of the code before them, where they would count as lines that ran. A file that ends
 * in its middle is of a process that a test ended by a signal while it wrote: it is removed. Returns how many were.
 */
export function keepWhatWasWritten(folder) {
  const added = ['__name', '<static_initializer>']
  let cut = 0
  for (const file of readdirSync(folder)) {
    const path = join(folder, file)
    const coverage = parsed(readFileSync(path, 'utf8'))
    if (coverage === undefined) {
      rmSync(path)
      cut++
      continue
    }
    const result = coverage.result
      .filter(({ url }) => url.includes('/packages/socktools/src/'))
      .map((script) => ({
        ...script,
        functions: script.functions.filter(({ functionName }) => !added.includes(functionName)),
      }))
    writeFileSync(path, JSON.stringify({ ...coverage, result }))
  }
  return cut
}

function parsed(text) {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
