/** The seed's row `tick`, and what it has no row for: drain, close, and `await using`. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { PipeSock, type Lost, type Tick } from '../../src/index.ts'
import { all, Arrivals, next, signal } from '../support/events.ts'
import { GUARD } from '../support/tcp.ts'
import { simulate } from '../support/world.ts'

describe('tick', GUARD, () => {
  test('is told how late it is, measured, and what was left out: there is no burst', () =>
    simulate(async (world) => {
      const ticks: Tick[] = []
      await world.open({
        tickInterval: 100,
        tick: (tick) => {
          ticks.push(tick)
          // Heavy work: the times of two ticks pass meanwhile.
          if (tick.count === 1) world.block(230)
        },
      })
      await world.sim.sleep(300)
      assert.deepEqual(ticks.slice(0, 3), [
        { count: 1, elapsed: 100, late: 0, missed: 0 },
        // Due at 200 and run at 330; that of 300 is left out.
        { count: 2, elapsed: 230, late: 130, missed: 1 },
        // On the grid again.
        { count: 3, elapsed: 70, late: 0, missed: 0 },
      ])
    }))

  test('one whose promise is pending keeps the next from being called', () =>
    simulate(async (world) => {
      const ticks: Tick[] = []
      await world.open({
        tickInterval: 100,
        tick: async (tick) => {
          ticks.push(tick)
          if (tick.count === 1) await world.sim.sleep(250)
        },
      })
      await world.sim.sleep(550)
      assert.deepEqual(
        ticks.map(({ elapsed, missed }) => [elapsed, missed]),
        [
          [100, 0],
          [300, 2],
          [100, 0],
        ],
      )
    }))

  for (const how of ['startServer', 'connectTo', 'start'] as const) {
    test(`begins with ${how}(), and only once`, () =>
      simulate(async (world) => {
        await world.open({ bind: 'memory:other' })
        const at: number[] = []
        const sock = world.sock({ tickInterval: 100, tick: () => void at.push(world.sim.now()) })
        await world.sim.sleep(1_000)
        assert.deepEqual(at, [], 'a sock that does nothing yet does not tick')
        const since = world.sim.now()
        if (how === 'startServer') await sock.startServer({ bind: 'memory:a' })
        else if (how === 'connectTo') await sock.connectTo('memory:other')
        else await sock.start()
        await sock.connectTo('memory:other')
        await world.sim.sleep(350)
        assert.deepEqual(
          at.map((time) => Math.round(time - since)),
          [100, 200, 300],
        )
      }))
  }

  test('one that throws or rejects is a fault; the next comes', () =>
    simulate(async (world) => {
      const sock = world.sock({
        tickInterval: 100,
        tick: ({ count }) => {
          if (count === 1) throw new Error('first')
          return count === 2 ? Promise.reject(new Error('second')) : undefined
        },
      })
      const faults = all(sock, 'fault')
      await sock.start()
      await world.sim.sleep(450)
      assert.deepEqual(
        faults.map(({ in: where, error }) => [where, error.code]),
        [
          ['tick', 'HANDLER_FAILED'],
          ['tick', 'HANDLER_FAILED'],
        ],
      )
      assert.equal(sock.stats().faults, 2)
    }))

  for (const ending of ['close', 'drain'] as const) {
    test(`ends with ${ending}()`, () =>
      simulate(async (world) => {
        let count = 0
        const sock = await world.open({
          tick: () => {
            count++
          },
        })
        await world.sim.sleep(1_100)
        await sock[ending]()
        await world.sim.sleep(1_000)
        assert.equal(count, 4)
      }))
  }
})

describe('drain', GUARD, () => {
  test('handles what arrived, writes what was sent, and ends each connection', () =>
    simulate(async (world) => {
      const [handled, answered] = [new Arrivals(), new Arrivals()]
      const server = await world.open({
        bind: 'memory:a',
        handlers: {
          0: async (data, { peer }) => {
            await world.sim.sleep(10)
            handled.push(data)
            await peer.sendMsg(0, `re: ${Buffer.from(data).toString()}`)
          },
        },
      })
      const client = await world.open({ connect: 'memory:a', handlers: { 0: answered.push } })
      const [serverGone, clientGone] = [all(server, 'gone'), all(client, 'gone')]
      for (const text of ['1', '2', '3']) await client.sendMsg(0, text)
      await world.quiet()
      await server.drain()
      await world.quiet()
      assert.deepEqual(handled.list, ['1', '2', '3'])
      assert.deepEqual(answered.list, ['re: 1', 're: 2', 're: 3'])
      for (const [event] of [serverGone, clientGone]) {
        assert.deepEqual([event?.error, event?.lost], [undefined, { unsent: 0, unhandled: 0 }])
      }
    }))

  test('takes nobody new, in either direction', () =>
    simulate(async (world) => {
      const handling = signal()
      const server = await world.open({ bind: 'memory:a', handlers: { 0: () => handling.promise } })
      const client = await world.open({ connect: 'memory:a' })
      await client.sendMsg(0, 'x')
      await world.quiet()
      const drained = server.drain()
      await assert.rejects((await world.open()).connectTo('memory:a'), { code: 'CONNECT_FAILED' })
      await assert.rejects(server.connectTo('memory:b'), { code: 'DRAINING' })
      await assert.rejects(server.startServer({ bind: 'memory:b' }), { code: 'DRAINING' })
      handling.give()
      await drained
    }))

  test('of one peer leaves the others', () =>
    simulate(async (world) => {
      const got = new Arrivals()
      const server = await world.open({ bind: 'memory:a', handlers: { 0: got.push } })
      const client = await world.open()
      const [one, two] = [await client.connectTo('memory:a'), await client.connectTo('memory:a')]
      void one.sendMsg(0, 'last')
      await one.drain()
      assert.deepEqual([one.state, two.state, server.knownPeers.length], ['gone', 'open', 1])
      await two.sendMsg(0, 'still here')
      await world.quiet()
      assert.deepEqual(got.list, ['last', 'still here'])
    }))
})

describe('close', GUARD, () => {
  test('ends at once, says what was lost, and every peer, iterable and dial with it', () =>
    simulate(async (world) => {
      const server = await world.open({
        bind: 'memory:a',
        handlers: { 0: () => new Promise(() => undefined) },
      })
      const client = await world.open({ connect: ['memory:a'] })
      for (let i = 0; i < 5; i++) await client.sendMsg(0, 'x')
      await world.quiet()
      for (let i = 0; i < 3; i++) void server.sendMsg(0, 'y')
      const [gone, closed] = [all(server, 'gone'), all(server, 'closed')]
      const reading = server.messages().next()
      // One of the five is being handled.
      const lost: Lost = { unsent: 3, unhandled: 4 }
      assert.deepEqual(await server.close(), lost)
      assert.deepEqual([gone.map((event) => event.lost), closed], [[lost], [{ lost }]])
      assert.equal((await reading).done, true)
      assert.deepEqual(server.stats().dropped, { closed: 7 })
    }))

  test('may be called again, and after drain, and gives the same answer', () =>
    simulate(async (world) => {
      const server = await world.open({ bind: 'memory:a' })
      const closed = all(server, 'closed')
      const first = server.close()
      assert.equal(server.close(), first)
      await server.drain()
      await server.close()
      const client = await world.open()
      await client.drain()
      await client.drain()
      assert.deepEqual(await client.close(), { unsent: 0, unhandled: 0 })
      assert.equal(closed.length, 1)
    }))
})

describe('await using', GUARD, () => {
  test('drains', () =>
    simulate(async (world) => {
      const got = new Arrivals()
      await world.open({ bind: 'memory:a', handlers: { 0: got.push } })
      let kept: PipeSock | undefined
      {
        await using client = new PipeSock({}, world)
        kept = client
        await client.connectTo('memory:a')
        for (let i = 0; i < 100; i++) void client.sendMsg(0, 'x'.repeat(100_000))
      }
      assert.equal(got.list.length, 100)
      assert.deepEqual([kept.knownPeers, kept.stats().dropped], [[], {}])
      await assert.rejects(kept.connectTo('memory:a'), { code: 'CLOSED' })
    }))

  test('after an explicit close() there is nothing left to do', () =>
    simulate(async (world) => {
      const server = await world.open({ bind: 'memory:a', handlers: { 0: () => undefined } })
      const gone = next(server, 'gone')
      {
        await using client = new PipeSock({}, world)
        await client.connectTo('memory:a')
        for (let i = 0; i < 100; i++) void client.sendMsg(0, 'x'.repeat(100_000))
        const { unsent } = await client.close()
        assert.ok(unsent > 90, `${unsent} were not sent`)
      }
      await gone
      assert.ok(server.stats().messagesIn < 10)
    }))
})
