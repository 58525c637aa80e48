/** Each attack of docs/limits.md that the plain wire can meet, on a process of its own. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { attacked, Attacker } from '../support/attacker.ts'
import { noCrashes } from '../support/crashes.ts'
import { frame, GUARD } from '../support/tcp.ts'

noCrashes()

const message = (type: unknown, data: unknown): Buffer => frame(JSON.stringify([type, data]))

describe('the plain wire', GUARD, () => {
  const theVictim = attacked('plain')
  /** Whose log has a line left, however soon after another attack. */
  const theQuiet = attacked('plain')

  test('announced lengths: too much is refused by its header, the most that is allowed takes what came of it', async (t) => {
    const victim = theVictim()
    const { more } = await victim.bears(
      async () => {
        for (let i = 0; i < 50; i++) {
          const [over, whole] = await Promise.all([Attacker.dial(t, victim), Attacker.dial(t, victim)])
          void over.write(Buffer.from(i % 2 === 0 ? 'ffffffff' : '00100001', 'hex'))
          void whole.write(Buffer.from('0010000041', 'hex'))
        }
      },
      { when: ({ FRAME_TOO_LARGE = 0, accepted = 0 }) => FRAME_TOO_LARGE === 50 && accepted === 100 },
    )
    assert.equal(more['FRAME_TOO_LARGE'], 50)
  })

  test('one byte a segment, and empty frames: read in shares, and nothing is kept', async (t) => {
    const victim = theVictim()
    const { more } = await victim.bears(
      async () => {
        const [slow, empty] = await Promise.all([Attacker.dial(t, victim), Attacker.dial(t, victim)])
        const bytes = message('echo', 'x'.repeat(2_000))
        for (const byte of bytes) await slow.write(Uint8Array.of(byte))
        await empty.write(new Uint8Array(32 * 1024))
        await slow.write(bytes)
      },
      // Nothing is no JSON.
      { when: ({ invalid = 0, messagesIn = 0 }) => invalid === 8_192 && messagesIn >= invalid + 2 },
    )
    assert.equal(more['FRAME_TOO_LARGE'] ?? 0, 0)
  })

  test('a frame that stops coming: FRAME_STALLED', async (t) => {
    const victim = theVictim()
    await victim.bears(
      async () => {
        const all = await Promise.all(Array.from({ length: 20 }, () => Attacker.dial(t, victim)))
        for (const one of all) void one.write(Buffer.from('0000100041', 'hex'))
        await Promise.all(all.map(({ closed }) => closed))
      },
      { when: ({ FRAME_STALLED = 0 }) => FRAME_STALLED === 20 },
    )
  })

  test('other protocols, and what is none: named and closed; a line a second at the most in the log, and ten of peers', async (t) => {
    const victim = theQuiet()
    const openings = [
      'GET / HTTP/1.1\r\n\r\n',
      'SSH-2.0-x\r\n',
      Buffer.from('160301020001', 'hex'),
      '\xff\xfe\xfd\xfc garbage',
    ]
    const began = performance.now()
    const { lines, more } = await victim.bears(
      async () => {
        const one = async (opening: string | Buffer): Promise<void> => {
          const attacker = await Attacker.dial(t, victim)
          void attacker.write(Buffer.from(opening as string, 'latin1'))
          await attacker.closed
        }
        await Promise.all(Array.from({ length: 100 }, (_, i) => one(openings[i % 4] ?? '')))
      },
      { when: ({ FOREIGN_PROTOCOL = 0, FRAME_TOO_LARGE = 0 }) => FOREIGN_PROTOCOL + FRAME_TOO_LARGE === 100 },
    )
    assert.equal(more['FOREIGN_PROTOCOL'], 75)
    const most = 20 + ((performance.now() - began) / 1000) * 10
    assert.ok(lines.length > 0 && lines.length <= most, `${lines.length} lines`)
    assert.match(lines.join('\n'), /HTTP|SSH|TLS/)
  })

  test('types named __proto__ and constructor, 20,000 names, and names that would write to a terminal', async (t) => {
    const victim = theVictim()
    const { lines, more } = await victim.bears(
      async () => {
        const one = await Attacker.dial(t, victim)
        for (const type of ['__proto__', 'constructor', 'toString', 'hasOwnProperty'])
          await one.write(message(type, { __proto__: { polluted: true } }))
        await one.write(frame('["__proto__",{"__proto__":{"polluted":true}}]'))
        const names = Array.from({ length: 20_000 }, (_, i) => message(`\u001b[31m\n\u202e${i}`, null))
        await one.write(Buffer.concat(names))
      },
      { when: ({ unhandled = 0, faults = 0 }) => unhandled + faults === 20_005 },
    )
    assert.deepEqual([more['unhandled'], more['faults']], [20_005, 0])
    assert.ok(lines.every((line) => !/[\p{Cc}\p{Cf}]/u.test(line) && line.length < 1_000))
  })

  test('deep JSON, huge numbers, no JSON at all: not decoded, and shown escaped and cut', async (t) => {
    const victim = theVictim()
    const bad = [
      `["echo",${'['.repeat(50_000)}${']'.repeat(50_000)}]`,
      `["echo",${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}]`,
      `[${'9'.repeat(100_000)},1]`,
      '["echo", 1e999999999, 2]',
      `\u001b]0;owned\u0007${'\u202e'.repeat(10_000)}`,
      Buffer.from('ff'.repeat(1_000), 'hex'),
    ]
    const { lines } = await victim.bears(
      async () => {
        const one = await Attacker.dial(t, victim)
        for (const text of bad) await one.write(frame(text))
      },
      { when: ({ invalid = 0 }) => invalid === bad.length },
    )
    assert.ok(lines.length > 0)
    assert.ok(lines.every((line) => !/[\p{Cc}\p{Cf}]/u.test(line) && line.length < 1_000))
  })

  test('one that never reads its answers: it is read no further, and takes a bounded queue', async (t) => {
    const victim = theVictim()
    await victim.bears(
      async () => {
        const one = await Attacker.dial(t, victim)
        one.socket.pause()
        const bytes = message('echo', 'x'.repeat(60_000))
        // The system takes some of it, and then no more.
        for (let i = 0; i < 400; i++) void one.write(bytes)
        await victim.until(({ queued }) => queued > 200_000)
      },
      { mib: 24 },
    )
    const { stats } = await victim.report()
    assert.ok(stats.queued <= 2.5 * 1024 * 1024, `${stats.queued} bytes wait`)
  })
})
