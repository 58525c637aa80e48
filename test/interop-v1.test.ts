/** Wire v1 in Python (interop/python), which shares nothing with ours: the cases of spec/vectors/v1.json, and two of it. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, describe, test } from 'node:test'

const root = resolve(import.meta.dirname, '..')
const peerPy = join(root, 'interop/python/peer.py')
const vectorsFile = join(root, 'spec/vectors/v1.json')
// No __pycache__ in the tree.
const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' }

const noPython = spawnSync('python3', ['--version']).error !== undefined
const needsPython = { skip: noPython && 'there is no python3 on the PATH' }

test('the cases of spec/vectors/v1.json hold in Python, the conversations too', needsPython, () => {
  const { stdout, stderr } = spawnSync('python3', [peerPy, 'vectors', vectorsFile], { encoding: 'utf8', env })
  const { cases } = JSON.parse(readFileSync(vectorsFile, 'utf8')) as { cases: unknown[] }
  assert.deepEqual(JSON.parse(stdout || stderr), { cases: cases.length, failed: [] })
})

describe('Python against Python', () => {
  test('a call and its reply, an error with its data, a type that is not there', needsPython, async (t) => {
    const { address } = await serving(t)
    assert.deepEqual(await v1(t, 'call', address, 'add', '{"a":1,"b":2}'), [[{ reply: 3 }], 0])
    assert.deepEqual(await v1(t, 'call', address, 'echo', '{"x":[1,null]}'), [
      [{ reply: { x: [1, null] } }],
      0,
    ])
    const error = { code: 'NO_FUNDS', text: 'not enough', data: { has: 3 } }
    assert.deepEqual(await v1(t, 'call', address, 'fail', '{"has":3}'), [[{ error }], 1])
    const [[{ error: unknown }], status] = await v1(t, 'call', address, 'nope', '1')
    assert.deepEqual([unknown.code, status], ['UNKNOWN_TYPE', 1])
  })

  test('with the same contract neither sends its types', needsPython, async (t) => {
    const { address } = await serving(t, '--contract', contractFile)
    const reply = await v1(t, 'call', address, 'echo', '"hi"', '--contract', contractFile)
    assert.deepEqual(reply, [[{ reply: 'hi' }], 0])
  })

  test('a call in megabytes, there and back in chunks', needsPython, async (t) => {
    const { address } = await serving(t)
    // An argument of a program has at most 128 KiB.
    const text = '0123456789abcdef'.repeat(8000)
    assert.deepEqual(await v1(t, 'call', address, 'echo', JSON.stringify(text)), [[{ reply: text }], 0])
    const items = JSON.stringify({ n: 3, size: 3_000_000 })
    assert.deepEqual(await v1(t, 'watch', address, 'count', items, '--quiet', 'true'), [[{ end: 3 }], 0])
  })

  test('a feed to its end, many windows long', needsPython, async (t) => {
    const { address } = await serving(t)
    const all = [{ item: 0 }, { item: 1 }, { item: 2 }, { end: 3 }]
    assert.deepEqual(await v1(t, 'watch', address, 'count', '3'), [all, 0])
    const items = JSON.stringify({ n: 3000, size: 1000 })
    assert.deepEqual(await v1(t, 'watch', address, 'count', items, '--quiet', 'true'), [[{ end: 3000 }], 0])
  })

  test('a feed that nobody takes any more has written what the credit allows', needsPython, async (t) => {
    const { address, lines } = await serving(t)
    const many = JSON.stringify({ n: 1_000_000, size: 1000 })
    const cancelled = await v1(t, 'watch', address, 'count', many, '--take', '5', '--quiet', 'true')
    assert.deepEqual(cancelled, [[{ cancelled: 5 }], 0])
    const { written } = await told(lines, 'feed')
    // An item is 1,002 bytes of JSON and 24 of header; the window is 256 KiB, and of it 5 items were taken.
    assert.ok(written <= 5 + 262_144 / 1026, `${written} items were written`)
  })

  test('a channel, item by item, and its end', needsPython, async (t) => {
    const { address } = await serving(t)
    const all = [{ item: 1 }, { item: 'x' }, { end: 2 }]
    assert.deepEqual(await v1(t, 'chat', address, 'chat', '[1,"x"]'), [all, 0])
  })

  test(
    'an event arrives and is acknowledged; one of a type that is not there is told of',
    needsPython,
    async (t) => {
      const { address, lines } = await serving(t)
      assert.deepEqual(await v1(t, 'say', address, 'say', '"hi"', '--lane', '3'), [[{ acked: 1 }], 0])
      assert.deepEqual(await told(lines, 'event'), { event: 'say', data: 'hi', lane: 3 })
      assert.deepEqual(await v1(t, 'say', address, 'nope', '"hi"'), [[{ acked: 1 }], 0])
      assert.deepEqual(await told(lines, 'unhandled'), { unhandled: 'nope' })
    },
  )

  test('a deadline that passes cancels at the other side', needsPython, async (t) => {
    const { address, lines } = await serving(t)
    const [[{ error }], status] = await v1(t, 'call', address, 'wait', '60000', '--timeout', '0.1')
    assert.deepEqual([error.code, status], ['DEADLINE', 1])
    assert.deepEqual(await told(lines, 'aborted'), { aborted: 'wait' })
  })

  test('a peer on the plain wire is no session', needsPython, async (t) => {
    const plain = run(t, 'echo', 'listen', 'tcp://127.0.0.1:0')
    const { listening } = await told(plain.lines, 'listening')
    const [[{ failed }], status] = await v1(t, 'call', listening, 'add', '1')
    assert.deepEqual([failed, status], ['PEER_NOT_SESSION', 2])
  })
})

const contractFile = join(import.meta.dirname, 'support/contract.json')

interface Running {
  /** What it prints, a line of JSON each. */
  readonly lines: AsyncIterator<any>
  readonly exit: Promise<number | null>
}

function run(t: TestContext, ...args: string[]): Running {
  const child = spawn('python3', [peerPy, ...args], { stdio: ['ignore', 'pipe', 'inherit'], env })
  t.after(() => child.kill('SIGKILL'))
  const exit = once(child, 'exit').then(([code]) => code as number | null)
  return { lines: parsed(createInterface({ input: child.stdout })), exit }
}

async function* parsed(lines: AsyncIterable<string>): AsyncGenerator<any, void> {
  for await (const line of lines) yield JSON.parse(line)
}

/** The next of its lines that has such a key. */
async function told(lines: AsyncIterator<any>, key: string): Promise<any> {
  for (;;) {
    const { value, done } = await lines.next()
    assert.ok(done !== true, `it ended without a word of ${key}`)
    if (key in value) return value
  }
}

async function serving(t: TestContext, ...options: string[]): Promise<Running & { address: string }> {
  const running = run(t, 'v1', 'serve', 'tcp://127.0.0.1:0', ...options)
  const { listening } = await told(running.lines, 'listening')
  return { ...running, address: listening }
}

/** What it prints, and the status that it exits with. */
async function v1(t: TestContext, ...args: string[]): Promise<[any[], number | null]> {
  const { lines, exit } = run(t, 'v1', ...args)
  const all: any[] = []
  for (let one = await lines.next(); one.done !== true; one = await lines.next()) all.push(one.value)
  return [all, await exit]
}
