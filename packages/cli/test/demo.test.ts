/** The demo as a process: the whole of it once, and small ones in which one party does wrong. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { type Entry, Journal, readJournal } from '../src/demo/journal.ts'
import { type Seen, judge as judgeOrders } from '../src/demo/orders.ts'
import { frameSizes } from '../src/demo/plan.ts'
import type { Outcome } from '../src/demo/table.ts'
import { type TypedResult, judge as judgeTalk } from '../src/demo/typed.ts'
import { judge } from '../src/demo/verdict.ts'
import { Cli, run, temporary } from './cli.ts'

const MIB = 2 ** 20
const SMALL = ['--numbered', '1000', '--mebibytes', '1']
const hasPython = spawnSync('python3', ['--version']).error === undefined
const licence = readFileSync(new URL('../LICENSE', import.meta.url), 'utf8')

describe('socktools demo', () => {
  test('is right, in one line of JSON: every message each way between every pair', async (t) => {
    const { code, stdout, stderr } = await run(t, ['demo', '--json'])
    assert.match(stdout, /^\{[^\n]+\}\n$/)
    const { ok, counts, bytes, pairs, room, typed, orders, error } = JSON.parse(stdout) as Outcome
    assert.deepEqual({ ok, error, code, stderr }, { ok: true, error: null, code: 0, stderr: '' })
    assert.equal(pairs.length, hasPython ? 5 : 3)
    // 1,000 of each of three guests, to the two others.
    assert.deepEqual(room, { ok: true, transports: ['tcp', 'unix', 'udp'], messages: 6000, why: null })
    const { seconds, ...talk } = typed ?? { seconds: 0 }
    assert.ok(seconds > 0)
    assert.deepEqual(talk, {
      ...{ ok: true, why: null, python: hasPython ? true : null },
      ...{ messages: 10_000, calls: 2500, echoes: 500, bytes: 64 * MIB },
    })
    const { seconds: lasted, redelivered, ...posts } = orders ?? { seconds: 0, redelivered: 0 }
    assert.ok(lasted > 0)
    assert.ok(redelivered >= 64, String(redelivered))
    assert.deepEqual(posts, {
      ...{ ok: true, why: null, orders: 2000, cut: 1, killed: 2, lost: 0, twice: 0, items: 1000 },
    })
    assert.equal(counts.numbered, 100_000)
    assert.equal(counts.lines, licence.trimEnd().split('\n').length)
    const perPair = 2 * (counts.numbered + counts.lines + counts.frames)
    for (const row of pairs) {
      assert.equal(row.messages, perPair, row.pair.join())
      assert.ok(row.bytes > 2 * 64 * MIB, row.pair.join())
    }
    assert.equal(counts.messages, pairs.length * perPair)
    assert.equal(
      bytes,
      pairs.reduce((sum, row) => sum + row.bytes, 0),
    )
  })

  test('is right, in a table for a person', async (t) => {
    const { code, stdout } = await run(t, ['demo', ...SMALL])
    assert.equal(code, 0)
    assert.match(stdout, /^A listens, B listens and dials A, C only dials/)
    assert.match(
      stdout,
      /^pair +messages both ways +bytes +seconds +verdict\nA ↔ B +2,\d+ .*in order, SHA-256 equal on both sides$/m,
    )
    assert.match(stdout, /^one MetaSock over tcp, unix, udp: 60 messages passed on, each once and in order$/m)
    assert.match(
      stdout,
      /^one contract over wire v1: 100 messages in order, 26 calls, 5 items there and back, 1\.0 MiB with equal SHA-256, /m,
    )
    assert.match(
      stdout,
      /^256 orders posted, connections cut: 1, processes killed: 2: \d+ redelivered, 0 lost, 0 twice, in order; a feed of 128 items over the cut; in /m,
    )
    assert.match(stdout, hasPython ? /^OK: 5 of 5 pairs right; /m : /^P was left out: /m)
  })

  test('takes the lines of any text', async (t) => {
    const own = new URL(import.meta.url).pathname
    const { stdout } = await run(t, ['demo', '--json', ...SMALL, '--text', own])
    const { ok, counts } = JSON.parse(stdout) as Outcome
    assert.equal(ok, true)
    assert.equal(counts.lines, readFileSync(own, 'utf8').split('\n').length - 1)
  })

  test('leaves the fourth peer out where there is no python3, and says so', async (t) => {
    const cli = new Cli(t, ['demo', ...SMALL], { env: { ...process.env, PATH: '/nonexistent' } })
    const { code, stdout } = await cli.ended
    assert.equal(code, 0)
    assert.match(stdout, /^P was left out: there is no python3 .*on the PATH$/m)
    assert.match(stdout, /^OK: 3 of 3 pairs right; /m)
    assert.doesNotMatch(stdout, /↔ P/)
  })

  test('says in one line why a text cannot be read', async (t) => {
    const { code, stderr } = await run(t, ['demo', '--text', '/nonexistent'])
    assert.equal(code, 1)
    assert.match(stderr, /^socktools: [^\n]*ENOENT[^\n]*\n$/)
  })
})

describe('a demo in which C does wrong is not right', () => {
  const wrong = {
    'changes one byte': ['flip', /^. got from C: the SHA-256 differs$/],
    'swaps two messages': ['swap', /^. got from C: number 500 was due and something else came$/],
    'leaves one message out': ['drop', /^. got from C: it ended after \d+ messages$/],
    'dies midway': ['crash', /^C did not finish$/],
  } as const
  for (const [what, [fault, why]] of Object.entries(wrong)) {
    test(`it ${what}: everyone who got it from C notices, in Python too`, async (t) => {
      const { code, stdout } = await run(t, ['demo', '--json', ...SMALL, '--fault', fault])
      const { ok, pairs } = JSON.parse(stdout) as Outcome
      assert.equal(code, 1)
      assert.equal(ok, false)
      for (const row of pairs.filter(({ pair }) => pair.includes('C'))) {
        assert.equal(row.ok, false, row.pair.join())
        assert.match(row.why ?? '', why)
      }
    })
  }

  test('the room keeps silent about one message: whoever misses it says which', async (t) => {
    const { code, stdout } = await run(t, ['demo', '--json', ...SMALL, '--fault', 'hush', '--deadline', '30'])
    const { ok, pairs, room, error } = JSON.parse(stdout) as Outcome
    assert.equal(code, 1)
    assert.deepEqual([ok, room?.ok, error], [false, false, null])
    assert.ok(pairs.every((row) => row.ok))
    assert.match(
      room?.why ?? '',
      /^the guest over (unix|udp) got number 6 of the one over tcp when 5 was due$/,
    )
  })

  test('the room keeps silent about the last message: after the deadline it is ended by force', async (t) => {
    const last = ['--numbered', '100', '--mebibytes', '0', '--fault', 'hush', '--deadline', '5']
    const { code, stdout } = await run(t, ['demo', '--json', ...last])
    const { ok, room, error } = JSON.parse(stdout) as Outcome
    assert.deepEqual({ code, ok, room }, { code: 1, ok: false, room: null })
    assert.match(error ?? '', /^the room: not finished within 5 s/)
  })

  const talks = {
    'leaves one message out': ['skip', 'the dialer: number 26 of the listener came when 25 was due'],
    'changes one byte of its feed': ['blur', 'the SHA-256 of the feed differs'],
  } as const
  for (const [what, [fault, why]] of Object.entries(talks)) {
    test(`who serves the contract ${what}: that is why, whoever tells first`, async (t) => {
      const { code, stdout } = await run(t, ['demo', '--json', ...SMALL, '--fault', fault])
      const { ok, pairs, room, typed, error } = JSON.parse(stdout) as Outcome
      assert.deepEqual([code, ok, error, room?.ok], [1, false, null, true])
      assert.ok(pairs.every((row) => row.ok))
      assert.deepEqual([typed?.ok, typed?.why], [false, why])
    })
  }

  const posts = {
    'forgets how far it got': ['forget', /^(3[2-9]|[4-9]\d|1\d\d) handled twice$/],
    'leaves one order out': ['lose', /^1 of 256 orders lost$/],
    'leaves one item out of its feed': ['gap', /^the feed: 65 came when 64 was due$/],
  } as const
  for (const [what, [fault, why]] of Object.entries(posts)) {
    test(`the warehouse ${what}: the journal, or who reads the feed, shows it`, async (t) => {
      const { code, stdout } = await run(t, ['demo', '--json', ...SMALL, '--fault', fault])
      const { ok, pairs, room, typed, orders, error } = JSON.parse(stdout) as Outcome
      assert.deepEqual([code, ok, error, room?.ok, typed?.ok], [1, false, null, true, true])
      assert.ok(pairs.every((row) => row.ok))
      assert.equal(orders?.ok, false)
      assert.match(orders.why ?? '', why)
    })
  }

  test('it hangs: after the deadline every party is ended by force', async (t) => {
    const { code, stdout } = await run(t, ['demo', '--json', ...SMALL, '--fault', 'hang', '--deadline', '2'])
    const { ok, error } = JSON.parse(stdout) as Outcome
    assert.equal(code, 1)
    assert.equal(ok, false)
    assert.match(error ?? '', /not finished within 2 s/)
  })
})

describe('the verdict on a pair', () => {
  const fine = { messages: 3, bytes: 9, sent: 'aa', received: 'bb', why: null, seconds: 1 }
  const results = (ofA: object, ofB: object) =>
    new Map([
      ['A>B', { ...fine, peer: 'B', ...ofA }],
      ['B>A', { ...fine, peer: 'A', sent: 'bb', received: 'aa', ...ofB }],
    ])

  test('is good when both are content and their digests match crosswise', () => {
    const { ok, messages, bytes, why } = judge(['A', 'B'], results({}, {}), 3)
    assert.deepEqual({ ok, messages, bytes, why }, { ok: true, messages: 6, bytes: 18, why: null })
  })

  const bad: Record<string, [object, object]> = {
    'one of them complains': [{}, { why: 'no' }],
    'what B got is not what A sent': [{}, { received: 'cc' }],
    'what A got is not what B sent': [{ received: 'cc' }, {}],
    'a message is missing': [{ messages: 2 }, {}],
  }
  for (const [when, [ofA, ofB]] of Object.entries(bad)) {
    test(`is bad when ${when}`, () => {
      assert.equal(judge(['A', 'B'], results(ofA, ofB), 3).ok, false)
    })
  }

  test('is bad when one of them said nothing', () => {
    const some = results({}, {})
    some.delete('B>A')
    assert.equal(judge(['A', 'B'], some, 3).why, 'B did not finish')
  })
})

describe('the verdict on the typed talk', () => {
  const due = { messages: 2, calls: 1, echoes: 1, bytes: 9 }
  const fine: TypedResult = {
    ...{ name: 'A', messages: 2, calls: 1, echoes: 1, bytes: 9, sha256: 'aa', why: null, left: false },
  }
  const other: TypedResult = { ...fine, name: 'B', echoes: 0 }

  test('is good when both got all, and the same', () => {
    assert.deepEqual(judgeTalk([fine, other], due, null), {
      ...{ ok: true, messages: 4, calls: 2, echoes: 1, bytes: 9, why: null },
    })
  })

  const found: TypedResult = { ...fine, why: 'number 2 came when 1 was due' }
  const alone: TypedResult = { ...other, why: 'it ended after 1 messages', left: true }
  const bad: Record<string, [results: TypedResult[], python: string | null, why: string]> = {
    'one found a fault, and tells first': [[found, alone], null, 'A: number 2 came when 1 was due'],
    'one found a fault, and tells last': [[alone, found], null, 'A: number 2 came when 1 was due'],
    'one was left alone': [[fine, alone], null, 'B: it ended after 1 messages'],
    'one said nothing': [[fine], null, 'one of the two did not finish'],
    'a call is missing': [[{ ...fine, calls: 0 }, other], null, 'not all came that was due'],
    'the feed is too short': [
      [fine, { ...other, bytes: 8 }],
      null,
      'the feed is not as long as it was to be',
    ],
    'the feed is another one': [[fine, { ...other, sha256: 'ab' }], null, 'the SHA-256 of the feed differs'],
    'P was wrong': [[fine, other], 'P answered a call wrongly', 'P answered a call wrongly'],
  }
  for (const [when, [results, python, why]] of Object.entries(bad)) {
    test(`is bad when ${when}`, () => {
      const { ok, why: said } = judgeTalk(results, due, python)
      assert.deepEqual([ok, said], [false, why])
    })
  }
})

describe('the verdict on the orders', () => {
  const entry = (order: number, redelivered = false): Entry => ({
    ...{ order, store: 'aa', n: order + 1, redelivered },
  })
  const fine: Seen = {
    ...{ orders: 3, cut: 1, killed: 2, duplicates: 1, items: 2, due: 2, feed: null },
    journal: [entry(0), entry(1, true), entry(2)],
  }

  test('is good when each was handled once and in order, with what was sent again', () => {
    assert.deepEqual(judgeOrders(fine), {
      ...{ ok: true, orders: 3, cut: 1, killed: 2, redelivered: 2, lost: 0, twice: 0, items: 2, why: null },
    })
  })

  const bad: Record<string, [seen: Partial<Seen>, why: string]> = {
    'one is lost': [{ journal: [entry(0), entry(2)] }, '1 of 3 orders lost'],
    'the last is lost': [{ journal: [entry(0), entry(1)] }, '1 of 3 orders lost'],
    'all are lost': [{ journal: [] }, '3 of 3 orders lost'],
    'one comes twice': [{ journal: [entry(0), entry(1), entry(1), entry(2)] }, '1 handled twice'],
    'one comes again late': [{ journal: [entry(0), entry(1), entry(2), entry(0)] }, '1 handled twice'],
    'one is lost and one comes twice': [
      { journal: [entry(0), entry(0), entry(1)] },
      '1 of 3 orders lost; 1 handled twice',
    ],
    'two are swapped': [{ journal: [entry(1), entry(0), entry(2)] }, 'order 0 was handled after a later one'],
    'one came that nobody posted': [
      { journal: [...fine.journal, entry(3)] },
      'an order was handled that nobody posted',
    ],
    'the feed is wrong': [{ feed: '3 came when 1 was due', items: 1 }, 'the feed: 3 came when 1 was due'],
    'the feed is too short': [{ items: 1 }, '1 of 2 items of the feed came'],
    'nothing was cut': [{ cut: 0 }, 'no connection was cut'],
    'only one was killed': [{ killed: 1 }, 'not both processes were killed'],
    'nothing came again': [
      { duplicates: 0, journal: [entry(0), entry(1), entry(2)] },
      'nothing had to be sent again',
    ],
  }
  for (const [when, [seen, why]] of Object.entries(bad)) {
    test(`is bad when ${when}`, () => {
      const { ok, why: said } = judgeOrders({ ...fine, ...seen })
      assert.deepEqual([ok, (said ?? '').split('; nothing had')[0]], [false, why])
    })
  }
})

describe('the journal of the warehouse', () => {
  test('is read again with its cursors, but for a line that was cut short', (t) => {
    const file = join(temporary(t), 'journal')
    const first = new Journal(file)
    for (const order of [0, 1]) first.write({ order, store: 'aa', n: order + 1, redelivered: false })
    appendFileSync(file, '{"order":2,"st')
    const second = new Journal(file)
    assert.deepEqual([second.length, second.cursor('aa'), second.cursor('bb')], [2, 2, 0])
    second.write({ order: 2, store: 'aa', n: 3, redelivered: true })
    assert.deepEqual(
      readJournal(file).entries.map(({ order }) => order),
      [0, 1, 2],
    )
  })
})

describe('the frames of the demo', () => {
  test('add up, from 0 bytes to 8 MiB, the same on each run', () => {
    const sizes = frameSizes(64 * MIB)
    assert.equal(
      sizes.reduce((sum, size) => sum + size, 0),
      64 * MIB,
    )
    assert.equal(Math.min(...sizes), 0)
    assert.equal(Math.max(...sizes), 8 * MIB)
    assert.ok(sizes.some((size) => size > 0 && size < 100))
    assert.deepEqual(frameSizes(64 * MIB), sizes)
  })

  test('may be none at all', () => {
    assert.deepEqual(new Set(frameSizes(0)), new Set([0]))
  })
})
