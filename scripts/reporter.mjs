/** Turns the events of node:test into what a person reads. One `Report` per test file. */
import { inspect } from 'node:util'

/** Node's own totals, which come as diagnostics. They count suites' files in; the project counts tests. */
const TOTALS = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/

export class Report {
  passed = 0
  /** @type {{ name: string, text: string }[]} */
  failures = []
  /** @type {{ name: string, reason: string }[]} */
  skips = []
  /** @type {{ name: string, ms: number }[]} */
  timings = []
  ms = 0
  /** What the file wrote, and what node:test had to say of it. Shown if something failed. */
  output = ''
  #path = []

  /** @param {string} file as shown  @param {string} fullPath what node:test calls the file itself */
  constructor(file, fullPath) {
    this.file = file
    this.fullPath = fullPath
  }

  async read(events) {
    for await (const { type, data } of events) {
      if (type === 'test:start') this.#path = [...this.#path.slice(0, data.nesting), data.name]
      else if (type === 'test:pass' || type === 'test:fail') this.#ended(type === 'test:pass', data)
      else if (type === 'test:complete' && data.name === this.fullPath) this.ms = data.details.duration_ms
      else if (type === 'test:stdout' || type === 'test:stderr') this.output += data.message
      else if (type === 'test:diagnostic' && !TOTALS.test(data.message)) this.output += `${data.message}\n`
    }
    // A test that never registered is not a test that passed.
    if (this.count === 0) this.failures.push({ name: this.file, text: 'this file ran no test' })
    return this
  }

  get count() {
    return this.passed + this.failures.length + this.skips.length
  }

  #ended(ok, { name, nesting, details, skip, todo }) {
    const isFile = name === this.fullPath
    const isSuite = details.type === 'suite'
    const path = isFile ? this.file : [...this.#path.slice(0, nesting), name].join(' > ')
    if (skip !== undefined || todo !== undefined) this.#skipped(path, skip ?? todo)
    else if (!ok) {
      // What failed inside has been told already; a suite or file fails on its own if a hook or the load did.
      if ((isSuite || isFile) && details.error.failureType === 'subtestsFailed') return
      this.failures.push({ name: path, text: explain(details.error) })
    } else if (!isSuite && !isFile) this.passed += 1
    if (!isSuite && !isFile) this.timings.push({ name: path, ms: details.duration_ms })
  }

  #skipped(name, reason) {
    if (typeof reason === 'string' && reason !== '') this.skips.push({ name, reason })
    else this.failures.push({ name, text: 'a skipped test states its reason: { skip: "why" }' })
  }

  /** One line for the file; then each skip with its reason and each failure in full. */
  toString() {
    const counts = [`${this.passed} passed`]
    if (this.failures.length > 0) counts.push(`${this.failures.length} FAILED`)
    if (this.skips.length > 0) counts.push(`${this.skips.length} skipped`)
    const lines = [
      `${this.failures.length > 0 ? 'not ok' : 'ok'}  ${this.file}  ${counts.join(', ')}  ${seconds(this.ms)}`,
    ]
    for (const { name, reason } of this.skips) lines.push(`    skipped: ${name}: ${reason}`)
    for (const { name, text } of this.failures) lines.push('', `  ✖ ${name}`, indent(text, 4), '')
    if (this.failures.length > 0 && this.output !== '')
      lines.push('  its output:', indent(this.output, 4), '')
    return lines.join('\n')
  }
}

/** @param {Report[]} reports */
export function slowest(reports, n) {
  return reports
    .flatMap((report) => report.timings.map(({ name, ms }) => ({ ms, text: `${report.file}  ${name}` })))
    .sort((a, b) => b.ms - a.ms)
    .slice(0, n)
    .map(({ ms, text }) => `${seconds(ms).padStart(8)}  ${text}`)
    .join('\n')
}

/** node:test wraps what was thrown; the reader wants what was thrown. A whole file fails by how it ended. */
function explain(error) {
  if (error.signal || error.exitCode > 0)
    return `the process ended with ${error.signal ?? `code ${error.exitCode}`}`
  const thrown = error.cause ?? error
  // What comes from the process of the test may be anything, an object without a prototype too.
  return typeof thrown === 'string' ? thrown : inspect(thrown, { depth: 6 })
}

const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`
const indent = (text, by) => text.trimEnd().replaceAll(/^(?=.)/gm, ' '.repeat(by))
