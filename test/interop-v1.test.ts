/** Wire v1 in Python (interop/python), which shares nothing with ours: the cases of spec/vectors/v1.json, and two of it. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { describe, test } from 'node:test'
import { env, needsPython, peerPy, run, serving, told, v1 } from './support/python.ts'

const vectorsFile = resolve(import.meta.dirname, '../spec/vectors/v1.json')
const contractFile = join(import.meta.dirname, 'support/contract.json')

test('the cases of spec/vectors/v1.json hold in Python, the conversations too', needsPython, () => {
  const { stdout, stderr } = spawnSync('python3', [peerPy, 'vectors', vectorsFile], { encoding: 'utf8', env })
  const { cases } = JSON.parse(readFileSync(vectorsFile, 'utf8')) as { cases: unknown[] }
  assert.deepEqual(JSON.parse(stdout || stderr), { cases: cases.length, failed: [] })
})

/** Begins a message on each of 32 lanes and goes on with all of them as long as credit is given. */
const HOARD = `
import json, sys
sys.path.insert(0, sys.argv[1])
from session import Session
from wire import MORE, NUMBERS, Frame, encode_credits
M = 2**20
grants = {'maxMessage': 16 * M, 'eventWindow': M, 'laneWindow': 2**18, 'maxCalls': 32, 'maxStreams': 1}
session = Session('acceptor', [['call', 'add', bytes(8)]], grants, grants, False)
seq, held, lanes = 0, {}, range(5, 69, 2)
while True:
    before = seq
    for lane in lanes:
        if lane not in session.lanes or session.lanes[lane].incoming.limit - session.lanes[lane].incoming.used >= 60024:
            if held.get(lane, 0) + 60000 <= 16 * M:
                seq += 1
                held[lane] = held.get(lane, 0) + 60000
                session.receive(Frame(NUMBERS['REQUEST'], MORE, 0, lane, seq, 0, bytes(60000)))
        if due := session.credit_due():
            session.send(Frame(NUMBERS['CREDIT'], 0, 0, 0, 0, seq, encode_credits(due)))
    if seq == before:
        break
print(json.dumps({'most': max(held.values()), 'all': sum(held.values())}))
`

test(
  'Python keeps parts of messages as PROTOCOL.md bounds them: one may grow, the others share 4 MiB',
  needsPython,
  () => {
    const { stdout, stderr } = spawnSync('python3', ['-c', HOARD, dirname(peerPy)], { encoding: 'utf8', env })
    const { most, all } = JSON.parse(stdout || stderr) as { most: number; all: number }
    const MiB = 2 ** 20
    assert.ok(most > 16 * MiB - 60_000, `${most} bytes of one message`)
    assert.ok(all <= 16 * MiB + 4 * MiB + 32 * 262_144, `${all} bytes of all`)
  },
)

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
