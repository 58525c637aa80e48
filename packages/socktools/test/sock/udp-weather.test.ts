/** Loss, doubles and disorder are passed on as they come; nothing breaks by them, and nothing is unaccounted for. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { json } from '../../src/index.ts'
import type { DatagramWeather } from '../../src/index.ts'
import { droppedBy, simulateUdp } from '../support/udp-world.ts'

const HERE = 'udp://127.0.0.1:4000'

/** What a server handles of `n` numbered messages that `clients` send it, by client. */
async function exchange(
  weather: (random: () => number) => DatagramWeather,
  { n = 300, clients = 3, seed = 1, work = 0 } = {},
): Promise<{ handled: number[][]; sent: number; received: number; dropped: number }> {
  const handled = new Map<string, number[]>()
  let result = { handled: [] as number[][], sent: 0, received: 0, dropped: 0 }
  await simulateUdp(
    async (world) => {
      const running = new Set<string>()
      const server = await world.open({
        bind: HERE,
        codec: json<number>(),
        readMark: 2_000,
        handlers: {
          n: async (i, { peer }) => {
            assert.ok(!running.has(peer.address), 'the handlers of one peer run one after another')
            running.add(peer.address)
            if (work > 0) await world.sleep(work)
            const list = handled.get(peer.address) ?? []
            handled.set(peer.address, list)
            list.push(i)
            running.delete(peer.address)
          },
        },
      })
      const socks = await Promise.all(
        Array.from({ length: clients }, () => world.open({ connect: HERE, codec: json<number>() })),
      )
      for (let i = 0; i < n; i++) {
        for (const sock of socks) await sock.sendMsg('n', i)
        await world.sleep(1)
      }
      await world.sleep(1_000)
      await world.sleep(work * n)
      const stats = server.stats()
      result = {
        handled: [...handled.values()],
        sent: socks.reduce((sum, sock) => sum + sock.stats().messagesOut, 0),
        received: stats.messagesIn,
        dropped: droppedBy(stats),
      }
    },
    { seed, weather },
  )
  return result
}

const inOrder = (list: readonly number[]): boolean =>
  list.every((i, at) => at === 0 || i > (list[at - 1] ?? -1))

describe('weather', () => {
  test('none: everything arrives, in order', async () => {
    const { handled, sent, received } = await exchange(() => ({ latency: () => 20 }))
    assert.deepEqual([sent, received], [900, 900])
    for (const list of handled)
      assert.deepEqual(
        list,
        Array.from({ length: 300 }, (_, i) => i),
      )
  })

  test('loss: what is lost is missing, the rest is in order', async () => {
    const { handled, sent, received } = await exchange((random) => ({
      latency: () => 20,
      copies: () => (random() < 0.3 ? 0 : 1),
    }))
    assert.ok(received < sent && received > sent / 2, `${received} of ${sent}`)
    for (const list of handled) assert.ok(inOrder(list))
    assert.equal(
      handled.reduce((sum, list) => sum + list.length, 0),
      received,
    )
  })

  test('doubles are handled twice', async () => {
    const { handled, sent, received } = await exchange((random) => ({
      latency: () => 20,
      copies: () => (random() < 0.3 ? 2 : 1),
    }))
    assert.ok(received > sent, `${received} of ${sent}`)
    for (const list of handled) assert.equal(new Set(list).size, 300)
  })

  test('disorder is handled as it comes', async () => {
    const { handled, received } = await exchange((random) => ({ latency: () => random() * 50 }))
    assert.equal(received, 900)
    for (const list of handled) {
      assert.ok(!inOrder(list))
      assert.equal(new Set(list).size, 300)
    }
  })

  for (const seed of [1, 2, 3, 4, 5]) {
    test(`slow handlers in a network that loses nothing: sent = handled + dropped (seed ${seed})`, async () => {
      const { handled, sent, received, dropped } = await exchange(
        (random) => ({ latency: () => random() * 50 }),
        {
          seed,
          work: 3,
        },
      )
      const done = handled.reduce((sum, list) => sum + list.length, 0)
      assert.ok(dropped > 0 && done > 0)
      assert.deepEqual([received, done + dropped], [sent, sent])
    })
  }
})
