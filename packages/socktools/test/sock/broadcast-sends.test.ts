/** Decision 4, for those who are sent to together: no slow peer holds the others up. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { PipeSock, Peer, SockOptions } from '../../src/index.ts'
import { noCrashes } from '../support/crashes.ts'
import { all } from '../support/events.ts'
import { type Knocker, knocking, type TestPipe } from '../support/knock.ts'
import { frame, GUARD, pattern } from '../support/tcp.ts'
import type { World } from '../support/world.ts'

noCrashes()

/** Each message of 96 bytes takes 100 on the wire. */
const message = pattern(96)

interface Scene {
  readonly server: PipeSock
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
  for (const slow of [1, 2]) {
    test(`${slow} of 3 that are slow are not waited for`, () =>
      knocking(async (world, door) => {
        const { server, peers, pipes } = await scene(world, door, 3)
        for (let i = 0; i < slow; i++) await choke(world, peers[i]!, pipes[i]!)
        const resolved = server.sendMsg(0, message)
        for (let i = 1; i < 200; i++) {
          await world.quiet()
          assert.equal(server.sendMsg(0, message), resolved, 'the one that every send below the mark returns')
        }
        assert.ok(await settled(world, resolved))
        for (const pipe of pipes.slice(slow)) assert.equal(Buffer.concat(pipe.written).length, 20_000)
        for (const peer of peers.slice(0, slow)) assert.deepEqual(peer.stats().dropped, { slow: 112 })
      }))
  }

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
