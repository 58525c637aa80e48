/** Each attack of docs/limits.md that wire v1 can meet, on a process of its own. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { encodeCredit, encodePing, encodeTable } from '../../src/wire/v1/bodies.ts'
import * as kinds from '../../src/wire/v1/frame.ts'
import { SESSIONS } from '../../src/wire/v1/hello.ts'
import { LIMITS, typeOf } from '../support/attacked.ts'
import { attacked, Attacker, Victim } from '../support/attacker.ts'
import { noCrashes } from '../support/crashes.ts'
import { frame, GUARD } from '../support/tcp.ts'

noCrashes()

const node = (n: number): Uint8Array => new Uint8Array(16).fill(n)
const times = <T>(n: number, fn: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => fn(i))

describe('wire v1', GUARD, () => {
  const theVictim = attacked('v1')

  test('before it is let in: more than 4 KiB, the plain wire, other protocols: named and closed, and nothing is kept', async (t) => {
    const victim = theVictim()
    const openings = ['00001001', 'ffffffff', '0000000168', '474554202f20', '160301020001']
    await victim.bears(
      async () => {
        for (let i = 0; i < 50; i++) {
          const one = await Attacker.dial(t, victim)
          void one.write(Buffer.from(openings[i % 5] as string, 'hex'))
          await one.closed
        }
      },
      {
        when: ({ WIRE_MISMATCH = 0, FOREIGN_PROTOCOL = 0 }) =>
          WIRE_MISMATCH === 30 && FOREIGN_PROTOCOL === 20,
      },
    )
  })

  test('one that says nothing, or half a HELLO: HANDSHAKE_TIMEOUT; more than maxPending of them are turned away', async (t) => {
    const victim = theVictim()
    const { more } = await victim.bears(
      async () => {
        const all = await Promise.all(times(40, () => Attacker.dial(t, victim)))
        for (const one of all.slice(0, 20)) void one.write(Buffer.from('00000100', 'hex'))
        await Promise.all(all.map(({ closed }) => closed))
      },
      { when: ({ HANDSHAKE_TIMEOUT = 0 }) => HANDSHAKE_TIMEOUT === LIMITS.maxPending },
    )
    assert.equal(more['TOO_MANY_PENDING'], 40 - LIMITS.maxPending)
  })

  for (const [what, code, attack] of [
    ['a frame longer than any', 'FRAME_TOO_LARGE', (one) => one.write(Buffer.from('ffffffff', 'hex'))],
    ['an empty frame', 'PROTOCOL_ERROR', (one) => one.write(new Uint8Array(4))],
    ['an ack of what was never sent', 'PROTOCOL_ERROR', (one) => one.send(kinds.ACK, { ack: 1_000 })],
    ['a gap in seq', 'PROTOCOL_ERROR', (one) => one.send(kinds.EVENT, { type: typeOf('say'), seq: 5 }, '1')],
    [
      'a seq above 2^53',
      'PROTOCOL_ERROR',
      (one) => one.send(kinds.EVENT, { type: typeOf('say'), seq: 2 ** 60 }, '1'),
    ],
    [
      'credit that is taken back',
      'PROTOCOL_ERROR',
      async (one) => {
        await one.send(kinds.CREDIT, {}, encodeCredit([[1, 9_000_000]]))
        await one.send(kinds.CREDIT, {}, encodeCredit([[1, 8_000_000]]))
      },
    ],
    [
      'credit above 2^53',
      'PROTOCOL_ERROR',
      (one) => one.send(kinds.CREDIT, {}, Buffer.from('00000001ffffffffffffffff', 'hex')),
    ],
    [
      'more than was granted',
      'PROTOCOL_ERROR',
      async (one) => {
        await one.send(kinds.OPEN, { lane: 5, type: typeOf('wait') })
        for (let i = 0; i < 10; i++) await one.send(kinds.ITEM, { lane: 5 }, new Uint8Array(60_000))
      },
    ],
    [
      'a message longer than maxMessage, in chunks',
      'PROTOCOL_ERROR',
      async (one) => {
        const to = { lane: 5, type: typeOf('echo'), flags: kinds.MORE }
        for (let i = 0; i < 40; i++) await one.send(kinds.REQUEST, to, new Uint8Array(60_000))
      },
    ],
    [
      'more calls than maxCalls, though each was given up',
      'PROTOCOL_ERROR',
      async (one) => {
        for (let i = 0; i <= LIMITS.maxCalls; i++) {
          await one.send(kinds.REQUEST, { lane: 5 + 2 * i, type: typeOf('hang') })
          await one.send(kinds.CANCEL, { lane: 5 + 2 * i })
        }
      },
    ],
    ['a TABLE after the handshake', 'PROTOCOL_ERROR', (one) => one.send(kinds.TABLE, {}, encodeTable([]))],
  ] as [string, string, (one: Attacker) => Promise<void>][]) {
    test(`${what}: ${code}, at all of twelve`, async (t) => {
      const victim = theVictim()
      const before = (await victim.report()).most
      const { report } = await victim.bears(
        async () => {
          const all = await Promise.all(
            times(12, (i) => Attacker.greet(t, victim, { nodeId: node(i), features: 0n })),
          )
          for (const one of all) void attack(one)
          await Promise.all(all.map(({ closed }) => closed))
        },
        { when: (more) => more[code] === 12 },
      )
      assert.ok(report.most - before <= 12 * LIMITS.maxCalls, `${report.most} handlers ran`)
    })
  }

  test('streams opened and reset: at maxResetRate, and as many handlers run as may be open', async (t) => {
    const victim = theVictim()
    const before = (await victim.report()).running
    const { more, report } = await victim.bears(
      async () => {
        const one = await Attacker.greet(t, victim)
        let lane = 5
        for (let i = 0; i < 300; i++, lane += 2)
          void one.write(
            Buffer.concat([
              one.framed(kinds.OPEN, { lane, type: typeOf('wait') }),
              one.framed(kinds.CANCEL, { lane }),
            ]),
          )
        await Promise.race([one.closed, victim.until(({ slowed }) => slowed > 0)])
      },
      { when: ({ slowed = 0, PROTOCOL_ERROR = 0 }) => slowed + PROTOCOL_ERROR > 0 },
    )
    assert.ok((more['slowed'] ?? 0) + (more['PROTOCOL_ERROR'] ?? 0) > 0)
    assert.ok(report.most - before <= LIMITS.maxStreams, `${report.most} handlers ran at once`)
  })

  test('one that never acks, never reads, or grants all there is: what is kept for it has a bound', async (t) => {
    const victim = theVictim()
    const open = async (one: Attacker): Promise<void> => {
      for (let i = 0; i < LIMITS.maxStreams; i++) {
        await one.send(kinds.OPEN, { lane: 5 + 2 * i, type: typeOf('pour') })
        await one.send(kinds.CREDIT, {}, encodeCredit([[5 + 2 * i, 2 ** 50]]))
      }
    }
    await victim.bears(
      async () => {
        const [silent, deaf] = await Promise.all([Attacker.greet(t, victim), Attacker.greet(t, victim)])
        deaf.socket.pause()
        await Promise.all([open(silent), open(deaf)])
        let read = 0
        silent.socket.on('data', (chunk) => (read += chunk.length))
        await victim.until(({ queued }) => queued > 1_000_000)
        // Of what is long, less than may be kept is ever underway without an ack.
        await victim.until(() => read > 128 * 1024)
        for (let i = 0; i < 20; i++) await victim.report()
        assert.ok(read < LIMITS.maxRetained + 512 * 1024, `${read} bytes came`)
      },
      // Two of them: retained, and a message and half a window on each stream.
      { mib: 24 },
    )
  })

  test('PING without an end, and none of the answers taken: it is read no further', async (t) => {
    // Of its own: what waits for those of other attacks goes when they do.
    const victim = await Victim.start(t, 'v1')
    await victim.bears(
      async () => {
        const one = await Attacker.greet(t, victim)
        one.socket.pause()
        const pings = Buffer.concat(
          times(2_000, () => one.framed(kinds.PING, {}, encodePing({ ttl: 0, nonce: new Uint8Array(8) }))),
        )
        for (let i = 0; i < 200; i++) void one.write(pings)
        await victim.until(({ queued }) => queued > 200_000)
      },
      { mib: 24 },
    )
    const { queued } = (await victim.report()).stats
    assert.ok(queued < 2 * 1024 * 1024, `${queued} bytes wait`)
  })

  test('a session cannot be taken by who does not have its token; sessions that are left behind have a bound', async (t) => {
    const victim = theVictim()
    const owner = await Attacker.greet(t, victim, { nodeId: node(7) })
    const { more, report } = await victim.bears(
      async () => {
        for (let i = 0; i < 20; i++) {
          const thief = await Attacker.dial(t, victim)
          const resume = { sessionId: node(i), token: node(9), connGen: 1, lastRecv: 0 }
          const welcome = await thief.hello({ nodeId: node(7), features: SESSIONS, resume })
          assert.ok(welcome.result === 'rejected' && welcome.code === 'SESSION_LOST')
        }
        for (let i = 0; i < 60; i++) {
          const one = await Attacker.greet(t, victim, { nodeId: node(i % 2) })
          one.socket.resetAndDestroy()
        }
      },
      { when: (_, { stats }) => stats.peers < 60 },
    )
    assert.equal(more['SESSION_LOST'] !== undefined && more['SESSION_LOST'] > 40, true, JSON.stringify(more))
    assert.ok(report.stats.peers < 60, `${report.stats.peers} peers`)
    assert.equal(owner.socket.destroyed, false)
  })

  test('handlers that throw and that never settle: contained, and each has its answer or its end', async (t) => {
    const victim = theVictim()
    await victim.bears(
      async () => {
        const one = await Attacker.greet(t, victim, { nodeId: node(11) })
        for (let i = 0; i < 100; i++) await one.send(kinds.REQUEST, { lane: 5 + 2 * i, type: typeOf('boom') })
        while (one.heard.filter(({ kind }) => kind === 'ERROR').length < 100)
          await new Promise((resolve) => setImmediate(resolve))
        const [first] = one.heard.filter(({ kind }) => kind === 'ERROR')
        assert.ok(!first?.body.includes('a handler that fails'))
        one.socket.destroy()
      },
      { when: ({ faults = 0 }) => faults === 100 },
    )
  })

  test('a contract of 4,096 names that would write to a terminal, __proto__ among them: types like any other', async (t) => {
    const victim = theVictim()
    const { lines } = await victim.bears(async () => {
      for (let i = 0; i < 5; i++) {
        const one = await Attacker.dial(t, victim)
        void one.hello({ nodeId: node(20 + i), features: 0n, fingerprint: node(1) })
        const names = ['__proto__', 'constructor', ...times(3_000, (n) => `\u001b[31m\u202e${n}`)].sort()
        const table = encodeTable(names.map((name) => ({ kind: 'msg', name, hash: new Uint8Array(8) })))
        for (let at = 0; at < table.length; at += 60_000)
          await one.send(
            kinds.TABLE,
            { flags: at + 60_000 < table.length ? kinds.MORE : 0 },
            table.subarray(at, at + 60_000),
          )
        for (let n = 0; n < 3_000; n++) void one.send(kinds.EVENT, { lane: 1, type: n }, '"x"')
        await victim.report()
      }
    })
    assert.ok(lines.every((line) => !/[\p{Cc}\p{Cf}]/u.test(line) && line.length < 1_000))
  })

  test('a HELLO with the id of one that is connected takes nothing of it', async (t) => {
    const victim = theVictim()
    const first = await Attacker.greet(t, victim, { nodeId: node(30) })
    await victim.bears(() => Promise.all(times(3, () => Attacker.greet(t, victim, { nodeId: node(30) }))))
    assert.equal(first.socket.destroyed, false)
    const fifth = await Attacker.dial(t, victim)
    const welcome = await fifth.hello({ nodeId: node(30) })
    assert.ok(welcome.result === 'rejected' && welcome.code === 'TOO_MANY_SESSIONS')
    await first.send(kinds.REQUEST, { lane: 5, type: typeOf('echo') }, '"still"')
    while (!first.heard.some(({ kind }) => kind === 'REPLY'))
      await new Promise((resolve) => setImmediate(resolve))
  })

  test('an unknown first frame of 4 KiB, byte by byte', async (t) => {
    const victim = theVictim()
    await victim.bears(
      async () => {
        const one = await Attacker.dial(t, victim)
        for (const byte of frame(new Uint8Array(1_000))) void one.write(Uint8Array.of(byte))
        await one.closed
      },
      { when: ({ WIRE_MISMATCH = 0 }) => WIRE_MISMATCH === 1 },
    )
  })
})
