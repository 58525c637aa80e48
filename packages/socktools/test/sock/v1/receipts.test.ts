/** Receipts: what is known of a message, and when that cannot be known. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { bytes, call, msg, type Outcome, type Receipt, type SockError } from '../../../src/index.ts'
import { ACK, GOODBYE } from '../../../src/wire/v1/frame.ts'
import { decodeWelcome } from '../../../src/wire/v1/hello-bytes.ts'
import { SESSIONS } from '../../../src/wire/v1/hello.ts'
import { noCrashes } from '../../support/crashes.ts'
import { knocking } from '../../support/knock.ts'
import { GUARD } from '../../support/tcp.ts'
import { simulateUdp } from '../../support/udp-world.ts'
import { simulate, type World } from '../../support/world.ts'
import { cutPair } from './cut-pair.ts'
import { Far, far, helloOf, payloadsIn } from './far.ts'

noCrashes()

const protocol = {
  say: msg(z.number()),
  blob: msg(bytes()),
  double: call(z.number(), z.number()),
  again: call(z.number(), z.number(), { idempotent: true }),
}

const DELIVERED = { status: 'delivered' }
const not = (reason: string): object => ({ status: 'not-delivered', reason })
const unknown = (reason: string): object => ({ status: 'unknown', reason })

/** What is known by now; undefined: nothing is. */
async function known(world: World, ...receipts: Receipt[]): Promise<(Outcome | undefined)[]> {
  const outcomes = receipts.map((): Outcome | undefined => undefined)
  for (const [i, { outcome }] of receipts.entries()) void outcome.then((one) => (outcomes[i] = one))
  await world.quiet()
  return outcomes
}

const outcomes = (receipts: readonly Receipt[]): Promise<Outcome[]> =>
  Promise.all(receipts.map(({ outcome }) => outcome))
const codeOf = (error: unknown): string => (error as SockError).code

describe('a receipt', GUARD, () => {
  test('is accepted as sendMsg is, and delivered when the far side acknowledged the last frame of its message', () =>
    knocking(async (world, door) => {
      const { peer, far: other } = await far(world, door, protocol)
      other.ack = 0
      const receipts = [peer.send('say', 1), peer.send('blob', new Uint8Array(150_000)), peer.send('say', 2)]
      assert.equal(await world.stateOf(Promise.all(receipts.map(({ accepted }) => accepted))), 'resolved')
      const seqs = other.of('EVENT').map(({ seq }) => seq)
      assert.deepEqual(seqs, [1, 2, 3, 4, 5])
      const seen: string[] = []
      for (other.ack = 1; other.ack <= 5; other.ack++) {
        other.send(ACK)
        seen.push((await known(world, ...receipts)).map((one) => one?.status ?? '-').join(' '))
      }
      assert.deepEqual(seen, [
        'delivered - -',
        'delivered - -',
        'delivered - -',
        'delivered delivered -',
        'delivered delivered delivered',
      ])
    }))

  test('across cuts: each is delivered, and each message comes once', () => {
    const got: number[] = []
    return cutPair(
      protocol,
      async ({ world, cuts, there, here }) => {
        const up: Receipt[] = []
        const down: Receipt[] = []
        for (let n = 0; n < 60; n++) {
          up.push(there.send('say', n))
          down.push(here.send('say', n))
          if (n % 7 === 3) cuts.cut()
          if (n % 7 === 5) await world.sim.sleep(20)
        }
        assert.deepEqual(await outcomes([...up, ...down]), Array(120).fill(DELIVERED))
        assert.deepEqual(
          got,
          Array.from({ length: 60 }, (_, n) => n),
        )
      },
      { serving: { handlers: { say: (n) => void got.push(n) } } },
    )
  })

  test('is open while the peer is detached, however long that takes', () =>
    cutPair(
      protocol,
      async ({ world, cuts, there, part }) => {
        await part()
        const receipt = there.send('say', 1)
        await receipt.accepted
        await world.sim.sleep(60_000)
        assert.deepEqual(await known(world, receipt), [undefined])
        cuts.refuse = false
        assert.deepEqual(await receipt.outcome, DELIVERED)
      },
      { asking: { backoff: { first: 5000, max: 5000, healthy: 1 } } },
    ))

  test('of a message that is not taken says so, and why', () =>
    cutPair(
      protocol,
      async ({ world, client, there, part }) => {
        const wrong = [
          there.send('blob', 'text' as never),
          there.send('nothing' as never, 1 as never),
          there.send('say', 1, { headers: { 'Not a key': 'x' } }),
        ]
        for (const { accepted } of wrong) assert.notEqual(await world.stateOf(accepted), 'resolved')
        assert.deepEqual(await outcomes(wrong), Array(3).fill(not('unsendable')))
        await part()
        const full = there.send('blob', new Uint8Array(300_000))
        const slow = there.send('blob', new Uint8Array(300_000))
        assert.equal(await slow.accepted.catch(codeOf), 'SLOW_PEER')
        assert.deepEqual(await slow.outcome, not('slow'))
        client.closePeer(there)
        assert.deepEqual(await full.outcome, not('closed'))
        const late = there.send('say', 1)
        assert.equal(await late.accepted.catch(codeOf), 'PEER_GONE')
        assert.deepEqual(await late.outcome, not('gone'))
        assert.deepEqual(there.stats().dropped, { unsendable: 3, slow: 1, closed: 1, gone: 1 })
      },
      { asking: { highWaterMark: 200_000, maxQueue: 400_000 } },
    ))

  test('drain waits until all is delivered', () =>
    cutPair(protocol, async ({ world, cuts, client, there }) => {
      const receipts = [1, 2, 3].map((n) => there.send('say', n))
      await world.quiet()
      cuts.cut()
      await client.drain({ timeout: 10_000 })
      assert.deepEqual(await outcomes(receipts), Array(3).fill(DELIVERED))
    }))

  test('works without a session, too; there a connection that ends leaves the rest unknown', () =>
    cutPair(
      protocol,
      async ({ world, cuts, there }) => {
        assert.deepEqual(await there.send('say', 1).outcome, DELIVERED)
        const left = there.send('say', 2)
        await world.quiet()
        cuts.cut()
        assert.deepEqual(await left.outcome, unknown('gone'))
      },
      { asking: { sessions: false } },
    ))

  test('a far side that leaves tells by its GOODBYE what had arrived', () =>
    knocking(async (world, door) => {
      const { peer, far: other } = await far(world, door, protocol)
      other.ack = 0
      const receipts = [peer.send('say', 1), peer.send('say', 2)]
      await world.quiet()
      other.ack = 1
      other.send(GOODBYE, {}, Uint8Array.of(0))
      other.pipe.finish()
      await world.quiet()
      other.pipe.break()
      assert.deepEqual(await known(world, ...receipts), [DELIVERED, unknown('gone')])
    }))

  test('a peer that we close leaves unknown what was not acknowledged', () =>
    cutPair(protocol, async ({ world, client, there }) => {
      const receipts = [there.send('say', 1), there.send('say', 2)]
      await world.quiet()
      client.closePeer(there)
      assert.deepEqual(await outcomes(receipts), Array(2).fill(unknown('closed')))
    }))

  test('is refused where nothing is ever acknowledged', async () => {
    await simulate(async (world) => {
      const server = await world.open({ protocol, bind: 'memory:a', wire: 'plain' })
      const client = await world.open({ protocol, wire: 'plain' })
      const peer = await client.connectTo(server.address!)
      const { accepted, outcome } = peer.send('say', 1)
      assert.equal(await accepted.catch(codeOf), 'OVER_PLAIN')
      assert.deepEqual(await outcome, not('unsendable'))
      assert.deepEqual(peer.stats().dropped, { unsendable: 1 })
    })
    await simulateUdp(async (world) => {
      const [here, there] = [
        await world.open({ bind: 'udp://127.0.0.1:4001' }),
        await world.open({ bind: 'udp://127.0.0.1:4002' }),
      ]
      const peer = await here.connectTo(there.address!)
      const { accepted, outcome } = peer.send(0, 'x')
      assert.equal(await accepted.catch(codeOf), 'OVER_PLAIN')
      assert.deepEqual(await outcome, not('unsendable'))
    })
  })

  test('handlers of a meta get peers that give receipts as well', () =>
    simulate(async (world) => {
      const said: Promise<Outcome>[] = []
      const meta = world.meta({
        protocol,
        handlers: { say: (n, { peer }) => void said.push(peer.send('say', n + 1).outcome) },
      })
      const server = meta.add(world.sock({ protocol, bind: 'memory:a' }))
      await meta.start()
      const client = await world.open({ protocol })
      const peer = await client.connectTo(server.address!)
      assert.deepEqual(await peer.send('say', 1).outcome, DELIVERED)
      assert.deepEqual(await Promise.all(said), [DELIVERED])
    }))
})

describe('a session that is lost', GUARD, () => {
  test('expired: what was written is unknown, what was not did not arrive; calls say the same', () =>
    cutPair(
      protocol,
      async ({ world, there, part }) => {
        const written = [there.send('say', 1), there.send('blob', new Uint8Array(300_000))]
        const asked = [there.request('double', 1), there.request('again', 1)]
        await part()
        const waits = there.send('say', 2)
        const unsent = there.request('again', 2)
        const codes = Promise.all([...asked, unsent].map((one) => one.catch(codeOf)))
        await world.sim.sleep(10_000)
        // Of the long one the first chunks were written: it cannot have arrived whole.
        assert.deepEqual(await known(world, ...written, waits), [unknown('lost'), not('gone'), not('gone')])
        assert.deepEqual(await codes, ['OUTCOME_UNKNOWN', 'ASK_AGAIN', 'NOT_SENT'])
      },
      { asking: { sessionTtl: 5000, callTimeout: 0 } },
    ))

  test('a message of which only the first chunks were written did not arrive', () =>
    knocking(async (world, door) => {
      const { server, peer, far: other } = await far(world, door, protocol, {}, { eventWindow: 100_000 })
      const receipt = peer.send('blob', new Uint8Array(300_000))
      await world.quiet()
      assert.equal(other.of('EVENT').length, 1)
      server.closePeer(peer)
      assert.deepEqual(await receipt.outcome, not('closed'))
    }))

  test('what the tombstone tells is known: delivered or not, never unknown', () =>
    cutPair(
      protocol,
      async ({ world, cuts, client, server, there, here }) => {
        const told: unknown[] = []
        client.on('sessionLost', (event) => told.push(event.reason, event.unknown, event.neverSent))
        const arrived = there.send('say', 1)
        await world.quiet()
        // Numbered, and cut off before it leaves.
        const left = there.send('say', 2)
        cuts.cut()
        await world.quiet()
        server.closePeer(here)
        assert.deepEqual(await outcomes([arrived, left]), [DELIVERED, not('gone')])
        assert.deepEqual(told, ['ended', 0, 1])
      },
      // Not back before the far side has closed.
      { asking: { backoff: { first: 1000, max: 1000, healthy: 1 } } },
    ))

  test('the far process is another one now: unknown, also what had arrived', () =>
    cutPair(protocol, async ({ world, cuts, server, there, client, part }) => {
      const told: unknown[] = []
      client.on('sessionLost', (event) => told.push(event.reason, event.unknown, event.neverSent))
      const arrived = there.send('say', 1)
      await world.quiet()
      await part()
      const waits = there.send('say', 2)
      await server.close()
      await world.open({ protocol, bind: 'memory:a' })
      cuts.refuse = false
      assert.deepEqual(await outcomes([arrived, waits]), [unknown('lost'), not('gone')])
      assert.deepEqual(told, ['unknown-session', 1, 1])
    }))

  test('a dialer that claims what was never sent proves nothing', () =>
    knocking(async (world, door) => {
      const { peer, far: other } = await far(world, door, protocol, {}, { features: SESSIONS })
      other.ack = 0
      const receipts = [peer.send('say', 1), peer.send('say', 2)]
      other.send(0x01, { lane: 1, type: 3 }, '1')
      await world.quiet()
      const { session } = decodeWelcome(payloadsIn(Buffer.concat(other.pipe.written))[0]!) as never
      other.pipe.break()
      await world.quiet()
      const { sessionId, token } = session as { sessionId: Uint8Array; token: Uint8Array }
      const next = new Far(door.knock())
      next.raw(
        helloOf(protocol, { features: SESSIONS, resume: { sessionId, token, connGen: 1, lastRecv: 99 } }),
      )
      assert.deepEqual(await known(world, ...receipts), [unknown('lost'), unknown('lost')])
    }))
})
