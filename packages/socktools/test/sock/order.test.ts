/** Decisions 5 and 6: handlers run in order, and no peer waits for another. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Context, SockOptions } from '../../src/index.ts'
import { noCrashes } from '../support/crashes.ts'
import { Arrivals, next, signal, type Signal } from '../support/events.ts'
import { GUARD, pattern } from '../support/tcp.ts'
import { simulate } from '../support/world.ts'

noCrashes()

const text = (data: Uint8Array): string => Buffer.from(data).toString()

/** Handlers that begin and end when the test says so, and a log of both. */
function gated(): {
  log: string[]
  end: (name: string) => void
  handler: (data: Uint8Array) => Promise<void>
} {
  const log: string[] = []
  const running = new Map<string, Signal>()
  return {
    log,
    end: (name) => running.get(name)?.give(),
    handler: async (data) => {
      const name = text(data)
      log.push(`+${name}`)
      const end = signal()
      running.set(name, end)
      await end.promise
      log.push(`-${name}`)
    },
  }
}

describe('order', GUARD, () => {
  test('the handlers of a peer run one after another: the next starts when the last settled', () =>
    simulate(async (world) => {
      const { log, end, handler } = gated()
      await world.open({ bind: 'memory:a', handlers: { 0: handler } })
      const client = await world.open({ connect: 'memory:a' })
      for (const name of ['a', 'b', 'c']) await client.sendMsg(0, name)
      for (const name of ['a', 'b', 'c']) {
        await world.quiet()
        assert.equal(log.at(-1), `+${name}`)
        end(name)
      }
      await world.quiet()
      assert.deepEqual(log, ['+a', '-a', '+b', '-b', '+c', '-c'])
    }))

  test('concurrency n starts them in order and lets n overlap', () =>
    simulate(async (world) => {
      const { log, end, handler } = gated()
      await world.open({ bind: 'memory:a', concurrency: 3, handlers: { 0: handler } })
      const client = await world.open({ connect: 'memory:a' })
      for (const name of ['a', 'b', 'c', 'd', 'e']) await client.sendMsg(0, name)
      await world.quiet()
      assert.deepEqual(log, ['+a', '+b', '+c'])
      end('b')
      await world.quiet()
      assert.deepEqual(log.slice(3), ['-b', '+d'])
      end('d')
      await world.quiet()
      end('a')
      await world.quiet()
      assert.deepEqual(log.slice(5), ['-d', '+e', '-a'])
      end('c')
      end('e')
      await world.quiet()
      assert.equal(log.length, 10)
    }))

  for (const concurrency of [1, 4]) {
    test(`sync and async handlers mixed, concurrency ${concurrency}: they start in the order of arrival`, () =>
      simulate(
        async (world) => {
          const started: number[] = []
          let running = 0
          let most = 0
          const handler = (data: Uint8Array): Promise<void> | undefined => {
            started.push(Number(text(data)))
            most = Math.max(most, ++running)
            const settled = world.sim.random() < 0.5 ? undefined : world.sim.sleep(world.sim.random() * 10)
            if (settled === undefined) running--
            return settled?.then(() => {
              running--
            })
          }
          const server = await world.open({ bind: 'memory:a', concurrency, handlers: { 0: handler } })
          const client = await world.open({ connect: 'memory:a' })
          for (let i = 0; i < 1_000; i++) {
            await client.sendMsg(0, String(i))
            if (i % 50 === 0) await world.sim.sleep(world.sim.random() * 100)
          }
          await client.drain({ timeout: 3_600_000 })
          await server.drain({ timeout: 3_600_000 })
          assert.deepEqual(
            started,
            Array.from({ length: 1_000 }, (_, i) => i),
          )
          assert.deepEqual([running, most], [0, concurrency])
        },
        { weather: (random) => ({ latency: () => random() * 3, slice: () => 1 + random() * 40 }) },
      ))
  }

  test('it is the order of each peer: one whose handler never settles holds up nobody else', () =>
    simulate(async (world) => {
      const got = new Arrivals()
      const handler = (data: Uint8Array): Promise<void> | undefined => {
        got.push(data)
        return text(data).startsWith('stuck') ? new Promise(() => undefined) : undefined
      }
      await world.open({ bind: 'memory:a', handlers: { 0: handler } })
      const stuck = await world.open({ connect: 'memory:a' })
      const fine = await world.open({ connect: 'memory:a' })
      for (let i = 0; i < 3; i++) await stuck.sendMsg(0, `stuck ${i}`)
      for (let i = 0; i < 3; i++) await fine.sendMsg(0, `fine ${i}`)
      await world.quiet()
      assert.deepEqual(got.list, ['stuck 0', 'fine 0', 'fine 1', 'fine 2'])
    }))
})

describe('nobody waits for another', GUARD, () => {
  for (const [much, n, maxQueue] of [['less than maxQueue', 1_000, 2 ** 24]] as const) {
    test(`two socks whose handlers all await a send to the other, while both flood, with ${much}: none hangs`, () =>
      simulate(async (world) => {
        const replies: Record<string, number> = { a: 0, b: 0 }
        const options = (name: string): SockOptions => ({
          highWaterMark: 10_000,
          readMark: 10_000,
          maxQueue,
          handlers: {
            0: async (data: Uint8Array, { peer }: Context) => {
              if (data[0] === 1)
                await peer.sendMsg(
                  0,
                  data.map((byte, i) => (i === 0 ? 2 : byte)),
                )
              else replies[name] = (replies[name] ?? 0) + 1
            },
          },
        })
        const request = pattern(1_000)
        request[0] = 1
        const a = await world.open({ bind: 'memory:a', ...options('a') })
        const b = await world.open(options('b'))
        const accepted = next(a, 'peer')
        const peers = [await b.connectTo('memory:a'), (await accepted).peer]
        await Promise.all(
          peers.map(async (peer) => {
            for (let i = 0; i < n; i++) await peer.sendMsg(0, request)
          }),
        )
        await world.sim.sleep(1_000)
        assert.deepEqual(replies, { a: n, b: n })
      }))
  }

  for (const each of [1, 20]) {
    test(`a peer that floods, with handlers that take ${each} ms each, leaves the others their turn`, () =>
      simulate(async (world) => {
        const order: string[] = []
        const handler = (data: Uint8Array): void => {
          order.push(text(data))
          world.block(each)
        }
        const server = await world.open({ bind: 'memory:a', handlers: { 0: handler } })
        const flooder = await world.open({ connect: 'memory:a' })
        const other = await world.open({ connect: 'memory:a' })
        let timer = -1
        for (let i = 0; i < 1_000; i++) void flooder.sendMsg(0, 'flood')
        void other.sendMsg(0, 'other')
        world.platform.setTimer(() => {
          timer = order.length
        }, 5)
        await world.sim.sleep(1_000)
        assert.equal(order.length, 1_001)
        // 5 ms of a turn by the clock, which is looked at after the 2nd, 4th and 8th message.
        const most = each === 1 ? 8 : 4
        assert.ok(order.indexOf('other') <= most, `served after ${order.indexOf('other')} of the flood`)
        assert.ok(timer > 0 && timer <= 2 * most + 2, `a timer of 5 ms ran after ${timer} messages`)
        assert.equal(server.stats().waiting, 0)
      }))
  }

  test('the order of the flood itself holds across its turns, what comes meanwhile included', () =>
    simulate(async (world) => {
      const order: number[] = []
      const handler = (data: Uint8Array): void => {
        order.push(Number(text(data)))
        world.block(2)
      }
      await world.open({ bind: 'memory:a', handlers: { 0: handler } })
      const flooder = await world.open({ connect: 'memory:a' })
      for (let i = 0; i < 300; i++) {
        void flooder.sendMsg(0, String(i))
        if (i % 7 === 0) await world.sim.sleep(0.001)
      }
      await world.sim.sleep(1_000)
      assert.deepEqual(
        order,
        Array.from({ length: 300 }, (_, i) => i),
      )
    }))
})
