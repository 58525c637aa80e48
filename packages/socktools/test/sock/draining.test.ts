/** Decision 10: drain loses nothing, and ends. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { noCrashes } from '../support/crashes.ts'
import { all, Arrivals, next } from '../support/events.ts'
import { knocking } from '../support/knock.ts'
import { frame, GUARD, pair, pattern } from '../support/tcp.ts'
import { simulate } from '../support/world.ts'

noCrashes()

describe('drain', GUARD, () => {
  test('waits for the far side to end as well, up to its timeout; then the connection is cut', () =>
    knocking(async (world, door) => {
      for (const [timeout, given] of [
        [5_000, {}],
        [100, { timeout: 100 }],
      ] as const) {
        const server = await world.open({ bind: 'knock:any' })
        const gone = next(server, 'gone')
        const pipe = door.knock()
        await world.quiet()
        const since = world.sim.now()
        await server.drain(given)
        const took = world.sim.now() - since
        assert.ok(took >= timeout && took <= timeout * 1.04 + 4, `took ${took}`)
        assert.deepEqual([pipe.ended, pipe.destroyed, (await gone).error], [true, true, undefined])
      }
    }))

  test('returns as soon as the far side has ended', () =>
    knocking(async (world, door) => {
      const server = await world.open({ bind: 'knock:any' })
      const pipe = door.knock()
      await world.quiet()
      const drained = server.drain()
      await world.sim.sleep(1_000)
      pipe.finish()
      pipe.break()
      await drained
      assert.ok(world.sim.now() < 1_001)
    }))

  test('handles what comes until then', () =>
    knocking(async (world, door) => {
      const got = new Arrivals()
      const server = await world.open({ bind: 'knock:any', handlers: { 0: got.push } })
      const pipe = door.knock()
      await world.quiet()
      const drained = server.drain()
      await world.sim.sleep(1_000)
      pipe.say(frame('still under way'))
      await drained
      assert.deepEqual(got.list, ['still under way'])
    }))

  test('of a far side that reads nothing: cut at the timeout, and `gone` says what was lost', () =>
    knocking(async (world, door) => {
      const server = await world.open({ bind: 'knock:any' })
      const gone = next(server, 'gone')
      const pipe = door.knock()
      pipe.stuck = true
      for (let i = 0; i < 7; i++) void server.sendMsg(0, 'x')
      await server.drain()
      assert.deepEqual([(await gone).lost, pipe.ended], [{ unsent: 7, unhandled: 0 }, false])
    }))

  test('of a far side that never stops sending ends all the same', () =>
    simulate(async (world) => {
      const server = await world.open({ bind: 'memory:a', handlers: { 0: () => world.sim.sleep(1) } })
      const client = await world.open()
      const peer = await client.connectTo('memory:a')
      const flood = assert.rejects(
        async () => {
          for (;;) await peer.sendMsg(0, pattern(10_000))
        },
        // Its own side has ended, as that of a peer does which hears that the other has finished.
        { code: 'DRAINING' },
      )
      await world.sim.sleep(100)
      await server.drain()
      await flood
      assert.ok(world.sim.now() < 5_300)
    }))

  test('twice at once is one drain: the second does not cut the first short', () =>
    simulate(async (world) => {
      const got = new Arrivals()
      await world.open({ bind: 'memory:a', handlers: { 0: got.push } })
      const client = await world.open()
      const peer = await client.connectTo('memory:a')
      for (let i = 0; i < 300; i++) void peer.sendMsg(0, 'x'.repeat(10_000))
      await Promise.all([peer.drain(), client.drain(), client.drain(), client[Symbol.asyncDispose]()])
      assert.deepEqual([got.list.length, client.stats().dropped], [300, {}])
    }))

  test('close() while it drains ends it at once', () =>
    knocking(async (world, door) => {
      const server = await world.open({ bind: 'knock:any' })
      const pipe = door.knock()
      pipe.stuck = true
      void server.sendMsg(0, 'x')
      const drained = server.drain()
      await world.quiet()
      assert.deepEqual(await server.close(), { unsent: 1, unhandled: 0 })
      await drained
      assert.ok(world.sim.now() < 1)
    }))

  for (let seed = 1; seed <= 10; seed++) {
    test(`both sides at once, with data in flight both ways: nothing is missing (seed ${seed})`, () =>
      simulate(
        async (world) => {
          const { random } = world.sim
          const [atA, atB] = [new Arrivals(), new Arrivals()]
          const slow = (to: Arrivals) => async (data: Uint8Array) => {
            if (random() < 0.1) await world.sim.sleep(random() * 20)
            to.push(data)
          }
          const options = { readMark: 20_000, maxQueue: 2 ** 30 }
          const a = await world.open({ bind: 'memory:a', handlers: { 0: slow(atA) }, ...options })
          const b = await world.open({ handlers: { 0: slow(atB) }, ...options })
          await b.connectTo('memory:a')
          const ends = [all(a, 'gone'), all(b, 'gone')]
          const sent = { a: [] as string[], b: [] as string[] }
          for (let i = 0; i < 500; i++) {
            const text = String(i).padEnd(random() * 2_000, '.')
            const [sock, list] = random() < 0.5 ? [a, sent.a] : [b, sent.b]
            void sock.sendMsg(0, text)
            list.push(text)
            if (random() < 0.05) await world.sim.sleep(random() * 10)
          }
          await Promise.all([a.drain({ timeout: 3_600_000 }), b.drain({ timeout: 3_600_000 })])
          assert.deepEqual(atB.list, sent.a)
          assert.deepEqual(atA.list, sent.b)
          for (const [end] of ends)
            assert.deepEqual([end?.error, end?.lost], [undefined, { unsent: 0, unhandled: 0 }])
        },
        { seed, weather: (random) => ({ latency: () => random() * 10, slice: () => 1 + random() * 3_000 }) },
      ))
  }

  test('on TCP as well: 16 MB each way, both drain at once', async (t) => {
    const sums = { server: 0, client: 0 }
    const { server, client, toServer, toClient } = await pair(
      t,
      { maxQueue: 2 ** 30, handlers: { 0: (data) => (sums.server += data.length) } },
      { maxQueue: 2 ** 30, handlers: { 0: (data) => (sums.client += data.length) } },
    )
    for (let i = 0; i < 160; i++) {
      void toServer.sendMsg(0, pattern(100_000))
      void toClient.sendMsg(0, pattern(100_000))
    }
    await Promise.all([server.drain(), client.drain()])
    assert.deepEqual(sums, { server: 16_000_000, client: 16_000_000 })
    assert.deepEqual([server.stats().dropped, client.stats().dropped], [{}, {}])
  })
})
