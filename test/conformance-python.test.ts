/** The peer in Python (interop/python/conformance.py) passes the cases that it claims. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { type TestContext, describe, test } from 'node:test'
import { env, needsPython } from './support/python.ts'

const root = resolve(import.meta.dirname, '..')
const python = join(root, 'interop/python')
const bin = join(root, 'packages/cli/bin/socktools.js')

function party(t: TestContext, ...args: string[]) {
  const file = join(python, 'conformance.py')
  const child = spawn('python3', [file, ...args], { stdio: ['ignore', 'pipe', 'inherit'], env })
  t.after(() => child.kill('SIGKILL'))
  return child
}

async function listening(t: TestContext, what: string): Promise<string> {
  const [line] = (await once(
    createInterface({ input: party(t, what, 'tcp://127.0.0.1:0').stdout }),
    'line',
  )) as string[]
  return (JSON.parse(line ?? '') as { listening: string }).listening
}

interface Told {
  readonly event: string
  readonly id: string
  readonly result: string
  readonly why: string
}

/** Runs the cases; `onAddress` is told where it listens. */
async function cases(t: TestContext, args: string[], onAddress?: (address: string) => void): Promise<Told[]> {
  const claims = join(python, 'conformance.claims')
  const child = spawn(process.execPath, [bin, 'conformance', '--json', '--claims', claims, ...args])
  t.after(() => child.kill('SIGKILL'))
  createInterface({ input: child.stderr }).on('line', (line) => {
    const { event, address } = JSON.parse(line) as { event: string; address: string }
    if (event === 'listening') onAddress?.(address)
  })
  const told: Told[] = []
  createInterface({ input: child.stdout }).on('line', (line) => told.push(JSON.parse(line) as Told))
  await once(child, 'close')
  return told.filter(({ event }) => event === 'case')
}

/** Which failed and why; of those that were run at least so many, and what is not claimed was not. */
function judged(told: readonly Told[], least: number): void {
  const failed = told.filter(({ result }) => result === 'FAILED').map(({ id, why }) => `${id}: ${why}`)
  assert.deepEqual(failed, [])
  const ok = told.filter(({ result }) => result === 'ok').length
  assert.ok(ok >= least, `${ok} cases`)
  const reasons = told.filter(({ result }) => result === 'skipped').map(({ why }) => why)
  assert.deepEqual(
    [...new Set(reasons)].filter((why) => !/^it does not claim (sessions|done)$|--slow/.test(why)),
    [],
  )
}

describe('the peer in Python passes the cases that it claims', () => {
  test('as the listener', needsPython, async (t) => {
    judged(await cases(t, [await listening(t, 'listen')]), 480)
  })

  test('as the dialer', needsPython, async (t) => {
    const told = await cases(t, ['--role', 'listener', 'tcp://127.0.0.1:0'], (address) => {
      party(t, 'dial', address)
    })
    judged(told, 430)
  })

  test('on the plain wire', needsPython, async (t) => {
    judged(await cases(t, ['--wire', 'plain', await listening(t, 'plain')]), 150)
  })
})

test('conformance.py without arguments tells how it is called', needsPython, () => {
  const { status, stderr } = spawnSync('python3', [join(python, 'conformance.py')], { env, encoding: 'utf8' })
  assert.equal(status, 1)
  assert.match(stderr, /conformance\.py listen/)
})
