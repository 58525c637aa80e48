/** Two nodes that dial each other keep one connection. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { call, msg, type PipeSock, type RawCodec } from '../../../src/index.ts'
import { simulate, type World } from '../../support/world.ts'

const protocol = { say: msg(z.string()), ask: call(z.number(), z.number()) }
type Node = PipeSock<RawCodec, typeof protocol>

interface Two {
  readonly a: Node
  readonly b: Node
  readonly heard: string[]
  readonly refused: string[]
}

async function two(world: World, connect = false): Promise<Two> {
  const heard: string[] = []
  const refused: string[] = []
  const node = (name: string, other: string): Node => {
    const sock = world.sock({
      protocol,
      bind: `memory:${name}`,
      ...(connect && { connect: [`memory:${other}`] }),
      handlers: { say: (text) => void heard.push(`${name} ${text}`), ask: (n) => n + 1 },
    })
    sock.on('refused', ({ error }) => refused.push(error.code))
    return sock
  }
  const [a, b] = [node('a', 'b'), node('b', 'a')]
  await Promise.all([a.start(), b.start()])
  return { a, b, heard, refused }
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

  for (const late of [0, 1, 5, 10, 15, 20, 25, 30, 40, 60, 200]) {
    test(`with delays on the way, one ${late} ms after the other, whichever is the lower: one connection`, async () => {
      for (let seed = 1; seed <= 40; seed++) {
        await simulate(
          async (world) => {
            const nodes = await two(world)
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
            await one(world, nodes)
          },
          { seed, weather: (random) => ({ latency: () => 10 * random() }) },
        )
      }
    })
  }

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
