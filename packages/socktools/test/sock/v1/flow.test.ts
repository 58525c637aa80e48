/** What is large does not delay what is small, and two that flood each other do not stand still. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { bytes, call, feed, msg, nothing } from '../../../src/index.ts'
import * as kinds from '../../../src/wire/v1/frame.ts'
import { noCrashes } from '../../support/crashes.ts'
import { knocking } from '../../support/knock.ts'
import { frame, GUARD } from '../../support/tcp.ts'
import { simulate } from '../../support/world.ts'
import { type Far, far } from './far.ts'
import { pair } from './pair.ts'

noCrashes()

const MB = 1024 * 1024
const protocol = {
  ping: call(z.number(), z.number()),
  blob: call(z.number(), bytes()),
  large: msg(bytes()),
  chunks: feed(nothing(), bytes()),
}
const handlers = {
  ping: (n: number) => n,
  blob: (n: number) => new Uint8Array(n),
  async *chunks() {
    for (let i = 0; i < 200; i++) yield new Uint8Array(60_000)
  },
}
/** A way of 5 ms. */
const options = { weather: () => ({ latency: () => 5 }) }

describe('no head-of-line blocking', GUARD, () => {
  const loads: [
    what: string,
    begin: (one: Awaited<ReturnType<typeof pair<typeof protocol>>>) => Promise<unknown>,
  ][] = [
    [
      'events of 16 MB ours',
      ({ there }) => Promise.all([1, 2, 3].map(() => there.sendMsg('large', new Uint8Array(4 * MB)))),
    ],
    [
      'events of 16 MB theirs',
      ({ here }) => Promise.all([1, 2, 3].map(() => here.sendMsg('large', new Uint8Array(4 * MB)))),
    ],
    ['replies of 12 MB', ({ there }) => Promise.all([1, 2].map(() => there.request('blob', 12 * MB)))],
    [
      'a feed of 12 MB',
      async ({ there }) => {
        for await (const { length } of there.stream('chunks')) assert.equal(length, 60_000)
      },
    ],
  ]
  for (const [what, begin] of loads) {
    test(`calls beside ${what} take as long as alone, or little more`, () =>
      simulate(async (world) => {
        const both = await pair(world, protocol, { handlers }, { handlers: { large: () => undefined } })
        const { there } = both
        const once = async (): Promise<number> => {
          const began = world.sim.now()
          await there.request('ping', 1)
          return world.sim.now() - began
        }
        const alone = await once()
        const state = { over: false }
        const isOver = (): boolean => state.over
        const load = begin(both).then(() => (state.over = true))
        let [beside, worst] = [0, 0]
        while (!isOver() && beside < 200) {
          worst = Math.max(worst, await once())
          if (!isOver()) beside++
        }
        await load
        // The memory network is as wide as one likes: bulk is bounded by round trips, and calls are not.
        assert.ok(beside >= 3, `${beside} calls were answered meanwhile`)
        assert.ok(worst <= 2.1 * alone, `${worst} ms, and ${alone} alone`)
      }, options))
  }

  test('a large message waits for a handler: calls and events of another priority go by', () =>
    simulate(async (world) => {
      const types = {
        ping: protocol.ping,
        large: protocol.large,
        urgent: msg(z.number(), { priority: 'high' }),
      }
      const seen: number[] = []
      const { there } = await pair(world, types, {
        handlers: { ping: (n) => n, large: () => new Promise(() => undefined), urgent: (n) => seen.push(n) },
      })
      const sends = [1, 2, 3].map(() => there.sendMsg('large', new Uint8Array(4 * MB)))
      for (const one of sends) one.catch(() => undefined)
      for (let n = 0; n < 5; n++) {
        assert.equal(await there.request('ping', n), n)
        void there.sendMsg('urgent', n)
      }
      await world.quiet()
      assert.deepEqual(seen, [0, 1, 2, 3, 4])
    }))
})

describe('two that flood each other', GUARD, () => {
  const floods = {
    flood: msg(z.object({ n: z.number(), pad: z.string() })),
    answer: msg(z.object({ n: z.number(), pad: z.string() })),
    ask: call(z.number(), z.number()),
  }

  test('with messages whose handlers each await a call to the sender: none hangs', () =>
    simulate(async (world) => {
      const N = 500
      const handled = [0, 0]
      const serving = (side: number) => ({
        handlers: {
          ask: async (n: number) => n + 1,
          flood: async (
            { n }: { n: number },
            { peer }: { peer: { request(t: 'ask', n: number): Promise<number> } },
          ) => {
            assert.equal(await peer.request('ask', n), n + 1)
            handled[side]!++
          },
        },
      })
      const { there, here } = await pair(world, floods, serving(0), serving(1))
      const pad = 'x'.repeat(5_000)
      const flood = async (peer: typeof there): Promise<void> => {
        for (let n = 0; n < N; n++) await peer.sendMsg('flood', { n, pad })
      }
      await Promise.all([flood(there), flood(here)])
      while (handled.some((n) => n < N)) await world.sim.sleep(10)
      assert.ok(world.sim.now() < 60_000, `${world.sim.now()} ms`)
    }))

  for (const concurrency of [1, 4]) {
    test(`with messages whose handlers (${concurrency} at once) each await a send to the sender, by more than all windows and marks: none stands still`, () =>
      simulate(async (world) => {
        const N = 2_000
        const answers = [0, 0]
        const serving = (side: number) => ({
          concurrency,
          readMark: 65_536,
          highWaterMark: 65_536,
          handlers: {
            flood: (
              data: { n: number; pad: string },
              { peer }: { peer: { sendMsg(t: 'answer', d: unknown): Promise<void> } },
            ) => peer.sendMsg('answer', data),
            answer: () => {
              answers[side]!++
            },
          },
        })
        const { there, here } = await pair(world, floods, serving(0), serving(1))
        const pad = 'x'.repeat(2_000)
        const flood = async (peer: typeof there): Promise<void> => {
          for (let n = 0; n < N; n++) await peer.sendMsg('flood', { n, pad })
        }
        const all = Promise.all([flood(there), flood(here)])
        all.catch(() => undefined)
        for (let ms = 0; answers.some((n) => n < N); ms += 10) {
          assert.ok(ms < 20_000, `they stand still at ${answers.join()} of ${N}`)
          await world.sim.sleep(10)
        }
        await all
      }))
  }
})

describe('an ack that is due', GUARD, () => {
  const asks = { ask: call(z.number(), z.number()) }
  const MANY = 64

  test('leaves with what the application sends in that turn, and by itself if it sends nothing', () =>
    knocking(async (world, door) => {
      const { far: dialer, peer } = await far(world, door, asks)
      const twice = Promise.all(
        Array.from({ length: MANY }, async (_, n) => {
          await peer.request('ask', n)
          await peer.request('ask', n)
        }),
      )
      await world.quiet()
      answerAll(dialer, 0)
      await world.quiet()
      const again = dialer.of('REQUEST').slice(MANY)
      assert.equal(again.length, MANY)
      assert.deepEqual(new Set(again.map(({ ack }) => ack)), new Set([MANY]))
      assert.deepEqual(dialer.of('ACK'), [])

      answerAll(dialer, MANY)
      await twice
      await world.quiet()
      assert.deepEqual(
        dialer.of('ACK').map(({ ack }) => ack),
        [2 * MANY],
      )
    }))

  /** Answers all requests from this one on, in one chunk. */
  function answerAll(dialer: Far, from: number): void {
    const frames = dialer
      .of('REQUEST')
      .slice(from)
      .map(({ lane, seq }) => {
        const payload = Buffer.alloc(kinds.HEADER + 1, '7')
        kinds.writeHeader(payload, 0, kinds.REPLY, 0, 0, lane, dialer.seq++, seq)
        return frame(payload)
      })
    dialer.pipe.say(Buffer.concat(frames))
  }
})

describe('bulk in flight', GUARD, () => {
  test('is soon no more than at first again, when each round trip takes much longer than the first', () =>
    knocking(async (world, door) => {
      const feeds = { chunks: feed(nothing(), bytes()) }
      const endless = {
        async *chunks() {
          for (;;) yield new Uint8Array(60_000)
        },
      }
      const wide = { laneWindow: 64 * MB }
      const { far: dialer, server } = await far(world, door, feeds, { handlers: endless }, wide)
      dialer.send(kinds.OPEN, { lane: 5 })
      await world.quiet()
      let acked = 0
      for (let round = 0; round < 12; round++) {
        await world.sim.sleep(round < 2 ? 1 : 50)
        const items = dialer.of('ITEM').filter(({ seq }) => seq > acked)
        const inFlight = items.reduce((sum, { body }) => sum + kinds.HEADER + body.length, 0)
        assert.ok(items.length > 0)
        if (round >= 6) assert.ok(inFlight <= 256 * 1024, `round ${round}: ${inFlight} bytes`)
        acked = dialer.received
        dialer.send(kinds.ACK, { ack: acked })
        await world.quiet()
      }
      await server.close()
    }))
})
