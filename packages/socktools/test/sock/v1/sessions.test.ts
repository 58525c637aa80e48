/** Sessions: what is underway when a connection breaks goes on over the next one. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import {
  call,
  channel,
  feed,
  msg,
  type Peer,
  type PipeSock,
  type RawCodec,
  type SockError,
  type SockOptions,
} from '../../../src/index.ts'
import { type Cuts, cuttable } from '../../support/cuts.ts'
import { signal } from '../../support/events.ts'
import { simulate, type World } from '../../support/world.ts'

const protocol = {
  say: msg(z.number()),
  text: msg(z.string()),
  double: call(z.number(), z.number()),
  count: feed(z.number(), z.number()),
  echo: channel(z.number(), z.number()),
}
type Options = SockOptions<RawCodec, typeof protocol>

interface Ends {
  readonly world: World
  readonly cuts: Cuts
  readonly server: PipeSock<RawCodec, typeof protocol>
  readonly client: PipeSock<RawCodec, typeof protocol>
  /** The server as the client sees it. */
  readonly there: Peer<RawCodec, typeof protocol>
  /** The client as the server sees it. */
  readonly here: Peer<RawCodec, typeof protocol>
  /** What happened to the client's peer, and to the server's. */
  readonly events: string[]
  readonly heard: string[]
}

const QUICK = { first: 1, max: 5, healthy: 1 }
const NAMES = ['detached', 'resumed', 'sessionLost', 'gone'] as const

function joined(
  scenario: (ends: Ends) => Promise<void>,
  serving: Options = {},
  asking: Options = {},
  seed = 1,
): Promise<void> {
  return simulate(
    async (world) => {
      const cuts = cuttable(world.transports[0]!)
      const server = await world.open({ protocol, bind: 'memory:a', ...serving })
      const client = world.sock({ protocol, ...asking }, world.platform, [cuts.transport])
      const events: string[] = []
      const heard: string[] = []
      for (const name of NAMES) client.on(name, () => events.push(name))
      for (const name of NAMES) server.on(name, () => heard.push(name))
      const there = await client.connectTo('memory:a')
      await world.quiet()
      const here = server.knownPeers[0]!
      await scenario({ world, cuts, server, client, there, here, events, heard })
    },
    { seed },
  )
}

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i)
const codeOf = (error: unknown): string => (error as SockError).code

describe('a session', () => {
  test('goes on over another connection: nothing is lost, nothing comes twice, all in order', () => {
    const got: number[] = []
    return joined(
      async ({ world, cuts, server, there, events, heard }) => {
        for (let n = 0; n < 100; n++) {
          await there.sendMsg('say', n)
          if (n % 10 === 5) cuts.cut()
          if (n % 10 === 7) await world.sim.sleep(500)
        }
        assert.equal(await there.request('double', 21), 42)
        assert.deepEqual(got, upTo(100))
        assert.equal(server.knownPeers.length, 1)
        assert.deepEqual(events, Array.from({ length: 10 }, () => ['detached', 'resumed']).flat())
        assert.deepEqual(heard, events)
        assert.equal(there.state, 'open')
      },
      { handlers: { say: (n) => void got.push(n), double: (n) => 2 * n } },
      { backoff: QUICK },
    )
  })

  test('the side that was dialed sends on, too', () => {
    const got: number[] = []
    return joined(
      async ({ world, cuts, here }) => {
        for (let n = 0; n < 50; n++) {
          await here.sendMsg('say', n)
          if (n % 7 === 3) cuts.cut()
          if (n % 7 === 5) await world.sim.sleep(500)
        }
        await world.sim.sleep(2000)
        assert.deepEqual(got, upTo(50))
      },
      {},
      { handlers: { say: (n) => void got.push(n) }, backoff: QUICK },
    )
  })

  test('while there is no connection it is detached, and sends wait', () =>
    joined(async ({ world, cuts, client, there }) => {
      cuts.refuse = true
      cuts.cut()
      await world.quiet()
      assert.equal(there.state, 'detached')
      assert.deepEqual(client.knownPeers, [there])
      assert.equal(await world.stateOf(there.sendMsg('say', 1)), 'resolved')
      const long = 'x'.repeat(600_000)
      await there.sendMsg('text', long)
      const waits = there.sendMsg('text', long)
      assert.equal(await world.stateOf(waits), 'waits')
      assert.ok(there.stats().queued > 1_200_000)
      cuts.refuse = false
      await waits
      assert.equal(there.state, 'open')
    }))

  test('a call that is underway gets its answer over the next connection; its handler ran once', () => {
    const gate = signal()
    let runs = 0
    return joined(
      async ({ world, cuts, there }) => {
        const asked = there.request('double', 4)
        await world.quiet()
        cuts.cut()
        await world.sim.sleep(300)
        gate.give()
        assert.equal(await asked, 8)
        assert.equal(runs, 1)
      },
      {
        handlers: {
          double: async (n) => {
            runs++
            await gate.promise
            return 2 * n
          },
        },
      },
    )
  })

  test('an answer that was written when the connection broke comes again, and counts once', () =>
    joined(
      async ({ world, cuts, there, client }) => {
        const asked = there.request('double', 4)
        // Before the client's side hears of it: the answer is on its way.
        await Promise.resolve()
        cuts.cut()
        assert.equal(await asked, 8)
        await world.sim.sleep(1000)
        assert.equal(client.stats().late, 0)
      },
      { handlers: { double: (n) => 2 * n } },
    ))

  test('feeds and channels go on where they were', () =>
    joined(
      async ({ world, cuts, there }) => {
        const got: number[] = []
        for await (const n of there.stream('count', 200)) {
          got.push(n)
          if (n % 20 === 10) cuts.cut()
        }
        assert.deepEqual(got, upTo(200))
        const channel = there.channel('echo')
        const back: number[] = []
        const reading = (async () => {
          for await (const n of channel) back.push(n)
        })()
        for (let n = 0; n < 60; n++) {
          await channel.send(n)
          if (n % 9 === 4) cuts.cut()
          if (n % 9 === 6) await world.sim.sleep(200)
        }
        await channel.end()
        await reading
        assert.deepEqual(back, upTo(60))
      },
      {
        handlers: {
          async *count(n) {
            for (let i = 0; i < n; i++) yield i
          },
          async echo(channel) {
            for await (const n of channel) await channel.send(n)
          },
        },
      },
    ))

  test('a message of many chunks that was cut in its middle arrives whole, once', () => {
    const got: string[] = []
    return joined(
      async ({ world, cuts, there }) => {
        const long = 'abcdefgh'.repeat(100_000)
        let left = 100_000
        cuts.plan(() => (left += 50_000))
        cuts.cut()
        await world.sim.sleep(500)
        await there.sendMsg('text', long)
        await there.sendMsg('text', 'end')
        await there.flushed()
        await world.sim.sleep(20_000)
        assert.deepEqual(
          got.map(({ length }) => length),
          [long.length, 3],
        )
        assert.ok(got[0] === long)
        assert.ok(cuts.dials > 3, `${cuts.dials} dials`)
      },
      { handlers: { text: (text) => void got.push(text) } },
    )
  })

  test('cut after exactly 1, 2, 3 … bytes: all arrives in order, once, both ways', () => {
    const up: number[] = []
    const down: number[] = []
    let bytes = 0
    return joined(
      async ({ world, cuts, there, here }) => {
        cuts.plan(() => ++bytes)
        cuts.cut()
        let n = 0
        for (; bytes < 1200 && n < 20_000; n++) {
          await there.sendMsg('say', n)
          await here.sendMsg('say', n)
          await world.sim.sleep(3)
        }
        assert.ok(bytes >= 1200, `${bytes} cuts in ${n} messages`)
        cuts.plan(() => Infinity)
        await world.sim.sleep(60_000)
        assert.deepEqual([up, down], [upTo(n), upTo(n)])
      },
      { handlers: { say: (n) => void up.push(n) } },
      { handlers: { say: (n) => void down.push(n) }, backoff: QUICK },
    )
  })
})

describe('the end of a session', () => {
  test('nobody comes back within sessionTtl: SESSION_LOST on both sides, and what is not known is told', () =>
    joined(
      async ({ world, cuts, client, server, there, events, heard }) => {
        const told: unknown[] = []
        client.on('sessionLost', ({ reason, unknown, neverSent }) => told.push(reason, unknown, neverSent))
        const gone = new Promise<unknown>((resolve) => client.on('gone', ({ error }) => resolve(error)))
        await there.sendMsg('say', 1)
        cuts.cut()
        cuts.refuse = true
        await world.quiet()
        const asked = there.request('double', 1).catch(codeOf)
        await there.sendMsg('say', 2)
        await there.sendMsg('say', 3)
        assert.equal(codeOf(await gone), 'SESSION_LOST')
        assert.equal(await asked, 'NOT_SENT')
        assert.deepEqual(told, ['expired', 1, 2])
        assert.deepEqual(events, ['detached', 'sessionLost', 'gone'])
        await world.sim.sleep(1000)
        assert.deepEqual(heard, events)
        assert.equal(server.knownPeers.length, 0)
      },
      { sessionTtl: 5000 },
      { sessionTtl: 5000, callTimeout: 0 },
    ))

  test('a GOODBYE ends it with the connection: nobody comes back', () =>
    joined(async ({ world, cuts, server, here, there, events, heard }) => {
      server.closePeer(here)
      await world.sim.sleep(5000)
      assert.equal(there.state, 'gone')
      assert.deepEqual([events, heard], [['gone'], ['gone']])
      assert.equal(cuts.dials, 1)
    }))

  test('one that was closed while it was detached: the far side comes back, is told, and ends', () =>
    joined(
      async ({ world, cuts, client, server, there, here, events }) => {
        const lost: unknown[] = []
        client.on('sessionLost', ({ reason, unknown }) => lost.push(reason, unknown))
        await there.sendMsg('say', 1)
        await world.quiet()
        // It has arrived, and no ack has left yet.
        cuts.cut()
        await world.quiet()
        assert.equal(here.state, 'detached')
        server.closePeer(here)
        await world.sim.sleep(5000)
        assert.deepEqual(events, ['detached', 'sessionLost', 'gone'])
        // The tombstone tells that it had arrived.
        assert.deepEqual(lost, ['ended', 0])
      },
      { handlers: { say: () => undefined } },
    ))

  test('one that is closed while it is detached is gone, and that is all', () =>
    joined(async ({ world, cuts, there, events }) => {
      cuts.refuse = true
      cuts.cut()
      await world.quiet()
      there.close()
      await world.sim.sleep(200_000)
      assert.deepEqual([there.state, events], ['gone', ['detached', 'gone']])
    }))

  test('one that drains while it is detached is ending; it comes back, says so, and is gone', () =>
    joined(
      async ({ world, cuts, there, here, events, heard }) => {
        cuts.refuse = true
        cuts.cut()
        await world.quiet()
        const drained = Promise.all([there.drain(), here.drain()])
        await world.quiet()
        assert.deepEqual([there.state, here.state], ['ending', 'ending'])
        cuts.refuse = false
        await drained
        assert.deepEqual(events, ['detached', 'resumed', 'gone'])
        assert.deepEqual(heard, events)
      },
      {},
      { backoff: QUICK },
    ))
})

describe('a feed or a channel that nobody has heard of yet', () => {
  /** Given up before its OPEN was written, by `how`. */
  for (const [how, code] of [
    ['a signal', 'ABORTED'],
    ['leaving', undefined],
    ['a drain', 'DRAINING'],
  ] as const)
    test(`is given up by ${how}: it is over, its place is free, and what is beside it goes on`, () => {
      const got: number[] = []
      return joined(
        async ({ world, cuts, client, server, there, here, events }) => {
          const errors: unknown[] = []
          for (const sock of [client, server]) sock.on('gone', ({ error }) => errors.push(error))
          cuts.refuse = true
          cuts.cut()
          await world.quiet()
          const aborter = new AbortController()
          const options = { signal: aborter.signal }
          const ch = there.channel('echo', options)
          const both = [ch, there.stream('count', 3, options)].map((one) => one[Symbol.asyncIterator]())
          const ends = both.map((one) =>
            one.next().then(({ done }) => (done === true ? undefined : 'more'), codeOf),
          )
          void ch.send(1)
          await there.sendMsg('say', 1)
          await world.quiet()
          if (how === 'a signal') aborter.abort()
          else if (how === 'leaving') for (const one of both) await one.return?.()
          const drained = how === 'a drain' ? there.drain() : undefined
          assert.deepEqual(await Promise.all(ends), [code, code])
          cuts.refuse = false
          if (how !== 'a drain') {
            await there.sendMsg('say', 2)
            // maxStreams is 2: both places are free.
            assert.deepEqual(await Promise.all([first(there, 7), first(there, 8)]), [7, 8])
          }
          await (drained ?? there.drain())
          assert.deepEqual(got, how === 'a drain' ? [1] : [1, 2])
          assert.deepEqual(events, ['detached', 'resumed', 'gone'])
          assert.deepEqual([here.state, errors], ['gone', [undefined, undefined]])
          assert.ok(world.sim.now() < 20_000, `${world.sim.now()}`)
        },
        {
          maxStreams: 2,
          handlers: {
            say: (n) => void got.push(n),
            async *count(n) {
              yield n
            },
            async echo(ch) {
              for await (const n of ch) await ch.send(n)
            },
          },
        },
        { backoff: QUICK },
      )
    })
})

async function first(peer: Ends['there'], n: number): Promise<number | undefined> {
  for await (const item of peer.stream('count', n)) return item
  return undefined
}
