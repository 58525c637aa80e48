/** What takes more than one process to show. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { PeerStats, SockStats } from '../../src/index.ts'
import { Child } from '../support/child.ts'
import { at, ANY, GUARD, open, Plain } from '../support/tcp.ts'

const MIB = 1024 * 1024

describe('two processes', GUARD, () => {
  test('64 MiB in flight both ways, both drain: nothing is missing', async (t) => {
    interface Tally {
      messages: number
      bytes: number
      sha256: string
    }
    interface Result {
      sent: Tally
      received: Tally
      stats: SockStats
    }
    const a = Child.start(t, 'flood', 'listen', '1')
    const b = Child.start(t, 'flood', await a.hear<string>(), '2')
    // All of it is accepted, and most of it still waits, when both begin to drain.
    for (const child of [a, b]) assert.ok((await child.hear<number>()) > 32 * MIB)
    for (const child of [a, b]) child.tell('drain')
    const [atA, atB] = await Promise.all([a.hear<Result>(), b.hear<Result>()])
    assert.deepEqual(atB.received, atA.sent)
    assert.deepEqual(atA.received, atB.sent)
    for (const { sent, stats } of [atA, atB]) {
      assert.ok(sent.bytes >= 64 * MIB)
      assert.deepEqual([stats.dropped, stats.failed, stats.queued, stats.waiting], [{}, {}, 0, 0])
    }
    for (const child of [a, b]) assert.deepEqual(await child.exit, { code: 0, signal: null })
  })

  for (const how of ['one', 'large', 'several', 'all', 'nobody']) {
    test(`an endless awaited send (${how}): a 5 ms interval runs, and another peer is served`, async (t) => {
      const sink = await open(t, { bind: ANY, handlers: { 0: () => undefined } })
      const child = Child.start(t, 'endless', at(sink), how)
      const client = await Plain.dial(t, await child.hear<string>())
      const ping = Buffer.from('0000000470696e67', 'hex')
      const pinging = (async () => {
        for (let answered = 0; !client.socket.closed; answered += ping.length) {
          await client.write(ping)
          if (
            (await Promise.race([client.atLeast(answered + ping.length), client.everything])).length <=
            answered
          )
            return
        }
      })()
      const { ticks, served, sent } = await child.hear<{ ticks: number; served: number; sent: number }>()
      assert.ok(ticks >= 20 && served >= 20 && sent > 20, JSON.stringify({ ticks, served, sent }))
      assert.deepEqual(await child.exit, { code: 0, signal: null })
      client.socket.destroy()
      await pinging.catch(() => undefined)
    })
  }

  test('a slow consumer: 1 stalled of 20, 256 MB offered: memory ≤ mark + 32 MiB, the others receive everything', async (t) => {
    const server = Child.start(t, 'broadcast')
    const address = await server.hear<string>()
    const stalled = await Plain.dial(t, address)
    stalled.socket.pause()
    const messages = Math.ceil(256_000_000 / 65_532)
    const readers = Child.start(t, 'readers', address, '19', String(messages))
    assert.equal(await readers.hear(), 'ready')
    server.tell('go')
    const result = await server.hear<{
      peers: number
      mark: number
      grown: number
      offered: number
      stalled: PeerStats
      others: object[]
    }>()
    assert.deepEqual([result.peers, result.offered], [20, messages])
    assert.ok(result.grown <= result.mark + 32 * MIB, `${(result.grown / MIB).toFixed(1)} MiB`)
    assert.ok(result.stalled.queued <= result.mark + MIB)
    // It missed nearly everything, and each message it missed was counted.
    const slow = result.stalled.dropped.slow ?? 0
    assert.equal(result.stalled.messagesOut + slow, messages)
    assert.ok(slow > messages / 2, `${slow} of ${messages} were dropped`)
    assert.deepEqual(
      result.others,
      Array.from({ length: 19 }, () => ({})),
    )
    assert.deepEqual(await readers.hear(), { complete: 19, broken: [] })
    readers.process.stdin?.end()
    assert.deepEqual(await readers.exit, { code: 0, signal: null })
    assert.deepEqual(await server.exit, { code: 0, signal: null })
  })

  test('wall-clock jumps of an hour and a year, there and back, change nothing', async (t) => {
    const child = Child.start(t, 'clocks')
    interface Told {
      readonly counts: Record<'peers' | 'client', number>
      readonly codes: string[]
      readonly refusals: string[]
      readonly times: Record<'shortest' | 'longest' | 'late' | 'silent', number>
    }
    const { codes, refusals, counts, times } = await child.hear<Told>()
    assert.deepEqual([codes, counts], [[], { peers: 1, client: 1 }])
    assert.deepEqual(refusals, ['GATE_TIMEOUT', 'GATE_TIMEOUT', 'GATE_TIMEOUT'])
    // Generous bounds: what a jump does to a clock that follows it is 100 times beyond them.
    for (const ms of Object.values(times)) assert.ok(ms >= 0 && ms < 36_000, JSON.stringify(times))
    assert.deepEqual(await child.exit, { code: 0, signal: null })
    assert.equal(child.errors, '')
  })

  test('three whole socks for 10 virtual minutes, twice from one seed, in separate processes: the same events', async (t) => {
    interface Run {
      hash: string
      events: number
      counts: Record<string, number>
      time: number
    }
    const run = (seed: string): Promise<Run> => Child.start(t, 'world', seed).hear<Run>()
    const [one, again, other] = await Promise.all([run('1'), run('1'), run('2')])
    assert.deepEqual(again, one)
    assert.notEqual(other.hash, one.hash)
    // All of it happened, or the comparison would say little.
    assert.ok(one.time > 600_000 && one.events > 5_000, JSON.stringify(one))
    for (const name of ['tick', 'say', 're', 'peer', 'gone', 'refused', 'dialFailed', 'fault', 'closed']) {
      assert.ok((one.counts[name] ?? 0) > 0, `${name} happened`)
    }
  })
})
