/** The option `sessionLost`: what becomes of what a lost session leaves. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import {
  bytes,
  call,
  latest,
  msg,
  type Outcome,
  type PipeSock,
  type RawCodec,
  type Receipt,
  type SockError,
  type SockEvents,
} from '../../../src/index.ts'
import { noCrashes } from '../../support/crashes.ts'
import { GUARD } from '../../support/tcp.ts'
import type { World } from '../../support/world.ts'
import { type CutPair, cutPair } from './cut-pair.ts'

noCrashes()

const protocol = {
  say: msg(z.number()),
  done: msg(z.number(), { ack: 'processed' }),
  blob: msg(bytes()),
  place: msg(z.number(), { delivery: latest() }),
  urgent: msg(z.number(), { priority: 'high' }),
  double: call(z.number(), z.number()),
}
type Sock = PipeSock<RawCodec, typeof protocol>
type Lost = SockEvents<RawCodec, typeof protocol>['sessionLost']

const DELIVERED = { status: 'delivered' }
const not = (reason: string): object => ({ status: 'not-delivered', reason })
const unknown = (reason: string): object => ({ status: 'unknown', reason })
const codeOf = (error: unknown): string => (error as SockError).code

const outcomes = (receipts: readonly Receipt[]): Promise<Outcome[]> =>
  Promise.all(receipts.map(({ outcome }) => outcome))

/** What handlers got: the number, with `again` where they were told that it may have come before. */
class Heard {
  readonly all: string[] = []
  readonly handlers = {
    say: this.#note,
    done: this.#note,
    place: this.#note,
    urgent: this.#note,
    blob: (data: Uint8Array, context: { readonly redelivered: boolean }) => this.#note(data.length, context),
  }

  get #note() {
    return (n: number, { redelivered }: { readonly redelivered: boolean }): void => {
      this.all.push(redelivered ? `${n} again` : `${n}`)
    }
  }
}

function lostOf(sock: Sock): Omit<Lost, 'peer'>[] {
  const all: Omit<Lost, 'peer'>[] = []
  sock.on('sessionLost', ({ peer: _, ...facts }) => void all.push(facts))
  return all
}

function droppedOf(sock: Sock): Record<string, number> {
  const all: Record<string, number> = {}
  sock.on('dropped', ({ reason, messages }) => void (all[reason] = (all[reason] ?? 0) + messages))
  return all
}

const RESEND = { sessionLost: 'resend' } as const
const SHORT = { ...RESEND, sessionTtl: 5000 } as const

/** What is sent arrives, and no acknowledgement comes back: `there` believes that it may have been lost. */
async function unheard({ world, cuts }: CutPair<typeof protocol>, send: () => void): Promise<void> {
  for (const pipe of cuts.pipes) pipe.deaf = true
  send()
  await world.quiet()
}

/**
 * Beside another session with the same node the connection of `there` breaks for good, with one message that has come, unheard, and one
 * that has not left. `hears`: acknowledgements come over the other one.
 */
async function lostBeside(
  pair: CutPair<typeof protocol>,
  hears: boolean,
): Promise<{ other: CutPair<typeof protocol>['there']; sent: Receipt[] }> {
  const { world, cuts, client, there } = pair
  const [first] = cuts.pipes
  const other = await client.connectTo('memory:a')
  const sent: Receipt[] = []
  await unheard(pair, () => sent.push(there.send('say', 1)))
  if (hears) for (const pipe of cuts.pipes) pipe.deaf = false
  cuts.refuse = true
  first?.cut()
  await world.quiet()
  sent.push(there.send('say', 2))
  return { other, sent }
}

/** Another process of the server, at the same address. */
async function restarted(world: World, server: Sock, heard: Heard): Promise<Sock> {
  await server.close()
  return world.open({ protocol, bind: 'memory:a', handlers: heard.handlers })
}

describe('resend', GUARD, () => {
  test('to a far side that has forgotten: in order, and said of those that may have come before', () => {
    const [before, after] = [new Heard(), new Heard()]
    return cutPair(
      protocol,
      async (pair) => {
        const { world, cuts, server, client, there } = pair
        const lost = lostOf(client)
        const sent: Receipt[] = []
        await unheard(pair, () => sent.push(there.send('say', 1), there.send('say', 2)))
        assert.deepEqual(before.all, ['1', '2'])
        await pair.part()
        sent.push(there.send('say', 3), there.send('urgent', 4))
        await there.sendMsg('say', 5)
        await restarted(world, server, after)
        cuts.refuse = false
        await world.sim.sleep(1000)
        assert.deepEqual(lost, [
          { reason: 'unknown-session', deliveredThrough: 0, unknown: 2, neverSent: 3, resent: 5 },
        ])
        assert.equal(there.state, 'gone')
        const next = await client.connectTo('memory:a')
        next.sendMsg('say', 6).catch(() => undefined)
        assert.deepEqual(await outcomes(sent), Array(4).fill(DELIVERED))
        await world.quiet()
        assert.deepEqual(
          after.all.filter((one) => one !== '4'),
          ['1 again', '2 again', '3', '5', '6'],
        )
        assert.ok(after.all.includes('4'))
        assert.deepEqual(client.stats().dropped, {})
        assert.deepEqual([there.stats().messagesOut, next.stats().messagesOut], [5, 6])
      },
      { asking: RESEND, serving: { handlers: before.handlers } },
    )
  })

  test('to one that remembers: what had come is dropped there, and delivered', () => {
    const heard = new Heard()
    return cutPair(
      protocol,
      async (pair) => {
        const { world, cuts, server, client, there } = pair
        const sent: Receipt[] = []
        await unheard(pair, () => sent.push(there.send('say', 1)))
        await pair.part()
        sent.push(there.send('say', 2))
        // It expires here, and there.
        await world.sim.sleep(6000)
        assert.equal(there.state, 'gone')
        cuts.refuse = false
        await client.connectTo('memory:a')
        assert.deepEqual(await outcomes(sent), Array(2).fill(DELIVERED))
        assert.deepEqual(heard.all, ['1', '2'])
        assert.equal(server.stats().repeated, 1)
      },
      { asking: SHORT, serving: { handlers: heard.handlers, sessionTtl: 5000 } },
    )
  })

  test('while the far side still believes in the session that is lost here: that is over first', () => {
    const heard = new Heard()
    return cutPair(
      protocol,
      async (pair) => {
        const { world, cuts, server, client, there, here } = pair
        const sent: Receipt[] = []
        await unheard(pair, () => sent.push(there.send('say', 1)))
        await pair.part()
        await world.sim.sleep(6000)
        assert.deepEqual([there.state, here.state], ['gone', 'detached'])
        const lost = lostOf(server)
        cuts.refuse = false
        await client.connectTo('memory:a')
        assert.deepEqual(await outcomes(sent), [DELIVERED])
        assert.deepEqual(heard.all, ['1'])
        assert.equal(here.state, 'gone')
        assert.deepEqual(
          lost.map(({ reason }) => reason),
          ['ended'],
        )
      },
      { asking: SHORT, serving: { handlers: heard.handlers } },
    )
  })

  test('from the side that was dialed: over the session that the same node begins', () => {
    const heard = new Heard()
    return cutPair(
      protocol,
      async (pair) => {
        const { world, cuts, client, here, there } = pair
        const sent: Receipt[] = []
        await unheard(pair, () => sent.push(here.send('say', 1)))
        await pair.part()
        sent.push(here.send('say', 2))
        await world.sim.sleep(6000)
        assert.deepEqual([there.state, here.state], ['gone', 'gone'])
        cuts.refuse = false
        await client.connectTo('memory:a')
        assert.deepEqual(await outcomes(sent), Array(2).fill(DELIVERED))
        // Nothing of the first had come: what it remembers says so.
        assert.deepEqual(heard.all, ['1', '2'])
      },
      {
        asking: { handlers: heard.handlers, sessionTtl: 5000 },
        serving: SHORT,
      },
    )
  })

  test('over several sessions that are lost, one after another', () => {
    const heard = new Heard()
    return cutPair(
      protocol,
      async (pair) => {
        const { world, cuts, client, there } = pair
        const lost = lostOf(client)
        const sent: Receipt[] = []
        await unheard(pair, () => sent.push(there.send('say', 1)))
        for (let i = 0; i < 4; i++) {
          await pair.part()
          await world.sim.sleep(6000)
          cuts.refuse = false
          const next = await client.connectTo('memory:a')
          for (const pipe of cuts.pipes) pipe.deaf = i < 3
          sent.push(next.send('say', i + 2))
          await world.quiet()
        }
        assert.deepEqual(await outcomes(sent), Array(5).fill(DELIVERED))
        assert.deepEqual(heard.all, ['1', '2', '3', '4', '5'])
        assert.deepEqual(
          lost.map(({ resent }) => resent),
          [1, 2, 3, 4],
        )
      },
      { asking: SHORT, serving: { handlers: heard.handlers, sessionTtl: 5000 } },
    )
  })

  test('in vain: no session follows, and what is true by then is told', () =>
    cutPair(
      protocol,
      async (pair) => {
        const { world, client, there } = pair
        const dropped = droppedOf(client)
        const sent: Receipt[] = []
        await unheard(pair, () => sent.push(there.send('say', 1)))
        await pair.part()
        sent.push(there.send('say', 2))
        await world.sim.sleep(9000)
        assert.equal(there.state, 'gone')
        assert.deepEqual(dropped, {})
        await world.sim.sleep(3000)
        assert.deepEqual(await outcomes(sent), [unknown('lost'), not('gone')])
        assert.deepEqual(dropped, { lost: 1, gone: 1 })
        assert.deepEqual(client.stats().dropped, { lost: 1, gone: 1 })
      },
      { asking: SHORT },
    ))

  for (const how of ['close', 'drain'] as const)
    test(`in vain: ${how} says what is true by then`, () =>
      cutPair(
        protocol,
        async (pair) => {
          const { world, client, there } = pair
          const dropped = droppedOf(client)
          const sent: Receipt[] = []
          await unheard(pair, () => sent.push(there.send('say', 1)))
          await pair.part()
          sent.push(there.send('say', 2))
          await world.sim.sleep(6000)
          await client[how]()
          assert.deepEqual(await outcomes(sent), [unknown('closed'), not('closed')])
          assert.deepEqual(dropped, { lost: 1, closed: 1 })
        },
        { asking: SHORT },
      ))

  test('more than maxRetained does not wait for a session', () =>
    cutPair(
      protocol,
      async (pair) => {
        const { world, client, there } = pair
        const lost = lostOf(client)
        await pair.part()
        const sent = [1, 2, 3].map(() => there.send('blob', new Uint8Array(40_000)))
        await world.sim.sleep(6000)
        assert.equal(lost[0]?.resent, 2)
        assert.deepEqual(await sent[2]!.outcome, not('gone'))
        assert.deepEqual(client.stats().dropped, { gone: 1 })
      },
      { asking: { ...SHORT, maxRetained: 100_000 } },
    ))

  test('is of events alone, and of those that are reliable', () =>
    cutPair(
      protocol,
      async (pair) => {
        const { world, client, there } = pair
        const lost = lostOf(client)
        let asked: Promise<unknown> | undefined
        await unheard(pair, () => {
          asked = there.request('double', 1).catch(codeOf)
        })
        await pair.part()
        const place = there.send('place', 1)
        await there.sendMsg('say', 1)
        await world.sim.sleep(6000)
        assert.equal(await asked, 'OUTCOME_UNKNOWN')
        assert.deepEqual(await place.outcome, not('gone'))
        assert.deepEqual(lost, [
          { reason: 'expired', deliveredThrough: 0, unknown: 1, neverSent: 2, resent: 1 },
        ])
      },
      { asking: { ...SHORT, callTimeout: 0 } },
    ))

  test('what wants to be told as done: not known of what had come before, else as ever', () => {
    const heard = new Heard()
    return cutPair(
      protocol,
      async (pair) => {
        const { world, cuts, client, there } = pair
        const sent: Receipt[] = []
        await unheard(pair, () => sent.push(there.send('done', 1)))
        await pair.part()
        sent.push(there.send('done', 2))
        await world.sim.sleep(6000)
        cuts.refuse = false
        await client.connectTo('memory:a')
        assert.deepEqual(await outcomes(sent), [unknown('lost'), DELIVERED])
        assert.deepEqual(heard.all, ['1', '2'])
      },
      { asking: SHORT, serving: { handlers: heard.handlers, sessionTtl: 5000 } },
    )
  })

  test('who waits for room is let go, and its message goes on', () => {
    const heard = new Heard()
    return cutPair(
      protocol,
      async (pair) => {
        const { world, cuts, client, there } = pair
        await pair.part()
        const waits = there.sendMsg('blob', new Uint8Array(100_000))
        assert.equal(await world.stateOf(waits), 'waits')
        await world.sim.sleep(6000)
        await waits
        cuts.refuse = false
        await client.connectTo('memory:a')
        await world.quiet()
        assert.deepEqual(heard.all, ['100000'])
      },
      { asking: { ...SHORT, highWaterMark: 50_000 }, serving: { handlers: heard.handlers } },
    )
  })

  test('goes over another session with the same node at once, if there is one', () => {
    const heard = new Heard()
    return cutPair(
      protocol,
      async (pair) => {
        const { world, there } = pair
        const { other, sent } = await lostBeside(pair, true)
        await world.sim.sleep(6000)
        assert.deepEqual([there.state, other.state], ['gone', 'open'])
        assert.deepEqual(await outcomes(sent), Array(2).fill(DELIVERED))
        assert.deepEqual(heard.all, ['1', '2'])
      },
      { asking: SHORT, serving: { handlers: heard.handlers } },
    )
  })

  test('waits for another session with the same node, and that ends first: what may have come before is unknown', () => {
    const heard = new Heard()
    return cutPair(
      protocol,
      async (pair) => {
        const { world, cuts, client, there } = pair
        const { other, sent } = await lostBeside(pair, false)
        await world.sim.sleep(4000)
        cuts.cut()
        await world.sim.sleep(2000)
        assert.deepEqual([there.state, other.state], ['gone', 'detached'])
        await client.close()
        assert.deepEqual(await outcomes(sent), [unknown('closed'), not('closed')])
        assert.deepEqual(heard.all, ['1'])
      },
      { asking: SHORT, serving: { handlers: heard.handlers } },
    )
  })
})

describe('drop', GUARD, () => {
  test('counts what may have arrived, and what surely has not', () =>
    cutPair(
      protocol,
      async (pair) => {
        const { world, client, there } = pair
        const [dropped, lost] = [droppedOf(client), lostOf(client)]
        const sent: Receipt[] = []
        await unheard(pair, () => {
          sent.push(there.send('say', 1))
          void there.sendMsg('say', 2)
        })
        await pair.part()
        sent.push(there.send('say', 3))
        const waits = there.sendMsg('blob', new Uint8Array(100_000))
        await world.sim.sleep(6000)
        assert.deepEqual(await outcomes(sent), [unknown('lost'), not('gone')])
        await waits
        assert.deepEqual(dropped, { lost: 2, gone: 2 })
        assert.deepEqual(there.stats().dropped, { lost: 2, gone: 2 })
        assert.deepEqual(lost, [
          { reason: 'expired', deliveredThrough: 0, unknown: 2, neverSent: 2, resent: 0 },
        ])
      },
      { asking: { sessionLost: 'drop', sessionTtl: 5000, highWaterMark: 50_000 } },
    ))
})

describe('fail, as by default', GUARD, () => {
  test('gives up the same, and who waits for room is told', () =>
    cutPair(
      protocol,
      async (pair) => {
        const { world, client, there } = pair
        const [dropped, lost] = [droppedOf(client), lostOf(client)]
        await unheard(pair, () => void there.sendMsg('say', 1))
        await pair.part()
        const waits = there.sendMsg('blob', new Uint8Array(100_000)).catch(codeOf)
        await world.sim.sleep(6000)
        assert.equal(await waits, 'PEER_GONE')
        assert.deepEqual(dropped, { gone: 1 })
        assert.deepEqual(lost, [
          { reason: 'expired', deliveredThrough: 0, unknown: 1, neverSent: 1, resent: 0 },
        ])
      },
      { asking: { sessionTtl: 5000, highWaterMark: 50_000 } },
    ))
})
