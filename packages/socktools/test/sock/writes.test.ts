/** Decision 4: what leaves with which write, when it has left, and what is copied or lent on the way. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { lines, type SockOptions } from '../../src/index.ts'
import { noCrashes } from '../support/crashes.ts'
import { knocked, knocking, type TestPipe } from '../support/knock.ts'
import { frame, GUARD, pattern } from '../support/tcp.ts'

noCrashes()

const message = pattern(96)

describe('flushed', GUARD, () => {
  test('resolves when everything sent so far is with the system, what was broadcast too', () =>
    knocking(async (world, door) => {
      const { server, peer, pipe } = await knocked(world, door)
      assert.equal(await world.stateOf(peer.flushed()), 'resolved')
      pipe.stuck = true
      void server.sendMsg(0, message)
      const flushed = peer.flushed()
      assert.equal(pipe.written.length, 1)
      assert.equal(await world.stateOf(flushed), 'waits')
      void peer.sendMsg(0, message)
      pipe.drain()
      assert.equal(await world.stateOf(flushed), 'waits')
      pipe.drain()
      assert.equal(await world.stateOf(flushed), 'resolved')
    }))

  test('rejects with PEER_GONE when the connection ends before that', () =>
    knocking(async (world, door) => {
      const { peer, pipe } = await knocked(world, door)
      pipe.stuck = true
      void peer.sendMsg(0, message)
      const flushed = peer.flushed()
      pipe.break()
      assert.equal(await world.stateOf(flushed), 'PEER_GONE')
    }))
})

describe('the bytes that leave', GUARD, () => {
  test('all of a turn in one write, header and payload together', () =>
    knocking(async (world, door) => {
      const { server, peer, pipe } = await knocked(world, door, {})
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
        const { server, peer, pipe } = await knocked(world, door, options)
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
        const { server, peer, pipe } = await knocked(world, door, options)
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
