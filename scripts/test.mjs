/**
 * npm test [-- PATTERN …]   builds, runs every *.test.ts whose path contains a PATTERN (default: all), and
 *                           checks the coverage of the library if all ran
 * npm run test:full         the *.full.test.ts files too: long runs
 *
 * Started with `--import tsx`, which the processes of the tests inherit. Ends with one line:
 * `N passed, N failed[, N skipped]`.
 */
import { execSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { run } from 'node:test'
import { collectCoverage, coverageReached } from './coverage.mjs'
import { Report, slowest } from './reporter.mjs'

const CONCURRENCY = 2

const args = process.argv.slice(2)
const full = args.includes('--full')
const patterns = args.filter((arg) => arg !== '--full')
/** A file that hangs, on a handle it left open say, is ended and counts as failed. */
const timeout = (full ? 60 : 5) * 60_000

process.chdir(resolve(import.meta.dirname, '..'))

try {
  execSync('npm run --silent build', { stdio: ['ignore', 'inherit', 'inherit'] })
} catch {
  end({ passed: 0, failed: 1, skipped: 0 })
}

const files = testFiles()
if (files.length === 0) console.log(`no test file matches ${patterns.join(' ')}`)
const coverage = patterns.length === 0
if (coverage) collectCoverage()

const reports = await runAll(files).catch((error) => {
  // Without this a fault of the reporter itself would end the run without a word.
  console.log(error)
  end({ passed: 0, failed: 1, skipped: 0 })
})
const total = { passed: 0, failed: 0, skipped: 0 }
for (const report of reports) {
  total.passed += report.passed
  total.failed += report.failures.length
  total.skipped += report.skips.length
}
if (reports.length > 0) console.log(`\nslowest tests\n${slowest(reports, 10)}\n`)
if (coverage && total.passed > 0) {
  if (coverageReached()) total.passed += 1
  else total.failed += 1
}
end(total)

function testFiles() {
  const packages = readdirSync('packages').map((name) => join('packages', name, 'test'))
  return [...packages, 'examples', 'test']
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder, { recursive: true }).map((file) => join(folder, file)))
    .filter((file) => file.endsWith('.test.ts') && !file.includes('node_modules'))
    .filter((file) => full || !file.endsWith('.full.test.ts'))
    .filter((file) => patterns.length === 0 || patterns.some((pattern) => file.includes(pattern)))
    .sort()
}

/** Each file in a process of its own, and in a run of its own: events do not tell which file they are of. */
async function runAll(files) {
  const reports = []
  const waiting = [...files]
  const worker = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const path = resolve(file)
      const report = await new Report(file, path).read(run({ files: [path], timeout }))
      reports.push(report)
      console.log(String(report))
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
  return reports
}

function end({ passed, failed, skipped }) {
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
  process.exit(failed > 0 || passed === 0 ? 1 : 0)
}
