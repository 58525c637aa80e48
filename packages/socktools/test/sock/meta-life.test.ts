/** How a MetaSock and what is in it come up, are found, counted, drained and closed; and what is done wrong with it. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type Codec,
  json,
  MetaSock,
  type MetaSockOptions,
  PipeSock,
  type Sock,
  TcpSock,
  type Tick,
} from '../../src/index.ts'
import { coded } from '../support/coded.ts'
import { noCrashes } from '../support/crashes.ts'
import { all, Arrivals, next, signal } from '../support/events.ts'
import { knocking } from '../support/knock.ts'
import { GUARD } from '../support/tcp.ts'
import { simulate, type World } from '../support/world.ts'

noCrashes()

describe('coming up', GUARD, () => {
  test('start starts every sock that is not up, those of metas in it too, and no other twice', () =>
    simulate(async (world) => {
      await world.open({ bind: 'memory:far' })
      const meta = world.meta()
      const inner = meta.add(world.meta())
      const up = meta.add(await world.open({ bind: 'memory:a' }))
      const bound = meta.add(world.sock({ bind: 'memory:b', connect: 'memory:far' }))
      inner.add(world.sock({ bind: 'memory:c' }))
      await bound.startServer()
      const listening = all(meta, 'listening')
      await meta.start()
      assert.deepEqual(
        listening.map(({ address }) => address),
        ['memory:c'],
      )
      assert.deepEqual([meta.address, meta.addresses], ['memory:c', ['memory:c', 'memory:a', 'memory:b']])
      assert.deepEqual([up.knownPeers.length, bound.knownPeers.length], [0, 1])
      meta.add(world.sock({ bind: 'memory:d' }))
      await Promise.all([meta.start(), meta.start()])
      assert.equal(meta.addresses.at(-1), 'memory:d')
    }))

  test('one that cannot start keeps no other from it; start rejects, and may be called again', () =>
    simulate(async (world) => {
      const squatter = await world.open({ bind: 'memory:a' })
      const meta = world.meta()
      meta.add(world.sock({ bind: 'memory:a' }))
      meta.add(world.sock({ bind: 'memory:b' }))
      await assert.rejects(meta.start(), coded('ADDRESS_IN_USE', /memory:a/))
      assert.deepEqual(meta.addresses, ['memory:b'])
      await squatter.close()
      await meta.start()
      assert.deepEqual(meta.addresses, ['memory:a', 'memory:b'])
    }))

  test('startServer is start, and returns the first address; without any: NOT_BOUND', () =>
    simulate(async (world) => {
      const meta = world.meta()
      await assert.rejects(meta.startServer(), coded('NOT_BOUND', /no sock in this meta listens/))
      meta.add(world.sock())
      meta.add(world.sock({ bind: 'memory:a' }))
      assert.equal(await meta.startServer(), 'memory:a')
      await assert.rejects(meta.startServer({ bind: 'memory:b' }), coded('BAD_OPTION', /give `bind` to one/))
    }))

  test('connectTo goes to the first sock that knows the scheme and takes anything new', () =>
    knocking(async (world, door) => {
      await world.open({ bind: 'memory:far' })
      const meta = world.meta()
      await assert.rejects(
        meta.connectTo('memory:far'),
        coded('BAD_ADDRESS', /needs a sock .*there are none/),
      )
      const parts = { platform: world.platform, transports: [door] }
      const knocks = meta.add(new PipeSock({}, parts))
      const inner = meta.add(world.meta())
      const [first, second] = [inner.add(world.sock()), inner.add(world.sock())]
      const pipe = door.pipe()
      door.answer = () => pipe
      assert.deepEqual([await meta.connectTo('knock:any')], knocks.knownPeers)
      assert.deepEqual([await meta.connectTo('memory:far')], first.knownPeers)
      const drained = first.drain()
      const peer = await meta.connectTo('memory:far')
      assert.deepEqual(second.knownPeers, [peer])
      const unknown = coded('BAD_ADDRESS', /needs a sock that is not in this meta; there are knock:, memory:/)
      await assert.rejects(meta.connectTo('pigeon:coop'), unknown)
      await assert.rejects(meta.connectTo('127.0.0.1:4000'), coded('BAD_ADDRESS', /did you mean "tcp:/))
      pipe.break()
      await drained
      await knocks.close()
    }))

  test('ticks begin with start, with a sock that is up or comes up, and end with the meta', () =>
    simulate(async (world) => {
      const ticking = () => {
        const ticks: Tick[] = []
        return { meta: world.meta({ tick: (tick) => ticks.push(tick), tickInterval: 100 }), ticks }
      }
      const [started, added, later, idle] = [ticking(), ticking(), ticking(), ticking()]
      await started.meta.start()
      added.meta.add(await world.open({ bind: 'memory:a' }))
      later.meta.add(world.sock())
      const outer = ticking()
      outer.meta.add(later.meta)
      await world.sim.sleep(1050)
      const counts = () => [started, added, later, outer, idle].map(({ ticks }) => ticks.length)
      assert.deepEqual(counts(), [10, 10, 0, 0, 0])
      await outer.meta.connectTo('memory:a')
      await world.sim.sleep(1040)
      assert.deepEqual(counts(), [20, 20, 10, 10, 0])
      for (const { meta } of [started, added, outer]) await meta.close()
      await world.sim.sleep(1000)
      assert.deepEqual(counts(), [20, 20, 10, 10, 0])
    }))

  test('a subclass has its hooks: setUp before the first start, tick and handleAll', () =>
    simulate(async (world) => {
      const steps: string[] = []
      class Hooked extends MetaSock {
        protected override setUp(): void {
          steps.push('setUp')
          this.addHandler(0, () => steps.push('handler'))
        }
        protected override handleAll(_message: unknown, _context: unknown, go: () => unknown): unknown {
          steps.push('handleAll')
          return go()
        }
        protected override tick(): void {
          steps.push('tick')
        }
      }
      const meta = new Hooked({ tickInterval: 100 }, { platform: world.platform })
      meta.add(world.sock({ bind: 'memory:a' }))
      await meta.start()
      const client = await world.open({ connect: 'memory:a' })
      await client.sendMsg(0, 'x')
      await world.sim.sleep(150)
      await meta.close()
      assert.deepEqual(steps, ['setUp', 'handleAll', 'handler', 'tick'])
    }))
})

describe('what is in it', GUARD, () => {
  /** A meta of two, each with one peer, in an outer one. */
  const scene = async (world: World) => {
    const outer = world.meta()
    const meta = outer.add(world.meta())
    const a = meta.add(await world.open({ bind: 'memory:a' }))
    const b = meta.add(await world.open({ bind: 'memory:b' }))
    const clients = [await world.open({ connect: 'memory:a' }), await world.open({ connect: 'memory:b' })]
    await world.quiet()
    return { outer, meta, a, b, clients }
  }

  test('knownPeers are those of all; closePeer ends one, or all that an address names, and says what was lost', () =>
    simulate(async (world) => {
      const { outer, a, b } = await scene(world)
      const [ofA, ofB] = outer.knownPeers
      assert.deepEqual([a.knownPeers, b.knownPeers], [[ofA], [ofB]])
      void ofA?.sendMsg(0, 'x')
      assert.deepEqual(outer.closePeer(ofA!), { unsent: 1, unhandled: 0 })
      assert.deepEqual([a.knownPeers, outer.knownPeers], [[], [ofB]])
      assert.deepEqual(outer.closePeer(ofB!.address), { unsent: 0, unhandled: 0 })
      assert.deepEqual(outer.knownPeers, [])
    }))

  test('stats are sums, also over what was closed in it; what is removed takes its own along', () =>
    simulate(async (world) => {
      const { outer, meta, a, b, clients } = await scene(world)
      for (const client of clients) for (const _ of [1, 2]) await client.sendMsg(0, 'four')
      await outer.sendMsg(0, 'x')
      await assert.rejects(b.sendMsg('type', 'x'))
      await assert.rejects(outer.sendMsg(0, 'x', { to: 'memory:nobody' }))
      await world.quiet()
      const { peers, accepted, messagesIn, bytesIn, messagesOut, unhandled, dropped } = outer.stats()
      assert.deepEqual([peers, accepted, messagesIn, bytesIn, messagesOut, unhandled], [2, 2, 4, 32, 2, 4])
      assert.deepEqual(dropped, { unsendable: 2 })
      await a.close()
      assert.deepEqual([outer.stats().peers, outer.stats().messagesIn, meta.stats().accepted], [1, 4, 2])
      meta.remove(b)
      assert.deepEqual([outer.stats().peers, outer.stats().messagesIn, b.stats().messagesIn], [0, 2, 2])
      assert.deepEqual(outer.stats().dropped, { unsendable: 1 })
    }))

  test('a sock that is closed or drained by itself leaves its meta, and a meta the one that it is in', () =>
    simulate(async (world) => {
      const { outer, meta, a, b } = await scene(world)
      await a.drain()
      assert.deepEqual([outer.addresses, meta.remove(a)], [['memory:b'], false])
      await meta.close()
      assert.deepEqual([outer.addresses, outer.remove(meta)], [[], false])
      await assert.rejects(b.start(), { code: 'CLOSED' })
      await outer.sendMsg(0, 'x')
      assert.deepEqual(outer.stats().dropped, {})
    }))

  test('one that is being closed is passed over at once', () =>
    simulate(async (world) => {
      const { outer, a, clients } = await scene(world)
      const got = new Arrivals()
      clients[1]!.addHandler(0, got.push)
      const closed = a.close()
      await outer.sendMsg(0, 'x')
      assert.deepEqual(outer.addresses, ['memory:b'])
      await closed
      assert.deepEqual(await got.atLeast(1), ['x'])
    }))
})

describe('endings', GUARD, () => {
  for (const end of ['close', 'drain', Symbol.asyncDispose] as const) {
    test(`${String(end)} closes what it owns, the first first, and lets go of the rest`, () =>
      simulate(async (world) => {
        const meta = world.meta()
        const inner = meta.add(world.meta())
        const order: string[] = []
        const closing = (name: string, sock: Sock<any>): void =>
          void sock.on('closed', () => order.push(name))
        const a = meta.add(await world.open({ bind: 'memory:a' }))
        const b = inner.add(await world.open({ bind: 'memory:b' }))
        const free = meta.add(await world.open({ bind: 'memory:free' }), { owned: false })
        closing('meta', meta)
        closing('inner', inner)
        closing('a', a)
        closing('b', b)
        closing('free', free)
        await meta[end]()
        assert.deepEqual(new Set(order), new Set(['a', 'b', 'inner', 'meta']))
        assert.ok(order.indexOf('b') < order.indexOf('inner'))
        assert.equal(order.at(-1), 'meta')
        // It is whole, and may go elsewhere.
        const other = world.meta()
        other.add(free)
        const client = await world.open()
        await client.connectTo('memory:free')
        await world.quiet()
        assert.equal(other.knownPeers.length, 1)
      }))
  }

  test('drain handles what arrived at every level, and writes what was answered, before anything ends', () =>
    simulate(
      async (world) => {
        const meta = world.meta({
          handlers: {
            0: async (data, { peer }) => {
              await world.sim.sleep(10)
              await peer.sendMsg(0, data)
            },
          },
        })
        for (const name of ['a', 'b']) meta.add(await world.open({ bind: `memory:${name}` }))
        const got = new Arrivals()
        for (const name of ['a', 'b']) {
          const client = await world.open({ connect: `memory:${name}`, handlers: { 0: got.push } })
          for (let i = 0; i < 20; i++) void client.sendMsg(0, String(i))
        }
        await world.sim.sleep(20)
        const lost = await meta.drain()
        await world.quiet()
        assert.deepEqual([lost, got.list.length], [{ unsent: 0, unhandled: 0 }, 40])
      },
      { weather: () => ({ latency: () => 5 }) },
    ))

  test('close says what was lost, over all that it closed; close during drain ends that, and counts nothing twice', () =>
    simulate(async (world) => {
      for (const first of ['close', 'drain'] as const) {
        const meta = world.meta({ handlers: { 0: () => new Promise(() => undefined) } })
        const inner = meta.add(world.meta())
        const owners = [meta, inner]
        for (const [i, owner] of owners.entries()) {
          owner.add(await world.open({ bind: `memory:${first}${i}` }))
          const client = await world.open({ connect: `memory:${first}${i}` })
          for (let n = 0; n < 5; n++) await client.sendMsg(0, 'x')
        }
        const free = await world.open({ bind: `memory:${first}` })
        meta.add(free, { owned: false })
        const client = await world.open({ connect: `memory:${first}` })
        for (let n = 0; n < 5; n++) await client.sendMsg(0, 'x')
        await world.quiet()
        const closed = next(meta, 'closed')
        const ended = meta[first]()
        await world.quiet()
        const expected = { unsent: 0, unhandled: 8 }
        assert.deepEqual(
          [await meta.close(), await ended, (await closed).lost],
          [expected, expected, expected],
        )
        assert.equal(free.stats().waiting, 4)
      }
    }))

  test('a sock that cannot be drained in time is cut, and the timeout is that of the call', () =>
    simulate(async (world) => {
      const never = signal()
      const meta = world.meta({ handlers: { 0: () => never.promise } })
      meta.add(await world.open({ bind: 'memory:a' }))
      const client = await world.open({ connect: 'memory:a' })
      for (let i = 0; i < 3; i++) await client.sendMsg(0, 'x')
      await world.quiet()
      assert.deepEqual(await meta.drain({ timeout: 100 }), { unsent: 0, unhandled: 2 })
      assert.ok(world.sim.now() < 200)
    }))

  test('after it: CLOSED, whatever is called; while it drains: DRAINING', () =>
    simulate(async (world) => {
      for (const [end, expected] of [
        ['drain', coded('DRAINING', /nothing new is taken/)],
        ['close', coded('CLOSED', /open a new one/)],
      ] as const) {
        const meta = world.meta()
        const never = signal()
        meta.addHandler(0, () => never.promise)
        meta.add(await world.open({ bind: 'memory:a' }))
        await (await world.open({ connect: 'memory:a' })).sendMsg(0, 'x')
        await world.quiet()
        const ended = meta[end]()
        await assert.rejects(meta.start(), expected)
        await assert.rejects(meta.startServer(), expected)
        await assert.rejects(meta.connectTo('memory:a'), expected)
        assert.throws(() => meta.add(world.sock()), expected)
        if (end === 'close') {
          await assert.rejects(meta.sendMsg(0, 'x'), expected)
          await assert.rejects(meta.sendRaw(Buffer.from('x')), expected)
          assert.throws(() => meta.messages(), expected)
          assert.throws(() => meta.readRaw(), expected)
        }
        never.give()
        await ended
      }
    }))
})

describe('wrong uses', GUARD, () => {
  test('add: itself, one around it, one that is in a meta, no sock at all: BAD_CHILD, and nothing has changed', () =>
    simulate(async (world) => {
      const outer = world.meta()
      const meta = outer.add(world.meta())
      const inner = meta.add(world.meta())
      const sock = inner.add(await world.open({ bind: 'memory:a' }))
      const other = world.meta()
      const wrong: [MetaSock, unknown, RegExp][] = [
        [meta, meta, /to itself/],
        [inner, outer, /to one that is in it/],
        [inner, meta, /to one that is in it/],
        [inner, sock, /in this meta already/],
        [other, sock, /in another meta already.*remove it there/],
        [outer, sock, /in another meta already/],
        [other, {}, /no sock of this library/],
        [other, undefined, /no sock of this library/],
      ]
      for (const [into, what, message] of wrong)
        assert.throws(() => into.add(what as typeof sock), coded('BAD_CHILD', message))
      assert.deepEqual([outer.addresses, other.addresses], [['memory:a'], []])
      assert.equal(inner.remove(sock), true)
      other.add(sock)
      assert.deepEqual([outer.addresses, other.addresses], [[], ['memory:a']])
    }))

  test('add: a sock that is draining or closed', () =>
    simulate(async (world) => {
      const meta = world.meta()
      const sock = await world.open({ bind: 'memory:a' })
      const never = signal()
      sock.addHandler(0, () => never.promise)
      await (await world.open({ connect: 'memory:a' })).sendMsg(0, 'x')
      await world.quiet()
      const drained = sock.drain()
      assert.throws(() => meta.add(sock), coded('DRAINING', /adding it to a meta came after drain/))
      never.give()
      await drained
      assert.throws(() => meta.add(sock), coded('CLOSED', /adding it to a meta came after close/))
    }))

  test('remove: what is not in it is no error, and says so', () =>
    simulate(async (world) => {
      const [meta, other] = [world.meta(), world.meta()]
      const sock = meta.add(world.sock())
      assert.deepEqual([other.remove(sock), meta.remove(undefined as never)], [false, false])
      assert.deepEqual([meta.remove(sock), meta.remove(sock)], [true, false])
    }))

  const options: [string, unknown, RegExp][] = [
    ['an option of socks', { codec: json() }, /a MetaSock has no option "codec"; the socks in it may/],
    ['an option that does not exist', { handler: {} }, /no option "handler"/],
    ['override that is no boolean', { override: 'yes' }, /override is true or false/],
    ['a handler that is none', { handlers: { say: 5 } }, /"say" is no function/],
    ['an interval of 0', { tickInterval: 0 }, /tickInterval cannot be 0/],
    ['null', null, /must be an object/],
  ]
  for (const [what, given, message] of options) {
    test(`${what}: BAD_OPTION`, () => {
      assert.throws(() => new MetaSock(given as MetaSockOptions), coded('BAD_OPTION', message))
    })
  }
})

test('types: of any sock by default; with a codec, of socks that speak it', () => {
  interface Line {
    readonly text: string
  }
  type Lines = Codec<Line, Line>
  const any = new MetaSock({ handlers: { say: (data: unknown) => data } })
  const tcp: TcpSock = any.add(new TcpSock())
  any.add(new TcpSock({ codec: json<Line>() }))
  void any.sendMsg('say', { anything: true })
  const lines = new MetaSock<Lines>({ handlers: { say: ({ text }) => text.length } })
  const child: TcpSock<Lines> = lines.add(new TcpSock({ codec: json<Line>() }))
  any.add(lines)
  // @ts-expect-error: a line has a text
  void lines.sendMsg('say', { words: 'hello' })
  // @ts-expect-error: data of other socks is not known
  any.addHandler('say', (data: Line) => data.text)
  // @ts-expect-error: this one speaks bytes
  lines.add(new TcpSock())
  const sock: Sock<Lines> = lines
  const plain: Sock = tcp
  assert.ok(child instanceof TcpSock && sock === lines && plain === tcp)
})
