/** Decision 4, against a model: the order of what each peer is sent, and that every message is counted. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { PipeSock, Peer } from '../../src/index.ts'
import { noCrashes } from '../support/crashes.ts'
import { all } from '../support/events.ts'
import { GUARD, pattern } from '../support/tcp.ts'
import { simulate } from '../support/world.ts'

noCrashes()

/**
 * The model: a list for each peer of what it should get. Broadcasts, broadcasts with `except`, sends to one and to
 * several, in any mixture within a turn, while peers come and go and the network slices and delays.
 */
describe('each peer receives exactly its own sequence', GUARD, () => {
  for (let seed = 1; seed <= 12; seed++) {
    test(`seed ${seed}`, () =>
      simulate(
        async (world) => {
          const { random } = world.sim
          const below = (n: number): number => Math.floor(random() * n)
          const server = await world.open({ bind: 'memory:a', maxQueue: 2 ** 30, highWaterMark: 100_000 })
          const expected = new Map<Peer, string[]>()
          const received = new Map<string, string[]>()
          const clients: PipeSock[] = []
          server.on('peer', ({ peer }) => expected.set(peer, []))
          const join = async (): Promise<void> => {
            const list: string[] = []
            const handler = (data: Uint8Array): number =>
              list.push(`${Buffer.from(data.subarray(0, 8)).toString()}+${data.length}`)
            const client = await world.open({ handlers: { 0: handler } })
            await client.connectTo('memory:a')
            received.set(server.knownPeers.at(-1)!.id, list)
            clients.push(client)
          }
          for (let i = 0; i < 4; i++) await join()
          const sizes = [8, 9, 100, 5_000, 16_384, 16_385, 40_000, 61_440, 70_000]
          for (let n = 0; n < 600; n++) {
            const payload = new Uint8Array(sizes[below(below(3) === 0 ? sizes.length : 3)]!)
            const tag = String(n).padStart(8, '0')
            payload.set(Buffer.from(tag))
            const peers = server.knownPeers
            const some = peers.filter(() => random() < 0.4)
            const [first] = some
            const kind = below(5)
            const to = kind === 0 && first !== undefined ? [first] : kind === 1 ? some : peers
            const except = kind === 2 || kind === 1 ? peers.filter(() => random() < 0.3) : []
            for (const peer of to)
              if (!except.includes(peer)) expected.get(peer)?.push(`${tag}+${payload.length}`)
            const sent =
              kind === 0 && first !== undefined
                ? first.sendMsg(0, payload)
                : server.sendMsg(0, payload, {
                    ...(kind === 1 ? { to: some } : {}),
                    ...(except.length > 0 ? { except } : {}),
                  })
            if (below(4) === 0) await sent
            if (below(10) === 0) await world.sim.sleep(random() * 20)
            if (below(60) === 0) await join()
            if (below(80) === 0 && peers.length > 2)
              await peers[below(peers.length)]!.drain({ timeout: 3_600_000 })
          }
          await server.drain({ timeout: 3_600_000 })
          await Promise.all(clients.map((client) => client.drain({ timeout: 3_600_000 })))
          for (const [peer, list] of expected) {
            assert.deepEqual(received.get(peer.id), list, `${peer.id} of seed ${seed}`)
            const { messagesOut, bytesOut, queued, dropped } = peer.stats()
            const bytes = list.reduce((sum, one) => sum + 4 + Number(one.slice(9)), 0)
            assert.deepEqual([messagesOut, bytesOut, queued, dropped], [list.length, bytes, 0, {}])
          }
          assert.ok([...expected.values()].some((list) => list.length > 200))
        },
        {
          seed,
          weather: (random) => ({
            latency: () => random() * 5,
            ...(seed % 2 === 0 ? { slice: () => 1 + random() * 30_000 } : {}),
          }),
        },
      ))
  }
})

describe('stats', GUARD, () => {
  test('of the peers, gone ones included, add up to those of the sock; every message is somewhere', () =>
    simulate(
      async (world) => {
        const { random } = world.sim
        const options = { maxQueue: 60_000, highWaterMark: 20_000, readMark: 10_000 }
        const handler = (): Promise<void> => world.sim.sleep(random() * 10)
        const server = await world.open({ bind: 'memory:a', handlers: { 0: handler }, ...options })
        const ever: Peer[] = []
        server.on('peer', ({ peer }) => ever.push(peer))
        const dropped = all(server, 'dropped')
        const clients: PipeSock[] = []
        for (let i = 0; i < 5; i++) {
          const client = await world.open({ handlers: { 0: handler }, ...options })
          await client.connectTo('memory:a')
          clients.push(client)
        }
        for (let n = 0; n < 800; n++) {
          void server.sendMsg(0, pattern(random() * 2_000))
          void ever[n % 5]!.sendMsg(0, pattern(random() * 2_000))
          void clients[n % 5]!.sendMsg(0, pattern(random() * 2_000))
          if (n % 20 === 0) await world.sim.sleep(5)
          if (n === 300) ever[0]!.close()
          if (n === 500) void clients[1]!.close()
        }
        await world.quiet()
        await server.close()
        await world.quiet()
        const total = server.stats()
        const sum = (pick: (stats: ReturnType<Peer['stats']>) => number): number =>
          ever.reduce((n, peer) => n + pick(peer.stats()), 0)
        for (const key of [
          'messagesIn',
          'bytesIn',
          'messagesOut',
          'bytesOut',
          'queued',
          'waiting',
        ] as const) {
          assert.equal(
            total[key],
            sum((stats) => stats[key]),
            key,
          )
        }
        for (const reason of ['slow', 'gone', 'closed', 'ending', 'unsendable'] as const) {
          assert.equal(
            total.dropped[reason] ?? 0,
            sum((stats) => stats.dropped[reason] ?? 0),
            reason,
          )
          const told = dropped
            .filter((event) => event.reason === reason)
            .reduce((n, { messages }) => n + messages, 0)
          assert.equal(told, total.dropped[reason] ?? 0, `events of ${reason}`)
        }
        assert.ok(
          (total.dropped.slow ?? 0) > 0 && (total.dropped.gone ?? 0) > 0 && (total.dropped.closed ?? 0) > 0,
        )
        assert.deepEqual([total.peers, total.accepted, total.dialed], [0, 5, 0])
      },
      { weather: (random) => ({ latency: () => random() * 5 }) },
    ))
})
