/** Sending from a MetaSock: as from one sock that had the peers of all that are in it. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type Codec,
  json,
  type MetaSock,
  type Peer,
  type PipeSock,
  raw,
  type RawCodec,
} from '../../src/index.ts'
import { coded } from '../support/coded.ts'
import { noCrashes } from '../support/crashes.ts'
import { all, Arrivals } from '../support/events.ts'
import { type Knocker, knocking, type TestPipe } from '../support/knock.ts'
import { GUARD } from '../support/tcp.ts'
import { simulate, type World } from '../support/world.ts'

noCrashes()

/** raw(), with a count of what it encodes. */
function counting(): { codec: RawCodec; count: () => number } {
  let count = 0
  const plain = raw()
  const codec: RawCodec = {
    ...plain,
    encode: (type, data) => {
      count++
      return plain.encode(type, data)
    },
  }
  return { codec, count: () => count }
}

interface Room {
  readonly meta: MetaSock
  readonly inner: MetaSock
  readonly socks: readonly PipeSock[]
  /** Two of each sock: a0, a1, b0 … as the socks see them, and what they heard. */
  readonly peers: Readonly<Record<string, Peer>>
  readonly heard: Readonly<Record<string, string[]>>
  readonly encoded: readonly (() => number)[]
}

/** Sock a in a meta, b and c in another that is in the first. */
async function room(world: World): Promise<Room> {
  const meta = world.meta()
  const inner = meta.add(world.meta())
  const [socks, encoded]: [PipeSock[], (() => number)[]] = [[], []]
  const [peers, heard]: [Record<string, Peer>, Record<string, string[]>] = [{}, {}]
  for (const name of ['a', 'b', 'c']) {
    const { codec, count } = counting()
    const sock = await world.open({ bind: `memory:${name}`, codec })
    encoded.push(count)
    socks.push((name === 'a' ? meta : inner).add(sock))
    for (const i of [0, 1]) {
      const got = new Arrivals()
      await (await world.open({ handlers: { 0: got.push } })).connectTo(`memory:${name}`)
      await world.quiet()
      peers[`${name}${i}`] = sock.knownPeers[i]!
      heard[`${name}${i}`] = got.list
    }
  }
  return { meta, inner, socks, peers, heard, encoded }
}

const names = ['a0', 'a1', 'b0', 'b1', 'c0', 'c1']
const only = (...those: string[]) =>
  Object.fromEntries(names.map((name) => [name, those.includes(name) ? ['x'] : []]))

describe('from a meta', GUARD, () => {
  test('to everyone: each peer of each sock once, and each sock encodes once', () =>
    simulate(async (world) => {
      const { meta, heard, encoded } = await room(world)
      await meta.sendMsg(0, 'x')
      await world.quiet()
      assert.deepEqual(heard, only(...names))
      assert.deepEqual(
        encoded.map((count) => count()),
        [1, 1, 1],
      )
      await meta.sendRaw(Buffer.from('y'))
      await world.quiet()
      for (const list of Object.values(heard)) assert.deepEqual(list, ['x', 'y'])
    }))

  const choices: [string, (room: Room) => object, string[]][] = [
    ['one peer', ({ peers }) => ({ to: peers['b0'] }), ['b0']],
    ['an address', ({ peers }) => ({ to: peers['c1']?.address }), ['c1']],
    ['several, of several socks', ({ peers }) => ({ to: [peers['a0'], peers['c0']?.address] }), ['a0', 'c0']],
    ['one twice over', ({ peers }) => ({ to: [peers['a0'], peers['a0']?.address, peers['a0']] }), ['a0']],
    ['nobody of a list', () => ({ to: [] }), []],
    ['everyone but one', ({ peers }) => ({ except: peers['b1'] }), ['a0', 'a1', 'b0', 'c0', 'c1']],
    [
      'everyone but some',
      ({ peers }) => ({ except: [peers['a0'], peers['b0']?.address] }),
      ['a1', 'b1', 'c0', 'c1'],
    ],
    [
      'some but one of them',
      ({ peers }) => ({ to: [peers['a0'], peers['b0']], except: peers['a0'] }),
      ['b0'],
    ],
    [
      'all of a sock but them',
      ({ peers }) => ({ except: [peers['a0'], peers['a1']] }),
      ['b0', 'b1', 'c0', 'c1'],
    ],
  ]
  for (const [what, options, expected] of choices) {
    for (const call of ['sendMsg', 'sendRaw'] as const) {
      test(`${call} to ${what}: they, once, and nobody else`, () =>
        simulate(async (world) => {
          const there = await room(world)
          if (call === 'sendMsg') await there.meta.sendMsg(0, 'x', options(there))
          else await there.meta.sendRaw(Buffer.from('x'), options(there))
          await world.quiet()
          assert.deepEqual(there.heard, only(...expected))
        }))
    }
  }

  test('an address that peers of several socks share: all of them, as in one sock', () =>
    simulate(async (world) => {
      const got = new Arrivals()
      await world.open({ bind: 'memory:server', handlers: { 0: got.push } })
      const meta = world.meta()
      for (let i = 0; i < 3; i++) await meta.add(await world.open()).connectTo('memory:server')
      await meta.sendMsg(0, 'x', { to: 'memory:server' })
      assert.deepEqual(await got.atLeast(3), ['x', 'x', 'x'])
    }))

  test('an id names a peer if one sock has it, and nobody if several have', () =>
    simulate(async (world) => {
      const { meta, inner, socks, peers, heard } = await room(world)
      const [, b, c] = socks
      inner.remove(c!)
      inner.remove(b!)
      await meta.sendMsg(0, 'x', { to: 'p1' })
      await world.quiet()
      assert.deepEqual(heard, only('a0'))
      meta.add(c!)
      const expected = coded('UNKNOWN_PEER', /2 socks in here have a peer "p1".*pass a Peer/)
      await assert.rejects(meta.sendMsg(0, 'x', { to: 'p1' }), expected)
      await assert.rejects(meta.sendMsg(0, 'x', { except: ['p1'] }), expected)
      assert.throws(() => meta.closePeer('p1'), expected)
      assert.equal(peers['a0']?.id, peers['c0']?.id)
      await world.quiet()
      assert.deepEqual(heard, only('a0'))
    }))

  const wrong: [string, (world: World) => unknown][] = [
    ['an address nobody has', () => 'memory:nobody'],
    ['a peer of a sock that is elsewhere', async (world) => (await world.open()).connectTo('memory:a')],
    ['undefined', () => undefined],
    ['null', () => null],
    ['an object', () => ({ address: 'memory:a' })],
  ]
  for (const [what, make] of wrong) {
    test(`to ${what}: UNKNOWN_PEER, counted, and nobody hears of it`, () =>
      simulate(async (world) => {
        const { meta, heard } = await room(world)
        const dropped = all(meta, 'dropped')
        const to = (await make(world)) as string | undefined
        const expected = coded('UNKNOWN_PEER', /knownPeers/)
        await assert.rejects(meta.sendMsg(0, 'x', { to: to as string }), expected)
        await assert.rejects(
          meta.sendRaw(Buffer.from('x'), { to: ['memory:nobody', to as string] }),
          expected,
        )
        if (to !== undefined) assert.throws(() => meta.closePeer(to), expected)
        const named = to !== undefined && what !== 'a peer of a sock that is elsewhere'
        if (named) await assert.rejects(meta.sendMsg(0, 'x', { except: to }), expected)
        await world.quiet()
        assert.deepEqual(heard, only())
        const times = named ? 3 : 2
        assert.deepEqual(
          dropped.map(({ peer, reason, messages }) => [peer, reason, messages]),
          [[undefined, 'unsendable', times]],
        )
        assert.deepEqual(meta.stats().dropped, { unsendable: times })
      }))
  }

  test('to one who is gone: PEER_GONE, as from its sock', () =>
    simulate(async (world) => {
      const { meta, peers } = await room(world)
      const { b0 } = peers
      meta.closePeer(b0!)
      await assert.rejects(meta.sendMsg(0, 'x', { to: b0! }), coded('PEER_GONE', /connect again/))
    }))

  test('before anybody is in it, and while nobody is there: at once', () =>
    simulate(async (world) => {
      const meta = world.meta()
      await meta.sendMsg(0, 'x')
      meta.add(await world.open())
      meta.add(await world.open())
      await meta.sendMsg(0, 'x')
      assert.deepEqual(meta.stats().dropped, {})
    }))

  test('nothing is allocated for the promise while all have room', () =>
    simulate(async (world) => {
      const { meta, socks } = await room(world)
      assert.equal(meta.sendMsg(0, 'x'), socks[0]?.sendMsg(0, 'x'))
    }))
})

describe('socks of different codecs', GUARD, () => {
  const twisted: Codec<string, string> = {
    name: 'twisted',
    encode: (_type, data) => Buffer.from(data).reverse(),
    decode: (payload) => ({ type: 0, data: Buffer.from(payload).toString() }),
  }

  test('each encodes with its own; one that cannot keeps no other from it, and the promise says so', () =>
    simulate(async (world) => {
      const heard: unknown[] = []
      const hear = (data: unknown): number => heard.push(data)
      const meta = world.meta()
      meta.add(await world.open({ bind: 'memory:raw' }))
      meta.add(await world.open({ bind: 'memory:json', codec: json() }))
      meta.add(await world.open({ bind: 'memory:twisted', codec: twisted }))
      await world.open({
        connect: 'memory:raw',
        handlers: { 0: (bytes) => hear(Buffer.from(bytes).toString()) },
      })
      await world.open({ connect: 'memory:json', codec: json(), handlers: { 0: hear, say: hear } })
      await world.open({ connect: 'memory:twisted', codec: twisted, handlers: { 0: hear } })
      await meta.sendMsg(0, 'abc')
      await world.quiet()
      assert.deepEqual(heard.splice(0).sort(), ['abc', 'abc', 'cba'])
      const dropped = all(meta, 'dropped')
      await assert.rejects(
        meta.sendMsg('say', 'abc'),
        coded('CANNOT_ENCODE', /raw\(\) carries no type but 0/),
      )
      await world.quiet()
      assert.deepEqual(heard.sort(), ['abc', 'cba'])
      assert.equal(dropped.length, 1)
      assert.deepEqual(meta.stats().dropped, { unsendable: 1 })
    }))

  test('the error is told wherever it comes from, though others have room', () =>
    simulate(async (world) => {
      for (const order of [
        [raw(), json()],
        [json(), raw()],
      ]) {
        const meta = world.meta()
        for (const codec of order) {
          const address = `memory:${order[0]?.name}-${codec.name}`
          await world.open({ bind: address })
          await meta.add(await world.open({ codec: codec as RawCodec })).connectTo(address)
        }
        await assert.rejects(meta.sendMsg('say', 'x'), { code: 'CANNOT_ENCODE' })
        await meta.close()
      }
    }))

  test('a payload longer than one of them takes: TOO_LARGE, and the other sends it', () =>
    simulate(async (world) => {
      const got = new Arrivals()
      const meta = world.meta()
      meta.add(await world.open({ bind: 'memory:small', maxFrame: 2 }))
      meta.add(await world.open({ bind: 'memory:large' }))
      for (const address of ['memory:small', 'memory:large'])
        await world.open({ connect: address, handlers: { 0: got.push } })
      await world.quiet()
      await assert.rejects(meta.sendRaw(Buffer.from('abc')), coded('TOO_LARGE', /3 bytes, and 2 is the most/))
      await world.quiet()
      assert.deepEqual(got.list, ['abc'])
    }))
})

describe('slow ones', GUARD, () => {
  /** A meta of socks with one peer each, whose pipes take nothing more. */
  const slow = async (world: World, door: Knocker, n: number, options: object = {}) => {
    const meta = world.meta()
    const pipes: TestPipe[] = []
    for (let i = 0; i < n; i++) {
      const pipe = door.pipe()
      pipe.stuck = true
      pipes.push(pipe)
      door.answer = () => pipe
      await meta.add(await world.open({ highWaterMark: 10, ...options })).connectTo('knock:any')
    }
    return { meta, pipes }
  }
  const payload = Buffer.alloc(20)

  test('a sock whose peers are slow holds up no other', () =>
    knocking(async (world, door) => {
      const { meta } = await slow(world, door, 1)
      const got = new Arrivals()
      meta.add(await world.open({ bind: 'memory:a' }))
      await world.open({ connect: 'memory:a', handlers: { 0: got.push } })
      await world.quiet()
      for (let i = 0; i < 100; i++) assert.equal(await world.stateOf(meta.sendMsg(0, payload)), 'resolved')
      await world.quiet()
      assert.equal(got.list.length, 100)
    }))

  test('when all are, the promise waits for the first that has room; a sock without peers has none to offer', () =>
    knocking(async (world, door) => {
      const { meta, pipes } = await slow(world, door, 2)
      meta.add(await world.open())
      // What is sent to all stands in for the turn: only the next knows that there is no room.
      await meta.sendMsg(0, payload)
      await world.quiet()
      const sent = meta.sendMsg(0, payload)
      assert.equal(await world.stateOf(sent), 'waits')
      pipes[1]!.stuck = false
      pipes[1]!.drain()
      assert.equal(await world.stateOf(sent), 'resolved')
    }))

  test('of several who are chosen the full ones miss it, and that is no error; of one alone it is', () =>
    knocking(async (world, door) => {
      const { meta, pipes } = await slow(world, door, 3, { maxQueue: 30 })
      const to = meta.knownPeers
      void meta.sendMsg(0, payload, { to })
      await world.quiet()
      const sent = meta.sendMsg(0, payload, { to })
      assert.equal(await world.stateOf(sent), 'waits')
      assert.deepEqual(meta.stats().dropped, { slow: 3 })
      await assert.rejects(meta.sendMsg(0, payload, { to: to[0]! }), coded('SLOW_PEER', /await each send/))
      pipes[2]!.stuck = false
      pipes[2]!.drain()
      assert.equal(await world.stateOf(sent), 'resolved')
    }))
})
