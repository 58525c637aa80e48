/** Two nodes that dial each other keep one connection. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { call, msg, type PipeSock, type RawCodec, type SockOptions } from '../../../src/index.ts'
import { simulate, type World } from '../../support/world.ts'

const protocol = { say: msg(z.string()), ask: call(z.number(), z.number()) }
type Node = PipeSock<RawCodec, typeof protocol>

interface Two {
  readonly a: Node
  readonly b: Node
  readonly heard: string[]
  readonly refused: string[]
  /** Peers that came and went: `a peer`, `b gone`. */
  readonly events: string[]
}

type Options = SockOptions<RawCodec, typeof protocol>

async function two(
  world: World,
  connect = false,
  more: (name: string) => Options = () => ({}),
): Promise<Two> {
  const heard: string[] = []
  const refused: string[] = []
  const events: string[] = []
  const node = (name: string, other: string): Node => {
    const sock = world.sock({
      protocol,
      bind: `memory:${name}`,
      ...(connect && { connect: [`memory:${other}`] }),
      ...more(name),
      handlers: { say: (text) => void heard.push(`${name} ${text}`), ask: (n) => n + 1 },
    })
    sock.on('refused', ({ error }) => refused.push(error.code))
    for (const event of ['peer', 'gone'] as const) sock.on(event, () => events.push(`${name} ${event}`))
    return sock
  }
  const [a, b] = [node('a', 'b'), node('b', 'a')]
  await Promise.all([a.start(), b.start()])
  return { a, b, heard, refused, events }
}

/** Both know one another once, and what is sent arrives once. */
async function one(world: World, { a, b, heard, refused }: Two): Promise<void> {
  assert.deepEqual([a.knownPeers.length, b.knownPeers.length], [1, 1])
  await Promise.all([a.sendMsg('say', 'x'), b.sendMsg('say', 'y')])
  await world.sim.sleep(200)
  assert.deepEqual(heard.sort(), ['a y', 'b x'])
  assert.equal(await a.knownPeers[0]?.request('ask', 1), 2)
  assert.equal(await b.knownPeers[0]?.request('ask', 1), 2)
  assert.deepEqual(refused, [])
}

describe('two that dial each other', () => {
  test('at once: each dial resolves to the one peer', () =>
    simulate(async (world) => {
      const nodes = await two(world)
      const { a, b } = nodes
      const [there, here] = await Promise.all([a.connectTo('memory:b'), b.connectTo('memory:a')])
      await world.quiet()
      assert.equal(there, a.knownPeers[0])
      assert.equal(here, b.knownPeers[0])
      await one(world, nodes)
    }))

  /** Dials of both, one `late` ms after the other, many times: one connection, which both announce once. */
  const dialing = async (late: number, more?: (world: World) => (name: string) => Options): Promise<void> => {
    for (let seed = 1; seed <= 40; seed++) {
      await simulate(
        async (world) => {
          const nodes = await two(world, false, more?.(world))
          const { a, b } = nodes
          const first = a.connectTo('memory:b')
          await world.sim.sleep(late)
          const peers = await Promise.all([first, b.connectTo('memory:a')])
          await world.sim.sleep(500)
          assert.deepEqual(
            peers.map(({ state }) => state),
            ['open', 'open'],
            `seed ${seed}`,
          )
          // Nobody is announced, and then given up.
          assert.deepEqual(nodes.events.sort(), ['a peer', 'b peer'], `seed ${seed}`)
          await one(world, nodes)
        },
        { seed, weather: (random) => ({ latency: () => 10 * random() }) },
      )
    }
  }

  for (const late of [0, 1, 5, 10, 15, 20, 25, 30, 40, 60, 200])
    test(`with delays on the way, one ${late} ms after the other, whichever is the lower: one connection`, () =>
      dialing(late))

  for (const late of [0, 5, 20, 50]) {
    test(`one ${late} ms after the other, with gates that take their time`, () =>
      dialing(late, (world) => () => ({
        goodPeer: async () => {
          await world.sim.sleep(40 * world.sim.random())
          return true
        },
      })))

    test(`one ${late} ms after the other, of different contracts`, () =>
      dialing(late, () => (name) => ({
        protocol: { ...protocol, [`only-${name}`]: msg(z.string()) },
      })))
  }

  test('one that dials itself has both ends of one connection', () =>
    simulate(async (world) => {
      const { a } = await two(world)
      await a.connectTo('memory:a')
      await a.connectTo('memory:a')
      await world.quiet()
      assert.equal(a.knownPeers.length, 4)
    }))

  test('kept up from both sides: one connection, and one again after the nodes were apart', () =>
    simulate(async (world) => {
      const nodes = await two(world, true)
      await world.sim.sleep(500)
      await one(world, nodes)
      nodes.heard.length = 0
      nodes.a.closePeer(nodes.a.knownPeers[0]!)
      await world.sim.sleep(5000)
      await one(world, nodes)
    }))
})

test('one that is dialed twice from the same side has two', () =>
  simulate(async (world) => {
    const { a, b } = await two(world)
    await a.connectTo('memory:b')
    await a.connectTo('memory:b')
    await world.quiet()
    assert.deepEqual([a.knownPeers.length, b.knownPeers.length], [2, 2])
  }))
