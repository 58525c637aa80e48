/** Two nodes that dial each other, and a connection that only one of them believes in. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { msg, type PipeSock, type RawCodec } from '../../../src/index.ts'
import { type Cuts, cuttable } from '../../support/cuts.ts'
import { simulate, type World } from '../../support/world.ts'

const protocol = { say: msg(z.string()) }
type Node = PipeSock<RawCodec, typeof protocol>

const BACKOFF = { first: 10, max: 100, healthy: 1 }

interface Two {
  readonly world: World
  readonly a: Node
  readonly b: Node
  /** Of the connections that a dials. */
  readonly cuts: Cuts
  readonly heard: string[]
}

/** With many seeds: either of them is the lower one. */
async function two(scenario: (nodes: Two) => Promise<void>, connect = false): Promise<void> {
  for (let seed = 1; seed <= 8; seed++) {
    await simulate(
      async (world) => {
        const cuts = cuttable(world.transports[0]!)
        const heard: string[] = []
        const options = (name: string) => ({
          protocol,
          bind: `memory:${name}`,
          backoff: BACKOFF,
          handlers: { say: (text: string) => void heard.push(`${name} ${text}`) },
        })
        const a = world.sock(options('a'), world.platform, [cuts.transport])
        const b = world.sock({ ...options('b'), ...(connect && { connect: 'memory:a' }) })
        await Promise.all([b.start(), a.start()])
        await a.connectTo('memory:b')
        await world.quiet()
        await scenario({ world, a, b, cuts, heard })
      },
      { seed, weather: (random) => ({ latency: () => 2 * random() }) },
    )
  }
}

const mute = ({ cuts }: Two): void => {
  for (const pipe of cuts.pipes) pipe.mute = true
}

const open = (node: Node): number => node.knownPeers.filter(({ state }) => state === 'open').length

describe('a connection that died without a word', () => {
  test('and is over for the side that was dialed: its dial is answered once the other side knows', () =>
    two(async (nodes) => {
      const { world, a, b } = nodes
      await world.sim.sleep(5000)
      mute(nodes)
      b.closePeer(b.knownPeers[0]!)
      const began = world.platform.now()
      const peer = await b.connectTo('memory:a')
      assert.ok(world.platform.now() - began < 5000)
      await world.sim.sleep(1000)
      assert.equal(peer.state, 'open')
      assert.deepEqual([open(a), open(b), a.knownPeers.length, b.knownPeers.length], [1, 1, 1, 1])
    }))

  test('while both believe in it: a dial of the side that was dialed brings it back, with what was sent', () =>
    two(async (nodes) => {
      const { world, a, b, heard } = nodes
      const [there, here] = [a.knownPeers[0]!, b.knownPeers[0]!]
      await world.sim.sleep(5000)
      mute(nodes)
      await Promise.all([there.sendMsg('say', 'up'), here.sendMsg('say', 'down')])
      assert.equal(await b.connectTo('memory:a'), here)
      await world.sim.sleep(1000)
      assert.deepEqual([there.state, here.state], ['open', 'open'])
      assert.deepEqual(heard.sort(), ['a down', 'b up'])
      assert.deepEqual([a.knownPeers.length, b.knownPeers.length], [1, 1])
    }))

  test('whose dialer waits long before it dials again: a dial of the other side makes it dial at once', () =>
    two(async (nodes) => {
      const { world, a, b, cuts } = nodes
      const [there, here] = [a.knownPeers[0]!, b.knownPeers[0]!]
      cuts.refuse = true
      cuts.cut()
      await world.sim.sleep(50)
      assert.deepEqual([there.state, here.state], ['detached', 'detached'])
      cuts.refuse = false
      assert.equal(await b.connectTo('memory:a'), here)
      assert.equal(here.state, 'open')
    }))

  test('with one that asks a live one: it gives a sign, and there is still one', () =>
    two(async ({ world, a, b }) => {
      await world.sim.sleep(5000)
      assert.equal(await b.connectTo('memory:a'), b.knownPeers[0])
      assert.deepEqual([open(a), open(b)], [1, 1])
    }))
})

test('a node that was started again is dialed by who keeps it up, though it was the one that had dialed', () =>
  two(async (nodes) => {
    const { world, a, b } = nodes
    await world.sim.sleep(5000)
    assert.equal(open(b), 1)
    mute(nodes)
    await a.close()
    const again = await world.open({ protocol, bind: 'memory:a' })
    // b hears nothing any more: it knows after its timeout, and need not wait for the session to expire.
    await world.sim.sleep(50_000)
    assert.deepEqual([open(again), open(b)], [1, 1])
  }, true))

test('an answer that was lost leaves a peer that nobody can come back to: the other dial is kept', () =>
  two(async ({ world, a, b, cuts }) => {
    a.closePeer(a.knownPeers[0]!)
    await world.sim.sleep(100)
    // HELLO leaves, and of WELCOME nothing comes.
    cuts.plan(() => 300)
    await assert.rejects(a.connectTo('memory:b'))
    await world.sim.sleep(100)
    assert.deepEqual(
      b.knownPeers.map(({ state }) => state),
      ['detached'],
    )
    const peer = await b.connectTo('memory:a')
    await world.sim.sleep(100)
    assert.equal(peer.state, 'open')
    assert.deepEqual([open(a), open(b)], [1, 1])
  }))

describe('while a dial to the same host gets no answer', () => {
  /** b dials one that takes connections and says nothing; then a dials b. */
  const silent = (scenario: (nodes: Two) => Promise<void>): Promise<void> =>
    two(async (nodes) => {
      const { world, a, b } = nodes
      a.closePeer(a.knownPeers[0]!)
      await world.sim.sleep(100)
      await world.transports[0]!.listen(new URL('memory:silent'), {}, () => undefined)
      b.connectTo('memory:silent').catch(() => undefined)
      await world.sim.sleep(10)
      await a.connectTo('memory:b').catch(() => undefined)
      await scenario(nodes)
    })

  test('a connection is a peer as soon as something comes over it', () =>
    silent(async ({ world, a, b, heard }) => {
      // The lower one waits with its answer itself.
      if (a.knownPeers.length === 0) return
      await a.sendMsg('say', 'up')
      await world.sim.sleep(50)
      assert.deepEqual([heard, open(b)], [['b up'], 1])
    }))

  test('one whose connection breaks before it is a peer is come back to', () =>
    silent(async ({ world, a, b, cuts, heard }) => {
      const [there] = a.knownPeers
      if (there === undefined) return
      const lost: string[] = []
      a.on('sessionLost', ({ reason }) => lost.push(reason))
      cuts.cut()
      await there.sendMsg('say', 'up')
      await world.sim.sleep(1000)
      assert.deepEqual([there.state, heard, lost, open(b)], ['open', ['b up'], [], 1])
    }))
})

describe('a dial whose answer is lost, and the other side does not know that it was given up', () => {
  /** a dials b, and is given up after 1 s; b dials a so long after a did. */
  const unheard = (wait: number): Promise<void> =>
    two(async ({ world, a, b, cuts }) => {
      a.closePeer(a.knownPeers[0]!)
      await world.sim.sleep(100)
      const events: string[] = []
      for (const event of ['peer', 'detached', 'gone'] as const) a.on(event, () => events.push(event))
      const dial = a.connectTo('memory:b', { timeout: 1000 })
      // HELLO arrives, and nothing comes back.
      while (cuts.pipes.size === 0) await world.quiet()
      for (const pipe of cuts.pipes) pipe.lost = true
      await Promise.all([
        assert.rejects(dial, { code: 'CONNECT_TIMEOUT' }),
        // If b is the lower one it gives this up, for the sake of the one that it was dialed over.
        world.sim.sleep(wait).then(() => b.connectTo('memory:a')),
      ])
      await world.sim.sleep(5000)
      assert.ok(!events.includes('gone'), `one is announced, and then given up: ${events.join(', ')}`)
      const peer = await a.connectTo('memory:b')
      await world.sim.sleep(1000)
      assert.equal(peer.state, 'open')
    })

  test('one that the other side has dialed meanwhile is a peer when that has said that it keeps it', () =>
    unheard(500))

  test('and so is one that it dials afterwards', () => unheard(1500))

  test('and so is one that it dials when it has not heard that the one before is over', () =>
    two(async ({ world, a, b, cuts }) => {
      const [before] = a.knownPeers
      // b takes it for alive.
      await before!.sendMsg('say', 'x')
      await world.sim.sleep(100)
      for (const pipe of cuts.pipes) pipe.mute = pipe.lost = true
      a.closePeer(before!)
      const events: string[] = []
      for (const event of ['peer', 'detached', 'gone'] as const) a.on(event, () => events.push(event))
      await b.connectTo('memory:a')
      await world.sim.sleep(5000)
      assert.ok(!events.includes('gone'), `one is announced, and then given up: ${events.join(', ')}`)
      const peer = await a.connectTo('memory:b')
      await world.sim.sleep(1000)
      assert.equal(peer.state, 'open')
    }))
})
