/** Decision 4: two marks, and what becomes of a message that does not fit. All byte for byte, on a pipe in the test's hands. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { SockOptions } from '../../src/index.ts'
import { noCrashes } from '../support/crashes.ts'
import { all, next } from '../support/events.ts'
import { type Knocked, type Knocker, knocked, knocking } from '../support/knock.ts'
import { frame, GUARD, pattern } from '../support/tcp.ts'
import type { World } from '../support/world.ts'

noCrashes()

/** Marks small enough to count by. Each message of 96 bytes takes 100 on the wire. */
const MARKS = { highWaterMark: 1_000, maxQueue: 2_000 }
const message = pattern(96)

const scene = (world: World, door: Knocker, options: SockOptions = MARKS): Promise<Knocked> =>
  knocked(world, door, options)

describe('two marks', GUARD, () => {
  test('below highWaterMark every send of a sock returns one and the same resolved promise', () =>
    knocking(async (world, door) => {
      const { server, peer } = await scene(world, door)
      door.knock()
      const promise = peer.sendMsg(0, message)
      const others = [
        peer.sendRaw(message),
        server.sendMsg(0, message),
        server.sendRaw(message, { to: server.knownPeers }),
      ]
      for (const other of others) assert.equal(other, promise)
      assert.equal(await world.stateOf(promise), 'resolved')
      assert.equal(peer.sendMsg(0, message), promise, 'in the next turn as well')
    }))

  test('above it a send waits, and goes on when half of it is left', () =>
    knocking(async (world, door) => {
      const { peer, pipe } = await scene(world, door)
      pipe.stuck = true
      // The first is with the pipe, which holds it: it counts as well.
      await peer.sendMsg(0, message)
      await world.quiet()
      for (let queued = 200; queued <= 1_000; queued += 100) {
        assert.equal(await world.stateOf(peer.sendMsg(0, message)), 'resolved', `at ${queued}`)
        assert.equal(peer.stats().queued, queued)
      }
      const waiting = peer.sendMsg(0, message)
      assert.equal(await world.stateOf(waiting), 'waits')
      assert.equal(peer.stats().queued, 1_100)
      // The pipe takes what it held, and holds all the rest.
      pipe.drain()
      assert.equal(peer.stats().queued, 1_000)
      assert.equal(await world.stateOf(waiting), 'waits')
      pipe.drain()
      assert.equal(peer.stats().queued, 0)
      assert.equal(await world.stateOf(waiting), 'resolved')
    }))

  test('the defaults are 1 MiB and 16 MiB', () =>
    knocking(async (world, door) => {
      const { peer, pipe } = await scene(world, door, {})
      pipe.stuck = true
      const payload = pattern(2 ** 20 - 4)
      assert.equal(await world.stateOf(peer.sendMsg(0, payload)), 'resolved')
      assert.equal(await world.stateOf(peer.sendMsg(0, payload)), 'waits')
      for (let n = 2; n < 16; n++) void peer.sendMsg(0, payload)
      assert.equal(peer.stats().queued, 2 ** 24)
      assert.equal(await world.stateOf(peer.sendMsg(0, new Uint8Array(1))), 'SLOW_PEER')
    }))

  test('sends that wait all go on together, and may be made at once', () =>
    knocking(async (world, door) => {
      const { peer, pipe } = await scene(world, door)
      pipe.stuck = true
      const sends = Array.from({ length: 15 }, () => peer.sendMsg(0, message))
      assert.equal(await world.stateOf(Promise.all(sends)), 'waits')
      pipe.stuck = false
      pipe.drain()
      assert.equal(await world.stateOf(Promise.all(sends)), 'resolved')
      assert.equal(Buffer.concat(pipe.written).toString('hex'), frame(message).toString('hex').repeat(15))
    }))

  test('one that waits is rejected with PEER_GONE when the connection ends', () =>
    knocking(async (world, door) => {
      const { peer, pipe } = await scene(world, door)
      pipe.stuck = true
      const sends = Array.from({ length: 12 }, () => peer.sendMsg(0, message))
      await world.quiet()
      pipe.break(new Error('reset'))
      assert.equal(await world.stateOf(sends[9]!), 'resolved')
      assert.equal(await world.stateOf(sends[11]!), 'PEER_GONE')
      assert.deepEqual(peer.stats().dropped, { gone: 12 })
    }))
})

describe('slowPeer', GUARD, () => {
  /** A queue that is full to the last byte. */
  const full = async (world: World, door: Knocker, options: SockOptions = {}): Promise<Knocked> => {
    const made = await scene(world, door, { ...MARKS, ...options })
    made.pipe.stuck = true
    for (let i = 0; i < 20; i++) void made.peer.sendMsg(0, message)
    await world.quiet()
    assert.equal(made.peer.stats().queued, 2_000)
    return made
  }

  test('reject, the default to one peer: SLOW_PEER; the queue and the peer live on', () =>
    knocking(async (world, door) => {
      const { server, peer, pipe } = await full(world, door)
      const dropped = all(server, 'dropped')
      await assert.rejects(peer.sendMsg(0, message), { code: 'SLOW_PEER', address: peer.address })
      await assert.rejects(server.sendMsg(0, message, { to: peer }), { code: 'SLOW_PEER' })
      await world.quiet()
      assert.deepEqual(dropped, [{ peer, reason: 'slow', messages: 2, bytes: 192 }])
      pipe.stuck = false
      pipe.drain()
      await peer.sendMsg(0, message)
      await world.quiet()
      assert.equal(Buffer.concat(pipe.written).length, 2_100)
      assert.deepEqual([peer.stats().dropped, peer.stats().messagesOut], [{ slow: 2 }, 21])
    }))

  test('drop, the default to several: resolved, counted, reported', () =>
    knocking(async (world, door) => {
      const { server, peer } = await full(world, door)
      const other = door.knock()
      const dropped = all(server, 'dropped')
      await server.sendMsg(0, message)
      await server.sendMsg(0, message, { to: server.knownPeers })
      await world.quiet()
      assert.deepEqual(
        dropped.map(({ reason, messages }) => [reason, messages]),
        [['slow', 2]],
      )
      assert.deepEqual([peer.stats().dropped, peer.stats().queued], [{ slow: 2 }, 2_000])
      assert.equal(Buffer.concat(other.written).length, 200)
    }))

  test('drop, asked for: a send to one peer resolves as well', () =>
    knocking(async (world, door) => {
      const { peer } = await full(world, door, { slowPeer: 'drop' })
      assert.equal(await world.stateOf(peer.sendMsg(0, message)), 'resolved')
      assert.deepEqual(peer.stats().dropped, { slow: 1 })
    }))

  for (const how of ['peer.sendMsg', 'a broadcast', 'a send to several'] as const) {
    test(`close: ${how} that does not fit closes the peer, with SLOW_PEER; the others are sent it`, () =>
      knocking(async (world, door) => {
        const { server, peer, pipe } = await full(world, door, { slowPeer: 'close' })
        const other = door.knock()
        const gone = next(server, 'gone')
        if (how === 'peer.sendMsg') await assert.rejects(peer.sendMsg(0, message), { code: 'SLOW_PEER' })
        else if (how === 'a broadcast') await server.sendMsg(0, message)
        else await server.sendMsg(0, message, { to: server.knownPeers })
        const { error, lost } = await gone
        assert.deepEqual(
          [error?.code, lost.unsent, pipe.destroyed, peer.state],
          ['SLOW_PEER', 20, true, 'gone'],
        )
        assert.deepEqual(peer.stats().dropped, { slow: 1, gone: 20 })
        await world.quiet()
        assert.equal(Buffer.concat(other.written).length, how === 'peer.sendMsg' ? 0 : 100)
        assert.equal(server.knownPeers.length, 1)
      }))
  }

  test('close, while a send takes over what was broadcast before it: neither is taken for sent', () =>
    knocking(async (world, door) => {
      const { server, peer, pipe } = await full(world, door, { slowPeer: 'close' })
      void server.sendMsg(0, message)
      await assert.rejects(peer.sendMsg(0, message), { code: 'PEER_GONE' })
      await world.quiet()
      assert.deepEqual(peer.stats().dropped, { slow: 1, gone: 21 })
      assert.deepEqual([peer.stats().messagesOut, pipe.broken], [20, false])
    }))

  test('into an empty queue one message of any length fits', () =>
    knocking(async (world, door) => {
      const { peer, pipe } = await scene(world, door, MARKS)
      pipe.stuck = true
      const large = pattern(10_000)
      assert.equal(await world.stateOf(peer.sendMsg(0, large)), 'waits')
      assert.equal(await world.stateOf(peer.sendMsg(0, new Uint8Array(0))), 'SLOW_PEER')
      pipe.drain()
      await world.quiet()
      assert.deepEqual(Buffer.concat(pipe.written), frame(large))
    }))
})

describe('dropped', GUARD, () => {
  test('each reason has its event, and its counter at the peer and the sock; one event for all of a turn', () =>
    knocking(async (world, door) => {
      const { server, peer, pipe } = await scene(world, door, { ...MARKS, maxFrame: 1_000, slowPeer: 'drop' })
      const dropped = all(server, 'dropped')
      const expect = async (reason: string, messages: number, bytes: number): Promise<void> => {
        await world.quiet()
        assert.deepEqual(dropped.splice(0), [{ peer, reason, messages, bytes }])
      }
      for (let i = 0; i < 3; i++) void peer.sendRaw(pattern(1_001))
      await expect('unsendable', 3, 3_003)
      pipe.stuck = true
      for (let i = 0; i < 25; i++) void peer.sendMsg(0, message)
      await expect('slow', 5, 480)
      void peer.drain()
      await world.quiet()
      void peer.sendMsg(0, message)
      await expect('ending', 1, 96)
      peer.close()
      // As on the wire: these were framed.
      await expect('closed', 20, 2_000)
      for (let i = 0; i < 2; i++) void peer.sendMsg(0, message)
      await expect('gone', 2, 192)
      const counts = { unsendable: 3, slow: 5, ending: 1, closed: 20, gone: 2 }
      assert.deepEqual(peer.stats().dropped, counts)
      assert.deepEqual(server.stats().dropped, counts)
    }))

  test('what cannot be sent to anyone is nobody’s', () =>
    knocking(async (world, door) => {
      const { server, peer } = await scene(world, door, { maxFrame: 10 })
      const dropped = all(server, 'dropped')
      void server.sendMsg(0, 'x'.repeat(11))
      await world.quiet()
      assert.deepEqual(dropped, [{ peer: undefined, reason: 'unsendable', messages: 1, bytes: 11 }])
      assert.deepEqual([peer.stats().dropped, server.stats().dropped], [{}, { unsendable: 1 }])
    }))
})
