/**
 * npm run sim:planted [-- PATTERN …]    plants each bug of test/planted/*.patch into a copy of the library, one at a time,
 *                                       and looks for it; prints after how many seeds it is found
 *                     [--seeds N] [--from S] [--workers W]
 *
 * A patch says in its head what looks for it, one a line: `Finder: sim`, the simulator, within N seeds (10,000 from 1);
 * `Finder: model`, the check of every state; `Finder: test PATH`, a test of the library. `Unseen: why` is of a bug that
 * nothing sees yet: it only has to apply. Ends with `N bugs, F not found, U that nothing sees yet`. A patch that does not
 * apply is not found.
 */
import { execFileSync, fork, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

const { values: given, positionals: patterns } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: 'string', default: '10000' },
    from: { type: 'string', default: '1' },
    workers: { type: 'string', default: String(availableParallelism()) },
    search: { type: 'string' },
  },
})
/** A seed takes some tens of milliseconds: one that takes so many does not end. */
const STUCK = 60_000
const MODEL = 'packages/socktools/test/wire/v1/model.test.ts'
const root = resolve(import.meta.dirname, '..')

if (given.search !== undefined) await search(JSON.parse(given.search))
else await conduct()

/** In a worker process, of the copy: seeds up to the first that fails. */
async function search({ from, to, step }) {
  // By their names, from what the copy built.
  const { simulate } = await import('socktools/testing')
  const { optionsOf, v1Socks } = await import('../test/sim/v1-socks.ts')
  for (let seed = from; seed < to; seed += step) {
    try {
      await simulate(optionsOf(seed), v1Socks({ sessions: true }))
      process.send({ seed })
    } catch (error) {
      process.send({ seed, failure: String(error?.what ?? error) })
      break
    }
  }
  process.disconnect()
}

async function conduct() {
  const folder = join(root, 'test/planted')
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.patch'))
    .filter((name) => patterns.length === 0 || patterns.some((pattern) => name.includes(pattern)))
    .sort()
  let missed = 0
  let unseen = 0
  for (const name of names) {
    const { found, seen = true, text } = await plant(join(folder, name))
    if (!found) missed++
    if (!seen) unseen++
    console.log(`${!found ? 'NOT FOUND' : seen ? 'found' : 'unseen'} ${name.replace('.patch', '')}: ${text}`)
  }
  console.log(`${names.length} bugs, ${missed} not found, ${unseen} that nothing sees yet`)
  process.exitCode = missed > 0 || names.length === 0 ? 1 : 0
}

async function plant(patch) {
  const head = readFileSync(patch, 'utf8')
  const finders = [...head.matchAll(/^Finder: (sim|model|test \S+)$/gm)].map(([, name]) => name)
  const [, unseen] = /^Unseen: (.*)$/m.exec(head) ?? []
  if (finders.length === 0 && unseen === undefined)
    return { found: false, text: 'it says nothing of who finds it' }
  const copy = copyOfTree()
  try {
    const { status, stderr } = spawnSync('git', ['apply', patch], { cwd: copy, encoding: 'utf8' })
    if (status !== 0) return { found: false, text: `it does not apply any more: ${stderr.trim()}` }
    if (unseen !== undefined) return { found: true, seen: false, text: unseen }
    let found = true
    const said = []
    for (const finder of finders) {
      const result = finder === 'sim' ? await bySim(copy) : byTest(copy, ...testsOf(finder))
      found &&= result.found
      said.push(`${finder}: ${result.text}`)
    }
    return { found, text: said.join('; ') }
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

function byTest(copy, path, names) {
  const argv = ['--import', 'tsx', '--test', '--test-name-pattern', names, path]
  const { status, stdout } = spawnSync(process.execPath, argv, {
    cwd: copy,
    encoding: 'utf8',
    env: plain(),
    timeout: 3 * STUCK,
  })
  const [, error = ''] = /error: \|-\s*\n\s*(.*)/.exec(stdout) ?? /error: ['"](.*)['"]/.exec(stdout) ?? []
  return status === 0 ? { found: false, text: 'nothing is wrong' } : { found: true, text: error }
}

async function bySim(copy) {
  // Not its declarations: a planted bug may leave something unused.
  const builds = `import { build } from 'tsdown'; await build({ cwd: 'packages/socktools', dts: false, logLevel: 'error' })`
  execFileSync(process.execPath, ['--input-type=module', '-e', builds], { cwd: copy, stdio: 'inherit' })
  const [seeds, from, step] = [Number(given.seeds), Number(given.from), Number(given.workers)]
  let done = 0
  let failure
  const workers = []
  const stopAll = () => {
    for (const { child } of workers) child.kill('SIGKILL')
  }
  const run = (first) => {
    const job = JSON.stringify({ from: from + first, to: from + seeds, step })
    const child = fork(join(copy, 'scripts/planted.mjs'), ['--search', job], {
      ...{
        cwd: copy,
        env: plain(),
        execArgv: ['--import', 'tsx'],
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      },
    })
    let noise = ''
    child.stderr.on('data', (chunk) => (noise = (noise + chunk).slice(-500)))
    let at = from + first
    let stuck
    const wait = () => {
      clearTimeout(stuck)
      stuck = setTimeout(() => {
        failure ??= `seed ${at} does not end`
        stopAll()
      }, STUCK)
    }
    wait()
    child.on('message', (message) => {
      wait()
      done++
      at = message.seed + step
      if (message.failure === undefined) return
      failure ??= `seed ${message.seed}: ${message.failure}`
      stopAll()
    })
    const ended = new Promise((resolve) => {
      child.on('exit', (code) => {
        clearTimeout(stuck)
        if (code !== 0 && code !== null) failure ??= `seed ${at} ends the process: ${noise.split('\n')[0]}`
        resolve()
      })
    })
    workers.push({ child, ended })
  }
  for (let first = 0; first < Math.min(step, seeds); first++) run(first)
  await Promise.all(workers.map(({ ended }) => ended))
  if (failure === undefined) return { found: false, text: `not within ${seeds} seeds` }
  return { found: true, text: `after ${done} seeds, ${failure}` }
}

/** Coverage of a copy tells nothing; and a run within a test is no part of that test. */
function plain() {
  const env = { ...process.env }
  delete env.NODE_V8_COVERAGE
  delete env.NODE_TEST_CONTEXT
  return env
}
