/** Limits and deadlines: what a peer may cost before it has to go, and who is let in at all. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { msg, nothing, SockError } from '../../src/index.ts'
import { noCrashes } from '../support/crashes.ts'
import { all, next } from '../support/events.ts'
import { knocking } from '../support/knock.ts'
import { frame, GUARD } from '../support/tcp.ts'

noCrashes()

const codes = (events: readonly { readonly error: SockError | undefined }[]): (string | undefined)[] =>
  events.map(({ error }) => error?.code)

describe('frames', GUARD, () => {
  test('over maxFrame: refused when the header is read, before a byte of the body has come', () =>
    knocking(async (world, door) => {
      const server = await world.open({ bind: 'knock:any', maxFrame: 100 })
      const [gone, raw] = [all(server, 'gone'), server.readRaw()]
      const [fine, over] = [door.knock(), door.knock()]
      await world.quiet()
      fine.say(frame('x'.repeat(100)))
      assert.equal((await raw.next()).value?.[0].length, 100)
      for (const byte of [0, 0, 0]) over.say(Uint8Array.of(byte))
      assert.equal(gone.length, 0)
      over.say(Uint8Array.of(101))
      assert.deepEqual(codes(gone), ['FRAME_TOO_LARGE'])
      assert.match(gone[0]?.error?.message ?? '', /101 bytes.*100 is the most.*raise maxFrame/)
      assert.deepEqual([over.destroyed, fine.destroyed], [true, false])
    }))

  test('over maxFrame, though all of it has come: refused as well', () =>
    knocking(async (world, door) => {
      const server = await world.open({ bind: 'knock:any', maxFrame: 100 })
      const gone = all(server, 'gone')
      const pipe = door.knock()
      await world.quiet()
      pipe.say(Buffer.concat([frame('fine'), frame('x'.repeat(101)), frame('fine')]))
      assert.deepEqual([codes(gone), server.stats().messagesIn], [['FRAME_TOO_LARGE'], 1])
    }))

  test('16 MiB is the default', () =>
    knocking(async (world, door) => {
      const server = await world.open({ bind: 'knock:any' })
      const gone = all(server, 'gone')
      const [fine, over] = [door.knock(), door.knock()]
      await world.quiet()
      fine.say(Buffer.from('01000000', 'hex'))
      over.say(Buffer.from('01000001', 'hex'))
      assert.deepEqual(codes(gone), ['FRAME_TOO_LARGE'])
      fine.break()
    }))

  test('the frames before one that is too large are handled', () =>
    knocking(async (world, door) => {
      const server = await world.open({ bind: 'knock:any' })
      const raw = server.readRaw()
      const pipe = door.knock()
      await world.quiet()
      pipe.say(Buffer.concat([frame('1'), frame('2'), Buffer.from('ffffffff', 'hex'), frame('3')]))
      await world.quiet()
      await server.close()
      const got: string[] = []
      for await (const [bytes] of raw) got.push(Buffer.from(bytes).toString())
      assert.deepEqual(got, ['1', '2'])
    }))

  test('one that stops coming: FRAME_STALLED after frameGrace', () =>
    knocking(async (world, door) => {
      const server = await world.open({ bind: 'knock:any', frameGrace: 10_000 })
      const gone = all(server, 'gone')
      const pipe = door.knock()
      await world.quiet()
      // However long it is silent between frames.
      await world.sim.sleep(3_600_000)
      pipe.say(Buffer.concat([frame('whole'), Uint8Array.of(0)]))
      const since = world.sim.now()
      await next(server, 'gone')
      assert.deepEqual(codes(gone), ['FRAME_STALLED'])
      const took = world.sim.now() - since
      assert.ok(took >= 10_000 && took <= 10_400, `took ${took}`)
    }))

  for (const [rate, lives] of [
    [900, false],
    [1_200, true],
  ] as const) {
    test(`one that comes at ${rate} bytes a second, the least being 1,024, ${lives ? 'may take its time' : 'is cut off after the grace'}`, () =>
      knocking(async (world, door) => {
        const server = await world.open({ bind: 'knock:any' })
        const [gone, raw] = [all(server, 'gone'), server.readRaw()]
        const pipe = door.knock()
        await world.quiet()
        const bytes = frame(Buffer.alloc(60_000))
        let at = 0
        for (; at < bytes.length && gone.length === 0; at += rate / 10) {
          pipe.say(bytes.subarray(at, at + rate / 10))
          await world.sim.sleep(100)
        }
        assert.deepEqual(codes(gone), lives ? [] : ['FRAME_STALLED'])
        if (lives) assert.equal((await raw.next()).value?.[0].length, 60_000)
        else assert.ok(world.sim.now() >= 10_000 && world.sim.now() < 13_000, `at ${world.sim.now()}`)
      }))
  }

  test('each frame has its own grace: a stream of slow small ones goes on', () =>
    knocking(async (world, door) => {
      const server = await world.open({ bind: 'knock:any', frameGrace: 1_000 })
      const gone = all(server, 'gone')
      const pipe = door.knock()
      await world.quiet()
      const bytes = frame('1234567890')
      for (let i = 0; i < 50; i++) {
        // Always in the middle of one.
        pipe.say(Buffer.concat([bytes.subarray(7), bytes.subarray(0, 7)].slice(i === 0 ? 1 : 0)))
        await world.sim.sleep(900)
      }
      assert.deepEqual([gone, server.stats().messagesIn], [[], 49])
    }))

  test('frameRate 0: no such limit', () =>
    knocking(async (world, door) => {
      const server = await world.open({ bind: 'knock:any', frameRate: 0 })
      const gone = all(server, 'gone')
      const pipe = door.knock()
      await world.quiet()
      pipe.say(frame('begun').subarray(0, 5))
      await world.sim.sleep(3_600_000)
      assert.deepEqual(gone, [])
    }))

  test('timeout: any byte is a sign of life, and silence within a frame is silence', () =>
    knocking(async (world, door) => {
      const server = await world.open({ bind: 'knock:any', timeout: 1_000, frameRate: 0 })
      const gone = all(server, 'gone')
      const pipe = door.knock()
      await world.quiet()
      const bytes = frame('slowly')
      for (const byte of bytes) {
        pipe.say(Uint8Array.of(byte))
        await world.sim.sleep(900)
      }
      pipe.say(bytes.subarray(0, 6))
      assert.deepEqual(gone, [])
      await world.sim.sleep(1_040)
      assert.deepEqual(codes(gone), ['IDLE_TIMEOUT'])
    }))
})

describe('dialing', GUARD, () => {
  test('a dial that never settles, not even when it is given up: CONNECT_TIMEOUT, and no trace is left', () =>
    knocking(async (world, door) => {
      const client = await world.open({ connectTimeout: 1_000, maxPeers: 1 })
      for (let i = 0; i < 3; i++)
        await assert.rejects(client.connectTo('knock:any'), { code: 'CONNECT_TIMEOUT' })
      assert.ok(world.sim.now() >= 3_000 && world.sim.now() < 3_150)
      assert.deepEqual([client.knownPeers, door.dials], [[], 3])
    }))

  test('a pipe that comes after the dial was given up is destroyed', () =>
    knocking(async (world, door) => {
      const pipe = door.pipe()
      door.answer = async () => {
        await world.sim.sleep(2_000)
        return pipe
      }
      const client = await world.open({ connectTimeout: 1_000 })
      const peers = all(client, 'peer')
      await assert.rejects(client.connectTo('knock:any'), { code: 'CONNECT_TIMEOUT' })
      assert.equal(pipe.destroyed, false)
      await world.sim.sleep(1_001)
      assert.deepEqual([pipe.destroyed, peers], [true, []])
    }))

  test('the gate is within the deadline of a dial', () =>
    knocking(async (world, door) => {
      const pipe = door.pipe()
      door.answer = () => pipe
      const client = await world.open({ connectTimeout: 1_000, goodPeer: () => new Promise(() => undefined) })
      await assert.rejects(client.connectTo('knock:any'), { code: 'CONNECT_TIMEOUT' })
      assert.deepEqual([pipe.destroyed, client.stats().pending], [true, 0])
    }))

  test('a transport that throws something of its own: CONNECT_FAILED, with that as the cause', () =>
    knocking(async (world, door) => {
      const cause = new Error('no route')
      door.answer = () => Promise.reject(cause)
      const client = await world.open()
      await assert.rejects(client.connectTo('knock:any'), { code: 'CONNECT_FAILED', cause })
    }))
})

describe('who is let in', GUARD, () => {
  const yes = { goodPeer: (): Promise<boolean> => new Promise(() => undefined) }

  test('maxPeers: one more is turned away, in either direction, until one leaves', () =>
    knocking(async (world, door) => {
      const server = await world.open({ bind: 'knock:any', maxPeers: 2 })
      const refused = all(server, 'refused')
      door.answer = () => door.pipe()
      const pipes = [door.knock(), door.knock(), door.knock()]
      assert.deepEqual(codes(refused), ['TOO_MANY_PEERS'])
      assert.match(refused[0]?.error.message ?? '', /there are 2 peers already.*raise maxPeers/)
      assert.deepEqual(
        pipes.map(({ destroyed }) => destroyed),
        [false, false, true],
      )
      await assert.rejects(server.connectTo('knock:any'), { code: 'TOO_MANY_PEERS' })
      assert.equal(door.dials, 0)
      pipes[0]!.break()
      await server.connectTo('knock:any')
      assert.deepEqual([server.knownPeers.length, server.stats().refused], [2, { TOO_MANY_PEERS: 1 }])
    }))

  test('maxPeers holds while connections are under way: dials and those at the gate count', () =>
    knocking(async (world, door) => {
      const dials: ((pipe: ReturnType<typeof door.pipe>) => void)[] = []
      door.answer = () => new Promise((resolve) => dials.push(resolve))
      const server = await world.open({ bind: 'knock:any', maxPeers: 2 })
      const refused = all(server, 'refused')
      const dialing = [server.connectTo('knock:any'), server.connectTo('knock:any')]
      await assert.rejects(server.connectTo('knock:any'), { code: 'TOO_MANY_PEERS' })
      door.knock()
      assert.deepEqual(codes(refused), ['TOO_MANY_PEERS'])
      for (const resolve of dials) resolve(door.pipe())
      await Promise.all(dialing)
      assert.equal(server.knownPeers.length, 2)
      const gated = await world.open({ bind: 'knock:any', maxPeers: 2, ...yes })
      const turned = all(gated, 'refused')
      for (let i = 0; i < 3; i++) door.knock()
      assert.deepEqual([codes(turned), gated.stats().pending], [['TOO_MANY_PEERS'], 2])
    }))

  test('maxPeers: whose far side has left, while a handler of it never ends, has its place for 30 s', () =>
    knocking(async (world, door) => {
      const handlers = { 0: () => new Promise<void>(() => undefined) }
      const server = await world.open({ bind: 'knock:any', maxPeers: 2, handlers })
      const [refused, gone] = [all(server, 'refused'), all(server, 'gone')]
      const pipes = [door.knock(), door.knock()]
      await world.quiet()
      for (const pipe of pipes) for (let i = 0; i < 3; i++) pipe.say(frame('x'))
      pipes[1]!.break()
      await world.sim.sleep(1)
      pipes[0]!.finish()
      await world.sim.sleep(29_998)
      door.knock()
      assert.deepEqual(codes(refused), ['TOO_MANY_PEERS'])
      await world.sim.sleep(1)
      // Who left first, and nobody else yet.
      const stays = door.knock()
      door.knock()
      const told = (): unknown[] => gone.map(({ peer, lost }) => [peer.id, lost])
      assert.deepEqual(told(), [['p2', { unsent: 0, unhandled: 2 }]])
      assert.deepEqual(codes(refused), ['TOO_MANY_PEERS', 'TOO_MANY_PEERS'])
      await world.sim.sleep(1)
      door.answer = () => door.pipe()
      await server.connectTo('knock:any')
      assert.deepEqual(told()[1], ['p1', { unsent: 0, unhandled: 2 }])
      assert.ok(pipes[0]!.destroyed && !stays.destroyed)
      assert.deepEqual([server.knownPeers.length, server.stats().dropped.closed], [2, 4])
    }))

  test('maxPeers: as long as there is room, who has left is handled to the end', () =>
    knocking(async (world, door) => {
      let handled = 0
      const slow = async (): Promise<void> => {
        await world.sim.sleep(40_000)
        handled++
      }
      const server = await world.open({ bind: 'knock:any', maxPeers: 2, handlers: { 0: slow } })
      const gone = all(server, 'gone')
      const pipe = door.knock()
      await world.quiet()
      for (let i = 0; i < 3; i++) pipe.say(frame('x'))
      pipe.break()
      await world.sim.sleep(100_000)
      door.knock()
      await world.sim.sleep(20_001)
      assert.deepEqual([handled, gone.map(({ lost }) => lost)], [3, [{ unsent: 0, unhandled: 0 }]])
    }))

  test('maxPending: connections that wait at the gate, 128 by default', () =>
    knocking(async (world, door) => {
      const server = await world.open({ bind: 'knock:any', ...yes })
      const refused = all(server, 'refused')
      for (let i = 0; i < 130; i++) door.knock(`host${i}`)
      assert.deepEqual(codes(refused), ['TOO_MANY_PENDING', 'TOO_MANY_PENDING'])
      assert.equal(server.stats().pending, 128)
      await next(server, 'refused', ({ error }) => error.code === 'GATE_TIMEOUT')
      await world.quiet()
      assert.equal(server.stats().pending, 0)
      door.knock('host')
      assert.equal(server.stats().pending, 1)
    }))

  test('maxPendingPerHost: one host does not take all the places at the gate; local ones are exempt', () =>
    knocking(async (world, door) => {
      const server = await world.open({
        bind: 'knock:any',
        maxPendingPerHost: 5,
        maxConnectRate: 1_000,
        ...yes,
      })
      const refused = all(server, 'refused')
      const pipes = Array.from({ length: 6 }, () => door.knock('10.0.0.1'))
      door.knock('10.0.0.2')
      assert.deepEqual(
        refused.map(({ host, error }) => [host, error.code]),
        [['10.0.0.1', 'TOO_MANY_PENDING']],
      )
      for (let i = 0; i < 20; i++) door.knock('127.0.0.1', true)
      assert.equal(refused.length, 1)
      // However slowly they come.
      await world.sim.sleep(1_000)
      door.knock('10.0.0.1')
      assert.match(refused.splice(1)[0]?.error.message ?? '', /5 connections of this host wait/)
      // One that leaves makes room.
      pipes[0]!.break()
      await world.sim.sleep(1_000)
      door.knock('10.0.0.1')
      assert.deepEqual(codes(refused), ['TOO_MANY_PENDING', 'PEER_GONE'])
    }))

  test('maxConnectRate: so many new connections a second and host, after a burst; local ones are exempt', () =>
    knocking(async (world, door) => {
      const server = await world.open({ bind: 'knock:any', maxPendingPerHost: 10, maxConnectRate: 2 })
      const refused = all(server, 'refused')
      const knock = (n: number, host = '10.0.0.1', local = false): number => {
        const before = refused.length
        for (let i = 0; i < n; i++) door.knock(host, local).break()
        return n - (refused.length - before)
      }
      assert.equal(knock(15), 10, 'the burst')
      assert.equal(knock(15, '10.0.0.2'), 10, 'another host')
      assert.equal(knock(15, '127.0.0.1', true), 15)
      await world.sim.sleep(3_000)
      assert.equal(knock(15), 6)
      await world.sim.sleep(3_600_000)
      assert.equal(knock(15), 10, 'no more than the burst')
      assert.deepEqual(new Set(codes(refused)), new Set(['TOO_MANY_PENDING']))
      assert.match(refused[0]?.error.message ?? '', /more than 2 times a second/)
    }))

  test('a host that shows what is no identity: the others of it are given up, and nothing more is taken for 3 s', () =>
    knocking(async (world, door) => {
      const ways: ((code: 'BAD_CERTIFICATE' | 'NO_CERTIFICATE') => void)[] = []
      const server = await world.open({
        ...{ protocol: { hi: msg(nothing()) }, bind: 'knock:any', maxPendingPerHost: 10, maxConnectRate: 2 },
        security: {
          name: 'test',
          secure: (_pipe: unknown, { signal }: { signal: AbortSignal }) =>
            new Promise((_, reject) => {
              ways.push((code) => {
                reject(new SockError(code, 'of the test'))
              })
              signal.addEventListener('abort', () => {
                reject(signal.reason as Error)
              })
            }),
        },
      } as never)
      const refused = all(server, 'refused')
      const knock = async (n: number, host: string, local = false): Promise<void> => {
        for (let i = 0; i < n; i++) door.knock(host, local)
        await world.quiet()
      }
      await knock(4, '10.0.0.1')
      await knock(2, '10.0.0.2')
      await knock(2, '127.0.0.1', true)
      // Whoever has no certificate may be a sock that was set up wrongly.
      ways[0]?.('NO_CERTIFICATE')
      await world.quiet()
      assert.deepEqual(codes(refused), ['NO_CERTIFICATE'])
      ways[1]?.('BAD_CERTIFICATE')
      ways[6]?.('BAD_CERTIFICATE')
      await world.quiet()
      assert.deepEqual(codes(refused).slice(1).sort(), [
        ...['BAD_CERTIFICATE', 'BAD_CERTIFICATE'],
        ...['TOO_MANY_PENDING', 'TOO_MANY_PENDING'],
      ])
      assert.deepEqual(server.stats().pending, 3)
      refused.length = 0
      await knock(1, '127.0.0.1', true)
      await knock(1, '10.0.0.2')
      await world.sim.sleep(2_900)
      await knock(1, '10.0.0.1')
      assert.deepEqual(
        refused.map(({ host, error }) => [host, error.code]),
        [['10.0.0.1', 'TOO_MANY_PENDING']],
      )
      await world.sim.sleep(200)
      await knock(1, '10.0.0.1')
      assert.equal(refused.length, 1)
      assert.equal(server.stats().pending, 6)
    }))

  test('a refused connection costs goodAddress and goodPeer nothing', () =>
    knocking(async (world, door) => {
      let asked = 0
      const ask = (): boolean => ++asked > 0
      await world.open({ bind: 'knock:any', maxPeers: 1, goodAddress: ask, goodPeer: ask })
      for (let i = 0; i < 10; i++) door.knock()
      assert.equal(asked, 2)
    }))
})
