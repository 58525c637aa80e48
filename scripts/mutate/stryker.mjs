/** One run of Stryker: the mutants of one source file against its tests. Pure tests in one process, bundled once. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Stryker } from '@stryker-mutator/core'

/** A mutant that loops is ended after so long, and twice what the tests take: the machine may be busy. */
const TIMEOUT = 5000
const TIMEOUT_FACTOR = 2
/** Megabytes. A mutant that fills memory is ended too. */
const HEAP = 768

const tools = import.meta.dirname
const library = 'packages/socktools'

/** What came of each mutant of `file`, or of those in `places` of it, ignored ones too. The current folder is the root. */
export async function stryker({ root, file, places, tests, workers, temp }) {
  const bundle = join(library, 'mutate.bundle.mjs')
  const bail = `--test-reporter=${join(tools, 'bail.mjs')} --test-reporter-destination=stdout`
  const mutants = await new Stryker({
    mutate: places ?? [file],
    testRunner: 'command',
    commandRunner: { command: `exec node --max-old-space-size=${HEAP} ${bail} ${bundle}` },
    buildCommand: ['node', join(tools, 'bundle.mjs'), bundle, root, ...tests].join(' '),
    plugins: [join(tools, 'texts.mjs')],
    ignorers: ['texts'],
    ignorePatterns: ['**', `!${library}/src/**`, `!${library}/test/**`, `!${library}/package.json`],
    concurrency: workers,
    timeoutMS: TIMEOUT,
    timeoutFactor: TIMEOUT_FACTOR,
    disableTypeChecks: false,
    reporters: [],
    logLevel: 'error',
    fileLogLevel: 'off',
    tempDirName: temp,
    cleanTempDir: 'always',
  }).runMutationTest()
  const lines = readFileSync(file, 'utf8').split('\n')
  return mutants.map(({ status, mutatorName, replacement, location }) => {
    return { status, mutatorName, replacement, location, original: textAt(lines, location) }
  })
}

function textAt(lines, { start, end }) {
  if (start.line === end.line) return lines[start.line - 1].slice(start.column - 1, end.column - 1)
  return `${lines[start.line - 1].slice(start.column - 1)} …`
}
