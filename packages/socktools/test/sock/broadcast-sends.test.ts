/** Decision 4, for those who are sent to together: no slow peer holds the others up, and order holds for each. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { BaseSock, Peer, SockOptions } from '../../src/index.ts'
import { noCrashes } from '../support/crashes.ts'
import { all } from '../support/events.ts'
import { type Knocker, knocking, type TestPipe } from '../support/knock.ts'
import { frame, GUARD, pattern } from '../support/tcp.ts'
import { simulate, type World } from '../support/world.ts'

noCrashes()

/** Each message of 96 bytes takes 100 on the wire. */
const message = pattern(96)

interface Scene {
  readonly server: BaseSock
  readonly pipes: readonly TestPipe[]
  readonly peers: readonly Peer[]
}

async function scene(world: World, door: Knocker, n: number, options: SockOptions = {}): Promise<Scene> {
  const server = await world.open({ bind: 'knock:any', highWaterMark: 1_000, maxQueue: 10_000, ...options })
  const pipes = Array.from({ length: n }, () => door.knock())
  return { server, pipes, peers: server.knownPeers }
}

/** Brings a peer over its mark: its pipe holds on to what it gets. */
async function choke(world: World, peer: Peer, pipe: TestPipe): Promise<void> {
  pipe.stuck = true
  for (let i = 0; i < 12; i++) void peer.sendMsg(0, message)
  await world.quiet()
  assert.equal(peer.stats().queued, 1_200)
}

async function relieve(world: World, pipe: TestPipe): Promise<void> {
  pipe.stuck = false
  pipe.drain()
  await world.quiet()
}

async function settled(world: World, promise: Promise<unknown>): Promise<boolean> {
  let done = false
  void promise.then(() => (done = true))
  await world.quiet()
  return done
}

describe('a broadcast waits only while every peer is over its mark', GUARD, () => {
  test('one slow peer among others is not waited for', () =>
    knocking(async (world, door) => {
      const { server, peers, pipes } = await scene(world, door, 3)
      await choke(world, peers[0]!, pipes[0]!)
      for (let i = 0; i < 200; i++) assert.ok(await settled(world, server.sendMsg(0, message)))
      for (const pipe of pipes.slice(1)) assert.equal(Buffer.concat(pipe.written).length, 20_000)
      assert.deepEqual(peers[0]!.stats().dropped, { slow: 112 })
    }))

  test('where all are slow it waits for the first that has room again', () =>
    knocking(async (world, door) => {
      const { server, peers, pipes } = await scene(world, door, 3)
      for (const [i, peer] of peers.entries()) await choke(world, peer, pipes[i]!)
      // That nobody has room is known once this turn is over.
      assert.equal(await settled(world, server.sendMsg(0, message)), true)
      const waiting = server.sendMsg(0, message)
      assert.equal(await settled(world, waiting), false)
      await relieve(world, pipes[1]!)
      assert.equal(await settled(world, waiting), true)
      assert.equal(await settled(world, server.sendMsg(0, message)), true)
    }))

  test('or for a new peer, which has room', () =>
    knocking(async (world, door) => {
      const { server, peers, pipes } = await scene(world, door, 2)
      for (const [i, peer] of peers.entries()) await choke(world, peer, pipes[i]!)
      // That nobody has room is known once this turn is over.
      assert.equal(await settled(world, server.sendMsg(0, message)), true)
      const waiting = server.sendMsg(0, message)
      assert.equal(await settled(world, waiting), false)
      const fresh = door.knock()
      assert.equal(await settled(world, waiting), true)
      assert.equal(await settled(world, server.sendMsg(0, message)), true)
      assert.equal(Buffer.concat(fresh.written).length, 100)
    }))

  test('or until the last of them is gone: nobody is waited for who will never have room', () =>
    knocking(async (world, door) => {
      const { server, peers, pipes } = await scene(world, door, 2)
      for (const [i, peer] of peers.entries()) await choke(world, peer, pipes[i]!)
      // That nobody has room is known once this turn is over.
      assert.equal(await settled(world, server.sendMsg(0, message)), true)
      const waiting = server.sendMsg(0, message)
      assert.equal(await settled(world, waiting), false)
      pipes[0]!.break()
      peers[1]!.close()
      assert.equal(await settled(world, waiting), true)
      for (let i = 0; i < 3; i++) assert.equal(await settled(world, server.sendMsg(0, message)), true)
    }))
})

describe('a send to several waits only while all of those are over their mark', GUARD, () => {
  test('what other peers do changes nothing', () =>
    knocking(async (world, door) => {
      const { server, peers, pipes } = await scene(world, door, 3)
      for (const i of [0, 1]) await choke(world, peers[i]!, pipes[i]!)
      const waiting = server.sendMsg(0, message, { to: peers.slice(0, 2) })
      assert.equal(await settled(world, waiting), false)
      // A broadcast does not wait for these two, and its progress is not theirs.
      assert.equal(await settled(world, server.sendMsg(0, message)), true)
      assert.equal(await settled(world, server.sendMsg(0, message)), true)
      assert.equal(await settled(world, peers[2]!.sendMsg(0, message)), true)
      assert.equal(await settled(world, waiting), false)
      await relieve(world, pipes[0]!)
      assert.equal(await settled(world, waiting), true)
    }))

  test('one of them with room is enough', () =>
    knocking(async (world, door) => {
      const { server, peers, pipes } = await scene(world, door, 3)
      await choke(world, peers[0]!, pipes[0]!)
      assert.equal(await settled(world, server.sendMsg(0, message, { to: peers.slice(0, 2) })), true)
    }))

  test('when all of them are gone it waits no longer', () =>
    knocking(async (world, door) => {
      const { server, peers, pipes } = await scene(world, door, 3)
      for (const i of [0, 1]) await choke(world, peers[i]!, pipes[i]!)
      const waiting = server.sendMsg(0, message, { to: peers.slice(0, 2) })
      pipes[0]!.break()
      assert.equal(await settled(world, waiting), false)
      peers[1]!.close()
      assert.equal(await settled(world, waiting), true)
      assert.equal(await settled(world, server.sendMsg(0, message, { to: peers.slice(0, 2) })), true)
      assert.deepEqual(
        peers.map((peer) => peer.stats().dropped),
        [{ gone: 14 }, { closed: 13, gone: 1 }, {}],
      )
    }))
})

describe('a peer that is ending', GUARD, () => {
  for (const how of ['among several', 'excepted', 'flushed'] as const) {
    test(`${how}: nothing is written after its end`, () =>
      knocking(async (world, door) => {
        const { server, peers, pipes } = await scene(world, door, 2)
        void peers[0]!.drain()
        await world.quiet()
        assert.deepEqual([peers[0]!.state, pipes[0]!.ended], ['ending', true])
        const dropped = all(server, 'dropped')
        void server.sendMsg(0, message)
        if (how === 'among several') void server.sendMsg(0, message, { to: peers })
        else if (how === 'excepted') void server.sendMsg(0, message, { except: peers[0]! })
        else await peers[0]!.flushed()
        await world.quiet()
        assert.deepEqual([pipes[0]!.written.length, pipes[0]!.broken], [0, false])
        assert.equal(Buffer.concat(pipes[1]!.written).length, how === 'flushed' ? 100 : 200)
        const counted = how === 'among several' ? [['ending', 1]] : []
        assert.deepEqual(
          dropped.map(({ reason, messages }) => [reason, messages]),
          counted,
        )
        assert.deepEqual(peers[0]!.close(), { unsent: 0, unhandled: 0 })
      }))
  }

  test('one that ends in the turn of a broadcast is sent it, or it is counted as lost', () =>
    knocking(async (world, door) => {
      const { server, peers, pipes } = await scene(world, door, 3)
      void server.sendMsg(0, message)
      void peers[0]!.drain()
      assert.equal(peers[1]!.close().unsent, 1)
      await world.quiet()
      assert.deepEqual(
        pipes.map(({ written }) => Buffer.concat(written).length),
        [100, 0, 100],
      )
      assert.deepEqual(peers[1]!.stats().dropped, { closed: 1 })
    }))

  test('one that comes in the turn of a broadcast is not sent what was sent before it came', () =>
    knocking(async (world, door) => {
      const { server } = await scene(world, door, 1)
      void server.sendMsg(0, 'before')
      const late = door.knock()
      void server.sendMsg(0, 'after')
      await world.quiet()
      assert.deepEqual(Buffer.concat(late.written), frame('after'))
    }))
})

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
          const clients: BaseSock[] = []
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
        const clients: BaseSock[] = []
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
