/** Decision 4: two marks, and what becomes of a message that does not fit. All byte for byte, on a pipe in the test's hands. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type BaseSock, lines, type Peer, type SockOptions } from '../../src/index.ts'
import { noCrashes } from '../support/crashes.ts'
import { all, next } from '../support/events.ts'
import { type Knocker, knocking, type TestPipe } from '../support/knock.ts'
import { frame, GUARD, pattern } from '../support/tcp.ts'
import type { World } from '../support/world.ts'

noCrashes()

/** Marks small enough to count by. Each message of 96 bytes takes 100 on the wire. */
const MARKS = { highWaterMark: 1_000, maxQueue: 2_000 }
const message = pattern(96)

interface Scene {
  readonly server: BaseSock
  readonly peer: Peer
  readonly pipe: TestPipe
}

async function scene(world: World, door: Knocker, options: SockOptions = MARKS): Promise<Scene> {
  const server = await world.open({ bind: 'knock:any', ...options })
  const pipe = door.knock()
  const [peer] = server.knownPeers
  return { server, peer: peer!, pipe }
}

/** What has become of a promise by now. */
async function stateOf(world: World, promise: Promise<unknown>): Promise<string> {
  let state = 'waits'
  promise.then(
    () => (state = 'resolved'),
    (error: { code?: string }) => (state = error.code ?? 'rejected'),
  )
  await world.quiet()
  return state
}

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
      assert.equal(await stateOf(world, promise), 'resolved')
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
        assert.equal(await stateOf(world, peer.sendMsg(0, message)), 'resolved', `at ${queued}`)
        assert.equal(peer.stats().queued, queued)
      }
      const waiting = peer.sendMsg(0, message)
      assert.equal(await stateOf(world, waiting), 'waits')
      assert.equal(peer.stats().queued, 1_100)
      // The pipe takes what it held, and holds all the rest.
      pipe.drain()
      assert.equal(peer.stats().queued, 1_000)
      assert.equal(await stateOf(world, waiting), 'waits')
      pipe.drain()
      assert.equal(peer.stats().queued, 0)
      assert.equal(await stateOf(world, waiting), 'resolved')
    }))

  test('the defaults are 1 MiB and 16 MiB', () =>
    knocking(async (world, door) => {
      const { peer, pipe } = await scene(world, door, {})
      pipe.stuck = true
      const payload = pattern(2 ** 20 - 4)
      assert.equal(await stateOf(world, peer.sendMsg(0, payload)), 'resolved')
      assert.equal(await stateOf(world, peer.sendMsg(0, payload)), 'waits')
      for (let n = 2; n < 16; n++) void peer.sendMsg(0, payload)
      assert.equal(peer.stats().queued, 2 ** 24)
      assert.equal(await stateOf(world, peer.sendMsg(0, new Uint8Array(1))), 'SLOW_PEER')
    }))

  test('sends that wait all go on together, and may be made at once', () =>
    knocking(async (world, door) => {
      const { peer, pipe } = await scene(world, door)
      pipe.stuck = true
      const sends = Array.from({ length: 15 }, () => peer.sendMsg(0, message))
      assert.equal(await stateOf(world, Promise.all(sends)), 'waits')
      pipe.stuck = false
      pipe.drain()
      assert.equal(await stateOf(world, Promise.all(sends)), 'resolved')
      assert.equal(Buffer.concat(pipe.written).toString('hex'), frame(message).toString('hex').repeat(15))
    }))

  test('one that waits is rejected with PEER_GONE when the connection ends', () =>
    knocking(async (world, door) => {
      const { peer, pipe } = await scene(world, door)
      pipe.stuck = true
      const sends = Array.from({ length: 12 }, () => peer.sendMsg(0, message))
      await world.quiet()
      pipe.break(new Error('reset'))
      assert.equal(await stateOf(world, sends[9]!), 'resolved')
      assert.equal(await stateOf(world, sends[11]!), 'PEER_GONE')
      assert.deepEqual(peer.stats().dropped, { gone: 12 })
    }))
})

describe('slowPeer', GUARD, () => {
  /** A queue that is full to the last byte. */
  const full = async (world: World, door: Knocker, options: SockOptions = {}): Promise<Scene> => {
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
      assert.equal(await stateOf(world, peer.sendMsg(0, message)), 'resolved')
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
      assert.equal(await stateOf(world, peer.sendMsg(0, large)), 'waits')
      assert.equal(await stateOf(world, peer.sendMsg(0, new Uint8Array(0))), 'SLOW_PEER')
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

describe('flushed', GUARD, () => {
  test('resolves when everything sent so far is with the system, what was broadcast too', () =>
    knocking(async (world, door) => {
      const { server, peer, pipe } = await scene(world, door)
      assert.equal(await stateOf(world, peer.flushed()), 'resolved')
      pipe.stuck = true
      void server.sendMsg(0, message)
      const flushed = peer.flushed()
      assert.equal(pipe.written.length, 1)
      assert.equal(await stateOf(world, flushed), 'waits')
      void peer.sendMsg(0, message)
      pipe.drain()
      assert.equal(await stateOf(world, flushed), 'waits')
      pipe.drain()
      assert.equal(await stateOf(world, flushed), 'resolved')
    }))

  test('rejects with PEER_GONE when the connection ends before that', () =>
    knocking(async (world, door) => {
      const { peer, pipe } = await scene(world, door)
      pipe.stuck = true
      void peer.sendMsg(0, message)
      const flushed = peer.flushed()
      pipe.break()
      assert.equal(await stateOf(world, flushed), 'PEER_GONE')
    }))
})

describe('the bytes that leave', GUARD, () => {
  test('all of a turn in one write, header and payload together', () =>
    knocking(async (world, door) => {
      const { server, peer, pipe } = await scene(world, door, {})
      for (let i = 0; i < 100; i++) void peer.sendMsg(0, message)
      void server.sendMsg(0, 'to all')
      void peer.sendMsg(0, 'and one')
      assert.equal(pipe.written.length, 0)
      await world.quiet()
      assert.equal(pipe.written.length, 1)
      const expected = Buffer.concat([
        ...Array.from({ length: 100 }, () => frame(message)),
        frame('to all'),
        frame('and one'),
      ])
      assert.deepEqual(pipe.written[0], expected)
    }))

  for (const framing of [undefined, lines()]) {
    const name = framing === undefined ? 'lengthPrefixed' : 'lines'
    const around = framing === undefined ? 4 : 1
    /** No line feed in it. */
    const payload = (n: number): Uint8Array => new Uint8Array(n).fill(0x61)
    const options: SockOptions = framing === undefined ? {} : { framing }

    test(`${name}: up to 16 KiB a payload is copied, so it may be changed at once`, () =>
      knocking(async (world, door) => {
        const { server, peer, pipe } = await scene(world, door, options)
        const short = payload(16 * 1024)
        void peer.sendMsg(0, short)
        short.fill(0x62)
        void server.sendMsg(0, short)
        short.fill(0x63)
        await world.quiet()
        const sent = Buffer.concat(pipe.written).filter((byte) => byte >= 0x61)
        assert.deepEqual(
          [sent.indexOf(0x62), sent.includes(0x63), sent.length],
          [16 * 1024, false, 32 * 1024],
        )
      }))

    test(`${name}: above that it is lent until it is written, to one or to all, never copied`, () =>
      knocking(async (world, door) => {
        const { server, peer, pipe } = await scene(world, door, options)
        const other = door.knock()
        const long = payload(16 * 1024 + 1)
        void peer.sendMsg(0, long)
        void server.sendMsg(0, long)
        await peer.flushed()
        await world.quiet()
        const lent = ({ chunks }: TestPipe): number =>
          chunks.filter(({ buffer }) => buffer === long.buffer).length
        assert.deepEqual([lent(pipe), lent(other)], [2, 1])
        assert.equal(Buffer.concat(pipe.written).length, 2 * (long.length + around))
      }))
  }
})
