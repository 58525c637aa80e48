/** What one far side may have of the loop, of the rate at which it gives up, and of sessions. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import {
  call,
  channel,
  msg,
  nothing,
  type PipeSock,
  type RawCodec,
  type SockOptions,
} from '../../../src/index.ts'
import * as kinds from '../../../src/wire/v1/frame.ts'
import { SESSIONS } from '../../../src/wire/v1/hello.ts'
import { noCrashes } from '../../support/crashes.ts'
import { all } from '../../support/events.ts'
import { knocking, type Knocker } from '../../support/knock.ts'
import { frame, GUARD } from '../../support/tcp.ts'
import type { World } from '../../support/world.ts'
import { arrives, Far, far, helloOf } from './far.ts'

noCrashes()

describe('one read of much work', GUARD, () => {
  const protocol = { work: call(z.string(), nothing()) }

  /** A server whose handler keeps the loop for 10 ms, and what it did for whom. */
  async function busy(world: World, door: Knocker) {
    const served: string[] = []
    const handlers = {
      work: (who: string) => {
        served.push(who)
        world.block(10)
      },
    }
    const { far: one, server } = await far(world, door, protocol, { handlers })
    const { far: other } = await arrives(world, door, server, protocol)
    const ask = (from: Far, lane: number, who: string): Uint8Array =>
      frame(from.framed(kinds.REQUEST, { lane }, JSON.stringify(who)))
    const many = (): Buffer => Buffer.concat([5, 7, 9].map((lane) => ask(one, lane, `busy ${lane}`)))
    return { server, one, other, served, ask, many }
  }
  const inTurn = ['busy 5', 'other', 'busy 7', 'busy 9']

  test('lets the others have their turn in the middle of it, and is not read meanwhile', () =>
    knocking(async (world, door) => {
      const { one, other, served, ask, many } = await busy(world, door)
      one.pipe.say(many())
      assert.ok(one.pipe.paused)
      other.pipe.say(ask(other, 5, 'other'))
      await world.quiet()
      assert.deepEqual(served, inTurn)
      assert.ok(!one.pipe.paused)
      assert.equal(one.of('REPLY').length, 3)
    }))

  test('a frame that is not whole at its end is not late because of that', () =>
    knocking(async (world, door) => {
      const handlers = {
        work: () => {
          world.block(10)
        },
      }
      const { far: one, server } = await far(world, door, protocol, {
        handlers,
        frameGrace: 1_000,
        maxCalls: 300,
      })
      const gone = all(server, 'gone')
      const asked = Array.from({ length: 200 }, (_, i) =>
        frame(one.framed(kinds.REQUEST, { lane: 5 + 2 * i }, '"x"')),
      )
      const bytes = Buffer.concat(asked)
      one.pipe.say(bytes.subarray(0, -5))
      one.pipe.say(bytes.subarray(-5))
      while (one.of('REPLY').length < 200 && gone.length === 0) await world.sim.sleep(10)
      assert.deepEqual(gone, [])
    }))

  test('one pipe that has had its share leaves another its own', () =>
    knocking(async (world, door) => {
      const { one, other, served, ask } = await busy(world, door)
      const short = (lane: number): Uint8Array => frame(other.framed(kinds.REQUEST, { lane }, '1'))
      one.pipe.say(ask(one, 5, 'busy'))
      // Calls that are refused by the schema take no time.
      other.pipe.say(Buffer.concat([5, 7, 9, 11, 13].map(short)))
      assert.deepEqual([served.length, other.pipe.paused], [1, false])
      await world.quiet()
      assert.equal(other.of('ERROR').length, 5)
    }))

  for (const [how, end] of [
    ['the pipe ends', (pipe: Far['pipe']) => pipe.finish()],
    ['the pipe breaks', (pipe: Far['pipe']) => pipe.break()],
    ['what follows is no frame', (pipe: Far['pipe']) => pipe.say(Buffer.from('ffffffff', 'hex'))],
  ] as const) {
    test(`all of it is served, though ${how} before it has had its turn`, () =>
      knocking(async (world, door) => {
        const { one, served, many } = await busy(world, door)
        if (how === 'what follows is no frame')
          one.pipe.say(Buffer.concat([many(), Buffer.from('ffffffff', 'hex')]))
        else {
          one.pipe.say(many())
          end(one.pipe)
        }
        await world.quiet()
        assert.deepEqual(served, ['busy 5', 'busy 7', 'busy 9'])
      }))
  }
})

describe('giving up', GUARD, () => {
  const protocol = { hang: call(nothing(), nothing()), talk: channel(z.string(), z.string()) }
  const handlers: SockOptions<never, typeof protocol>['handlers'] = {
    hang: (_, { signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
    talk: async () => undefined,
  }

  for (const [what, opening, type, ending] of [
    ['calls', kinds.REQUEST, 0, kinds.CANCEL],
    ['channels by CANCEL', kinds.OPEN, 1, kinds.CANCEL],
    ['channels by RESET', kinds.OPEN, 1, kinds.RESET],
  ] as const) {
    test(`${what} faster than maxResetRate: what comes is read at that rate, and all of it is`, () =>
      knocking(async (world, door) => {
        const limits = { maxCalls: 6, maxStreams: 4, maxResetRate: 50 }
        const { far: dialer, server } = await far(world, door, protocol, { handlers, ...limits })
        const fault = kinds.RESET === ending ? Buffer.from('\u0004NOPE\0\0\0\0\0\0') : ''
        const began = world.sim.now()
        for (let i = 0; i < 110; i++) {
          const lane = 5 + 2 * i
          dialer.send(opening, { lane, type })
          dialer.send(ending, { lane }, fault)
          // Its handler ends with it; where it is not read any more, nothing happens by this.
          await world.quiet()
        }
        assert.ok(dialer.pipe.paused)
        assert.ok(server.stats().slowed > 0)
        const { pipe }: { pipe: { readonly paused: boolean } } = dialer
        while (pipe.paused) await world.sim.sleep(1)
        await world.sim.sleep(10)
        const took = world.sim.now() - began
        // Ten at once, then fifty a second.
        assert.ok(took > 1_900 && took < 2_700, `${took} ms`)
        assert.equal(server.knownPeers[0]?.state, 'open')
        assert.equal(server.stats().messagesIn, 220)
      }))
  }

  test('Infinity: at any rate', () =>
    knocking(async (world, door) => {
      const { far: dialer, server } = await far(world, door, protocol, { handlers, maxResetRate: Infinity })
      for (let i = 0; i < 1_000; i++) {
        dialer.send(kinds.REQUEST, { lane: 5 + 2 * i })
        dialer.send(kinds.CANCEL, { lane: 5 + 2 * i })
        await world.quiet()
      }
      assert.deepEqual([dialer.pipe.paused, server.stats().slowed], [false, 0])
    }))
})

describe('sessions', GUARD, () => {
  const protocol = { work: call(nothing(), nothing()) }
  const server = (world: World, more: object = {}): Promise<PipeSock<never, typeof protocol>> =>
    world.open({ protocol, bind: 'knock:any', maxConnectRate: 1e6, maxSessionsPerNode: 4, ...more }) as never

  /** Says HELLO as this node, from this host. */
  async function come(world: World, door: Knocker, node: number, host?: string): Promise<Far> {
    const dialer = new Far(door.knock(host))
    dialer.raw(helloOf(protocol, { features: SESSIONS, nodeId: new Uint8Array(16).fill(node) }))
    await world.quiet()
    return dialer
  }

  test('of one far side: as many as may be, and not one more while all are up', () =>
    knocking(async (world, door) => {
      const sock = await server(world)
      const refused = all(sock, 'refused')
      for (let i = 0; i < 5; i++) await come(world, door, 1)
      assert.deepEqual(
        [sock.knownPeers.length, refused.map(({ error }) => error.code)],
        [4, ['TOO_MANY_SESSIONS']],
      )
      // Who says the same of itself elsewhere, and others there, are somebody else.
      await come(world, door, 1, 'elsewhere')
      await come(world, door, 2)
      assert.equal(sock.knownPeers.length, 6)
    }))

  test('one more ends the oldest that waits, and none that has a connection', () =>
    knocking(async (world, door) => {
      const sock = await server(world)
      const lost = all(sock, 'sessionLost')
      const first = await come(world, door, 1)
      for (let i = 0; i < 50; i++) (await come(world, door, 1)).pipe.break()
      assert.equal(sock.knownPeers.length, 4)
      assert.deepEqual(new Set(lost.map(({ reason }) => reason)), new Set(['expired']))
      assert.equal(lost.length, 47)
      assert.equal(sock.knownPeers[0]?.state, 'open')
      assert.ok(!first.pipe.destroyed)
    }))

  test('of all far sides: with peers at most maxPeers; for one that comes, who waited longest ends', () =>
    knocking(async (world, door) => {
      const sock = await server(world, { maxPeers: 5 })
      const lost = all(sock, 'sessionLost')
      await come(world, door, 100)
      for (let i = 0; i < 20; i++) (await come(world, door, i)).pipe.break()
      assert.equal(sock.knownPeers.length, 5)
      assert.deepEqual(
        lost.map(({ peer }) => peer.id),
        Array.from({ length: 16 }, (_, i) => `p${i + 2}`),
      )
      for (let i = 0; i < 4; i++) await come(world, door, 50 + i)
      assert.deepEqual(
        sock.knownPeers.map(({ state }) => state),
        Array.from({ length: 5 }, () => 'open'),
      )
    }))

  test('a handler that never ends keeps no place when the session is over', () =>
    knocking(async (world, door) => {
      let running = 0
      const handlers = {
        say: () => {
          running++
          return new Promise<void>(() => undefined)
        },
      }
      const speech = { say: msg(z.string()) }
      const sock = await world.open<RawCodec, typeof speech>({
        protocol: speech,
        bind: 'knock:any',
        maxConnectRate: 1e6,
        maxPeers: 5,
        handlers,
      })
      const gone = all(sock, 'gone')
      for (let i = 0; i < 20; i++) {
        const node = { features: SESSIONS, nodeId: new Uint8Array(16).fill(i) }
        const { far: dialer } = await arrives(world, door, sock, speech, node)
        dialer.send(kinds.EVENT, { lane: 1 }, '"x"')
        await world.quiet()
        dialer.pipe.break()
      }
      assert.equal(running, 20)
      // One whose session was just ended in favour of another is there until the next comes.
      assert.equal(20 - gone.length, 6)
    }))
})
