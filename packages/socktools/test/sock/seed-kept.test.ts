/** `connect: [...]`: kept up with backoff, where `connectTo` tries once. All in virtual time. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { all, Arrivals, next } from '../support/events.ts'
import { knocking } from '../support/knock.ts'
import { GUARD } from '../support/tcp.ts'
import { simulate } from '../support/world.ts'

describe('connect', GUARD, () => {
  test('start() resolves when each first attempt has settled; failures are events', () =>
    simulate(async (world) => {
      await world.open({ bind: 'memory:here' })
      const sock = world.sock({ connect: ['memory:here', 'memory:away'] })
      const failed = all(sock, 'dialFailed')
      await sock.start()
      assert.deepEqual(
        sock.knownPeers.map(({ address }) => address),
        ['memory:here'],
      )
      assert.deepEqual(
        failed.map(({ address, error }) => [address, error.code]),
        [['memory:away', 'CONNECT_FAILED']],
      )
    }))

  test('a server that comes later is found', () =>
    simulate(async (world) => {
      const got = new Arrivals()
      const client = await world.open({ connect: 'memory:a' })
      await world.sim.sleep(3_600_000)
      await world.open({ bind: 'memory:a', handlers: { 0: got.push } })
      await next(client, 'peer')
      await client.sendMsg(0, 'at last')
      await world.quiet()
      assert.deepEqual(got.list, ['at last'])
    }))

  test('a server that restarts is found again, and again', () =>
    simulate(async (world) => {
      const client = await world.open({ connect: 'memory:a' })
      for (let i = 0; i < 5; i++) {
        const server = await world.open({ bind: 'memory:a' })
        await next(client, 'peer')
        assert.equal(client.knownPeers.length, 1)
        const gone = next(client, 'gone')
        await server.close()
        await gone
        assert.equal(client.knownPeers.length, 0)
        await world.sim.sleep(60_000)
      }
    }))

  test('backoff: delays are drawn below a ceiling that doubles from `first` to `max`', () =>
    simulate(async (world) => {
      const sock = await world.open()
      await sock.close()
      const kept = world.sock({ connect: 'memory:nobody', backoff: { first: 100, max: 5_000 } })
      const failed = all(kept, 'dialFailed')
      await kept.start()
      await world.sim.sleep(600_000)
      const ceilings = failed.map((_, i) => Math.min(5_000, 100 * 2 ** i))
      const delays = failed.map(({ retryIn }) => retryIn ?? NaN)
      for (const [i, delay] of delays.entries()) {
        assert.ok(delay >= 0 && delay < ceilings[i]!, `delay ${i} is ${delay}, below ${ceilings[i]}`)
      }
      // Full jitter: about half the ceiling on average, so about 240 attempts in ten minutes.
      assert.ok(failed.length > 150 && failed.length < 400, `${failed.length} attempts`)
      const late = delays.slice(10)
      assert.ok(late.some((delay) => delay < 1_000) && late.some((delay) => delay > 4_000), 'spread out')
    }))

  test('backoff: two socks that lost the same server do not come back together', () =>
    simulate(async (world) => {
      const one = world.sock({ connect: 'memory:nobody' })
      const two = world.sock({ connect: 'memory:nobody' })
      const tries = [all(one, 'dialFailed'), all(two, 'dialFailed')]
      await Promise.all([one.start(), two.start()])
      await world.sim.sleep(60_000)
      const [a, b] = tries.map((list) => list.map(({ retryIn }) => retryIn))
      assert.notDeepEqual(a, b)
    }))

  test('backoff: a connection that held for `healthy` starts it anew', () =>
    simulate(async (world) => {
      const kept = world.sock({ connect: 'memory:a', backoff: { first: 100, max: 60_000, healthy: 10_000 } })
      const failed = all(kept, 'dialFailed')
      await kept.start()
      await world.sim.sleep(600_000)
      const server = await world.open({ bind: 'memory:a' })
      await next(kept, 'peer')
      await world.sim.sleep(10_000)
      const before = failed.length
      await server.close()
      await world.sim.sleep(1_000)
      // From the start again: the first retries come within 100, 200, 400 ms.
      assert.ok(failed.length >= before + 2, `${failed.length - before} attempts in a second`)
    }))

  test('backoff: a server that takes the connection and drops it at once is not hammered', () =>
    simulate(async (world) => {
      const server = await world.open({ bind: 'memory:a' })
      server.on('peer', ({ peer }) => void peer.close())
      await world.sim.sleep(60_000)
      const kept = await world.open({ connect: 'memory:a' })
      const peers = all(kept, 'peer')
      await world.sim.sleep(600_000)
      assert.ok(peers.length > 10 && peers.length < 100, `${peers.length} connections in ten minutes`)
    }))

  test('backoff: nor one whose connection is closed by a listener of `peer`', () =>
    simulate(async (world) => {
      await world.open({ bind: 'memory:a' })
      await world.sim.sleep(60_000)
      const kept = world.sock({ connect: 'memory:a' })
      const peers = all(kept, 'peer')
      kept.on('peer', ({ peer }) => void peer.close())
      await kept.start()
      await world.sim.sleep(600_000)
      assert.ok(peers.length > 10 && peers.length < 100, `${peers.length} connections in ten minutes`)
    }))

  test('a gate that says no counts as a failure', () =>
    simulate(async (world) => {
      await world.open({ bind: 'memory:a' })
      const kept = world.sock({ connect: 'memory:a', goodPeer: () => false })
      const [failed, refused] = [all(kept, 'dialFailed'), all(kept, 'refused')]
      await kept.start()
      await world.sim.sleep(600_000)
      assert.ok(failed.length > 10 && failed.length < 100, `${failed.length} attempts in ten minutes`)
      assert.deepEqual(new Set(failed.map(({ error }) => error.code)), new Set(['REFUSED']))
      assert.equal(refused.length, failed.length)
    }))

  test('a peer that we close ourselves is dialed again as well', () =>
    simulate(async (world) => {
      await world.open({ bind: 'memory:a' })
      const kept = await world.open({ connect: 'memory:a' })
      const again = next(kept, 'peer')
      kept.closePeer('memory:a')
      await again
    }))

  for (const ending of ['close', 'drain'] as const) {
    test(`${ending}() ends it: nothing is dialed afterwards`, () =>
      simulate(async (world) => {
        const server = await world.open({ bind: 'memory:a' })
        const up = await world.open({ connect: 'memory:a' })
        const waiting = await world.open({ connect: 'memory:nobody' })
        await Promise.all([up[ending](), waiting[ending]()])
        await world.quiet()
        const { activity } = world
        await world.open({ bind: 'memory:nobody' })
        await world.sim.sleep(600_000)
        assert.equal(world.activity, activity)
        assert.deepEqual(server.knownPeers, [])
      }))
  }

  test('close() while start() dials: nothing is dialed and nothing ticks afterwards', () =>
    simulate(async (world) => {
      const sock = world.sock({ connect: ['memory:a', 'memory:b'], tick: () => undefined })
      const starting = assert.rejects(sock.start(), { code: 'CLOSED' })
      await sock.close()
      await starting
      await world.quiet()
      const { activity } = world
      await world.sim.sleep(600_000)
      assert.equal(world.activity, activity)
    }))

  test('close() while start() waits for a dial that does not settle: the same', () =>
    knocking(async (world, door) => {
      const sock = world.sock({ connect: 'knock:any', tick: () => undefined })
      const starting = assert.rejects(sock.start(), { code: 'CLOSED' })
      await world.sim.sleep(100)
      assert.equal(door.dials, 1)
      await sock.close()
      await starting
      const { activity } = world
      await world.sim.sleep(600_000)
      assert.equal(world.activity, activity)
    }))

  test('close() from a listener of `listening`, before start() comes to dialing', () =>
    simulate(async (world) => {
      const sock = world.sock({ bind: 'memory:a', connect: 'memory:b', tick: () => undefined })
      sock.on('listening', () => void sock.close())
      await assert.rejects(sock.start(), { code: 'CLOSED' })
      await world.quiet()
      const { activity } = world
      await world.sim.sleep(600_000)
      assert.equal(world.activity, activity)
    }))
})
