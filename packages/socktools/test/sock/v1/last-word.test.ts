/**
 * Why a connection ended is heard by the far side, whatever it was sending at the time: one that is let go of with bytes
 * unread is reset, and a reset may overtake the last word.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { call, msg, type RawCodec, TcpSock } from '../../../src/index.ts'
import { encodeCredit } from '../../../src/wire/v1/bodies.ts'
import * as kinds from '../../../src/wire/v1/frame.ts'
import { Deadlines } from '../../../src/sock/deadlines.ts'
import { Partings } from '../../../src/sock/partings.ts'
import { noCrashes } from '../../support/crashes.ts'
import { all, next } from '../../support/events.ts'
import { knocking } from '../../support/knock.ts'
import { ANY, at, frame, GUARD, Plain } from '../../support/tcp.ts'
import { arrives, far, helloOf, payloadsIn } from './far.ts'

noCrashes()

const protocol = { add: call(z.number(), z.number()), say: msg(z.string()) }

/** What ends the connection, and the code that it ends with. */
const ends: readonly (readonly [what: string, bytes: () => Uint8Array, code: string])[] = [
  ['a seq that skips one', () => one(kinds.EVENT, 1, 1, 2), 'PROTOCOL_ERROR'],
  ['an unknown kind', () => one(0x30, 0, 0, 0), 'PROTOCOL_ERROR'],
  ['an ack of what was never sent', () => one(kinds.ACK, 0, 0, 0, 7), 'PROTOCOL_ERROR'],
  [
    'credit that is taken back',
    () => one(kinds.CREDIT, 0, 0, 0, 0, encodeCredit([[1, 1]])),
    'PROTOCOL_ERROR',
  ],
  ['a frame that is too long', () => Uint8Array.of(0x7f, 0xff, 0xff, 0xff), 'FRAME_TOO_LARGE'],
]

function one(
  kind: number,
  lane: number,
  type: number,
  seq: number,
  ack = 0,
  body: Uint8Array = new Uint8Array(),
): Buffer {
  const payload = new Uint8Array(kinds.HEADER + body.length)
  kinds.writeHeader(payload, 0, kind, 0, type, lane, seq, ack)
  payload.set(body, kinds.HEADER)
  return frame(payload)
}

const lastCode = (bytes: Buffer): string => {
  const last = payloadsIn(bytes).at(-1)
  assert.equal(last?.[0], kinds.GOODBYE, 'the last frame is a GOODBYE')
  return last.subarray(kinds.HEADER + 1).toString()
}

describe('over TCP, to one who goes on sending', GUARD, () => {
  for (const [what, bytes, code] of ends) {
    test(`${what}: ${code}, 100 times of 100`, async (t) => {
      const server = await TcpSock.open<RawCodec, typeof protocol>({ protocol, bind: ANY })
      t.after(() => server.close())
      const more = Buffer.alloc(300_000)
      for (let round = 0; round < 100; round++) {
        const dialer = await Plain.dial(t, at(server))
        const joined = next(server, 'peer')
        const gone = next(server, 'gone')
        await dialer.write(frame(helloOf(protocol)))
        await joined
        // More than the systems hold between the two, so that there is always something that nobody has read.
        dialer.socket.write(bytes())
        dialer.socket.write(more)
        const { error } = await gone
        dialer.socket.write(more)
        assert.equal(error?.code, code)
        assert.equal(lastCode(await dialer.everything), code)
        dialer.socket.end()
        assert.equal(await dialer.closed, undefined)
      }
    })
  }

  test('closePeer says CLOSED, and closing the sock waits for nobody', async (t) => {
    const server = await TcpSock.open<RawCodec, typeof protocol>({ protocol, bind: ANY })
    t.after(() => server.close())
    const dialer = await Plain.dial(t, at(server))
    const joined = next(server, 'peer')
    await dialer.write(frame(helloOf(protocol)))
    const { peer } = await joined
    dialer.socket.write(Buffer.alloc(100))
    server.closePeer(peer)
    assert.equal(lastCode(await dialer.everything), 'CLOSED')
    await server.close()
    // It has not ended its own direction, and can be written to no more.
    while (!dialer.socket.destroyed) await dialer.write('x').catch(() => undefined)
  })
})

describe('one who stays', GUARD, () => {
  test('is read and dropped for a second, and hears that we have ended', () =>
    knocking(async (world, door) => {
      const { far: dialer, server } = await far(world, door, protocol)
      const unhandled = all(server, 'unhandled')
      dialer.send(0x30)
      await world.quiet()
      assert.equal(Object.keys(server.stats().failed)[0], 'PROTOCOL_ERROR')
      assert.deepEqual([dialer.pipe.ended, dialer.pipe.destroyed, dialer.pipe.paused], [true, false, false])
      dialer.send(kinds.EVENT, { lane: 1, type: 1 }, '"late"')
      await world.sim.sleep(900)
      assert.equal(dialer.pipe.destroyed, false)
      await world.sim.sleep(200)
      assert.equal(dialer.pipe.destroyed, true)
      assert.equal(unhandled.length, 0)
    }))

  test('is let go of as soon as it ends, or our sock is closed', () =>
    knocking(async (world, door) => {
      const { far: first, server } = await far(world, door, protocol)
      const { far: second } = await arrives(world, door, server, protocol)
      for (const { pipe } of [first, second]) pipe.say(frame(new Uint8Array(24)))
      await world.quiet()
      assert.deepEqual([first.pipe.destroyed, second.pipe.destroyed], [false, false])
      first.pipe.finish()
      assert.equal(first.pipe.destroyed, true)
      await server.close()
      assert.equal(second.pipe.destroyed, true)
    }))

  test('and takes nothing is let go of at once', () =>
    knocking(async (world, door) => {
      const { far: stuck } = await far(world, door, protocol)
      stuck.pipe.stuck = true
      stuck.send(kinds.PING, {}, Buffer.alloc(12))
      await world.quiet()
      stuck.send(0x30)
      assert.equal(stuck.pipe.destroyed, true)
    }))

  test('is not waited for by a sock that is closed already', () =>
    knocking(async (world, door) => {
      const deadlines = new Deadlines(world.platform)
      const partings = new Partings(deadlines)
      partings.end()
      const pipe = door.pipe()
      partings.add(pipe)
      // And no timer is left, which the world looks at.
      assert.equal(pipe.destroyed, true)
    }))

  test('beside 127 others is the last of them that is waited for', () =>
    knocking(async (world, door) => {
      const deadlines = new Deadlines(world.platform)
      const partings = new Partings(deadlines)
      const pipes = Array.from({ length: 130 }, () => door.pipe())
      for (const pipe of pipes) partings.add(pipe)
      const destroyed = (): number => pipes.filter(({ destroyed }) => destroyed).length
      assert.deepEqual([destroyed(), pipes[127]?.destroyed], [2, false])
      // One that is gone makes room.
      pipes[0]?.break()
      partings.add(door.pipe())
      await world.sim.sleep(1100)
      assert.equal(destroyed(), 130)
    }))
})
