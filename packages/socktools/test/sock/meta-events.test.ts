/** The events of what is in a MetaSock are raised on it as well: once each, and written to one log. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  json,
  type Logger,
  type PipeSock,
  type Sock,
  type SockEvents,
  type SockOptions,
} from '../../src/index.ts'
import { noCrashes } from '../support/crashes.ts'
import { all } from '../support/events.ts'
import { GUARD } from '../support/tcp.ts'
import { simulate, type World } from '../support/world.ts'

noCrashes()

type Json = ReturnType<typeof json>
type Name = keyof SockEvents

const NAMES: readonly Name[] = [
  'listening',
  'peer',
  'ended',
  'gone',
  'refused',
  'dialFailed',
  'dropped',
  'invalid',
  'unhandled',
  'fault',
]

/** Everything that can happen to a sock happens to this one, from when `prepare` has had it. */
async function everything(
  world: World,
  options: SockOptions<Json>,
  prepare: (sock: PipeSock<Json>) => unknown = () => undefined,
): Promise<PipeSock<Json>> {
  const sock: PipeSock<Json> = world.sock({
    bind: 'memory:a',
    connect: 'memory:nobody',
    codec: json(),
    goodPeer: () => sock.knownPeers.length === 0,
    handlers: {
      boom: () => {
        throw new Error('boom')
      },
    },
    ...options,
  })
  prepare(sock)
  await sock.start()
  const client = await world.open()
  const peer = await client.connectTo('memory:a')
  await (await world.open()).connectTo('memory:a')
  for (const text of ['no JSON', '["nobody",1]', '["boom",1]']) await peer.sendMsg(0, text)
  await world.quiet()
  await assert.rejects(sock.sendMsg(0, 5n))
  await peer.drain()
  await world.quiet()
  return sock
}

describe('events', GUARD, () => {
  test('of a sock are raised once on it, on its meta and on the one around that, `closed` on itself alone', () =>
    simulate(async (world) => {
      const outer = world.meta()
      const meta = outer.add(world.meta())
      const names = [...NAMES, 'closed'] as const
      const heard = new Map<string, unknown[]>()
      const listen = (level: string, one: Sock<any>): void => {
        for (const name of names) heard.set(`${level} ${name}`, all(one, name))
      }
      listen('meta', meta)
      listen('outer', outer)
      const sock = await everything(world, {}, (made) => {
        listen('sock', made)
        meta.add(made)
      })
      await sock.close()
      for (const level of ['meta', 'outer']) {
        for (const name of NAMES) {
          const events = heard.get(`${level} ${name}`) ?? []
          assert.equal(events.length, 1, `${name} on ${level}`)
          assert.equal(events[0], heard.get(`sock ${name}`)?.[0], name)
        }
        assert.deepEqual(heard.get(`${level} closed`), [])
      }
      assert.equal(heard.get('sock closed')?.length, 1)
    }))

  test('come from those in it, and from nobody who has left', () =>
    simulate(async (world) => {
      const meta = world.meta()
      const peers = all(meta, 'peer')
      const sock = meta.add(await world.open({ bind: 'memory:a' }))
      await (await world.open()).connectTo('memory:a')
      assert.equal(peers.length, 1)
      meta.remove(sock)
      await (await world.open()).connectTo('memory:a')
      assert.equal(peers.length, 1)
    }))

  test('a listener that takes the sock out: the meta hears of that event, and of none after it', () =>
    simulate(async (world) => {
      const meta = world.meta()
      const peers = all(meta, 'peer')
      const sock = meta.add(await world.open({ bind: 'memory:a' }))
      sock.on('peer', () => meta.remove(sock))
      for (const _ of [1, 2]) await (await world.open()).connectTo('memory:a')
      await world.quiet()
      assert.deepEqual([peers.length, sock.knownPeers.length], [1, 2])
    }))

  test('a listener of the meta that throws is a fault of the meta', () =>
    simulate(async (world) => {
      const meta = world.meta()
      const sock = meta.add(await world.open({ bind: 'memory:a' }))
      const faults = [all(sock, 'fault'), all(meta, 'fault')]
      meta.on('peer', () => {
        throw new Error('not here')
      })
      await (await world.open()).connectTo('memory:a')
      assert.deepEqual(
        faults.map((list) => list.map((fault) => fault.in)),
        [[], ['listener of "peer"']],
      )
      assert.deepEqual([sock.stats().faults, meta.stats().faults], [0, 1])
    }))
})

describe('a fault', GUARD, () => {
  const boom = (): never => {
    throw new Error('boom')
  }
  /** A sock of which a handler throws, in two metas. */
  const scene = async (world: World, options: object = {}, ofMeta: object = {}) => {
    const outer = world.meta(ofMeta)
    const meta = outer.add(world.meta())
    meta.add(await world.open({ bind: 'memory:a', handlers: { 0: boom }, ...options }))
    const client = await world.open({ connect: 'memory:a' })
    return {
      outer,
      fail: async () => {
        await client.sendMsg(0, 'x')
        await world.quiet()
        return world.sim.reports.splice(0).length
      },
    }
  }

  test('that nobody takes, at any level, becomes one warning', () =>
    simulate(async (world) => {
      const { fail } = await scene(world)
      assert.equal(await fail(), 1)
    }))

  test('that a listener of the outermost meta takes becomes none', () =>
    simulate(async (world) => {
      const { outer, fail } = await scene(world)
      const faults = all(outer, 'fault')
      assert.deepEqual([await fail(), faults.length], [0, 1])
    }))

  test('that the logger of a meta takes becomes none; one that takes no errors does not count', () =>
    simulate(async (world) => {
      const lines: string[] = []
      const logs = await scene(world, {}, { logger: { error: (text: string) => lines.push(text) } })
      assert.deepEqual([await logs.fail(), lines.length], [0, 1])
    }))

  test('with a logger that takes no errors, of the sock or of a meta: a warning', () =>
    simulate(async (world) => {
      const { fail } = await scene(world, {}, { logger: { info: () => undefined } })
      assert.equal(await fail(), 1)
    }))

  test('a logger without `error` alone on a sock: a warning, and none where somebody listens', () =>
    simulate(async (world) => {
      const sock = await world.open({
        bind: 'memory:a',
        handlers: { 0: boom },
        logger: { info: () => undefined },
      })
      const client = await world.open({ connect: 'memory:a' })
      await client.sendMsg(0, 'x')
      await world.quiet()
      assert.equal(world.sim.reports.splice(0).length, 1)
      all(sock, 'fault')
      await client.sendMsg(0, 'x')
      await world.quiet()
      assert.equal(world.sim.reports.length, 0)
    }))
})

describe('the log', GUARD, () => {
  const logger = (): { logger: Logger; lines: string[] } => {
    const lines: string[] = []
    // But for the numbers of peers and milliseconds.
    const write = (text: string): void => void lines.push(text.replace(/\d+/g, '0'))
    return { logger: { debug: write, info: write, warn: write, error: write }, lines }
  }

  test('of a meta has what happens in socks that have none, once', () =>
    simulate(async (world) => {
      const [alone, ofMeta, ofOuter] = [logger(), logger(), logger()]
      await (await everything(world, { logger: alone.logger })).close()
      assert.equal(alone.lines.length, NAMES.length - 1, alone.lines.join('\n'))
      const outer = world.meta({ logger: ofOuter.logger })
      const meta = outer.add(world.meta({ logger: ofMeta.logger }))
      await (await everything(world, {}, (sock) => meta.add(sock))).close()
      assert.deepEqual(ofMeta.lines.sort(), alone.lines.sort())
      assert.deepEqual(ofOuter.lines, [])
    }))

  test('of the sock has it where there is one, and then that of the meta has not', () =>
    simulate(async (world) => {
      const [own, ofMeta] = [logger(), logger()]
      const meta = world.meta({ logger: ofMeta.logger })
      await (await everything(world, { logger: own.logger }, (sock) => meta.add(sock))).close()
      assert.equal(own.lines.length, NAMES.length - 1)
      assert.deepEqual(ofMeta.lines, [])
    }))
})
