/** Decision 10: two endings, drain and close, and those that the far side chooses. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Framing, lines, type Lost, type SockStats } from '../../src/index.ts'
import { Child } from '../support/child.ts'
import { noCrashes } from '../support/crashes.ts'
import { all, Arrivals, next, signal, turn } from '../support/events.ts'
import { knocking } from '../support/knock.ts'
import { ANY, at, frame, GUARD, open, Plain } from '../support/tcp.ts'
import { simulate } from '../support/world.ts'

noCrashes()

const NOTHING: Lost = { unsent: 0, unhandled: 0 }

describe('the far side has finished sending', GUARD, () => {
  const speakers: [string, string, string, Framing | undefined][] = [
    ['printf "hi\\n" | nc', 'hi\n', 'hi!\n', lines()],
    ['printf hi | nc', 'hi', 'hi!\n', lines()],
    ['printf "a\\nb\\nc" | nc', 'a\nb\nc', 'a!\nb!\nc!\n', lines()],
    ['frames and FIN', frame('hi').toString(), frame('hi!').toString(), undefined],
  ]
  for (const [what, said, answer, framing] of speakers) {
    for (const slow of [false, true]) {
      test(`${what} gets its answer from ${slow ? 'an async' : 'a sync'} handler, and then the end`, async (t) => {
        const server = await open(t, {
          bind: ANY,
          ...(framing === undefined ? {} : { framing }),
          handlers: {
            0: async (data, { peer }) => {
              if (slow) await turn()
              void peer.sendMsg(0, `${Buffer.from(data).toString()}!`)
            },
          },
        })
        const gone = next(server, 'gone')
        const client = await Plain.dial(t, at(server))
        client.socket.end(said)
        assert.equal((await client.everything).toString(), answer)
        const { error, lost } = await gone
        assert.deepEqual([error, lost], [undefined, NOTHING])
        assert.equal(await client.closed, undefined)
      })
    }
  }

  test('inside a frame: TRUNCATED, but the frames before it are handled and answered', async (t) => {
    const server = await open(t, { bind: ANY, handlers: { 0: (data, { peer }) => peer.sendMsg(0, data) } })
    const gone = next(server, 'gone')
    const client = await Plain.dial(t, at(server))
    client.socket.end(Buffer.concat([frame('one'), frame('two'), frame('three').subarray(0, 7)]))
    assert.deepEqual(await client.everything, Buffer.concat([frame('one'), frame('two')]))
    const { error } = await gone
    assert.equal(error?.code, 'TRUNCATED')
    assert.match(error.message, /after 7 bytes of a frame/)
    assert.deepEqual(server.stats().failed, { TRUNCATED: 1 })
  })

  test('inside a line, where a command must be whole: TRUNCATED', async (t) => {
    const got = new Arrivals()
    const server = await open(t, {
      bind: ANY,
      framing: lines({ unterminated: false }),
      handlers: { 0: got.push },
    })
    const gone = next(server, 'gone')
    const client = await Plain.dial(t, at(server))
    client.socket.end('help\nrm -rf /tm')
    assert.equal((await gone).error?.code, 'TRUNCATED')
    assert.deepEqual(got.list, ['help'])
  })

  test('while its messages wait for a slow handler: all of them are handled and answered first', () =>
    simulate(async (world) => {
      const answers = new Arrivals()
      const server = await world.open({
        bind: 'memory:a',
        readMark: 0,
        handlers: {
          0: async (data, { peer }) => {
            await world.sim.sleep(1_000)
            await peer.sendMsg(0, data)
          },
        },
      })
      const client = await world.open({ handlers: { 0: answers.push } })
      const peer = await client.connectTo('memory:a')
      const gone = next(server, 'gone')
      for (const one of ['1', '2', '3', '4']) await peer.sendMsg(0, one)
      await peer.drain({ timeout: 60_000 })
      assert.deepEqual(answers.list, ['1', '2', '3', '4'])
      assert.deepEqual([(await gone).error, (await gone).lost], [undefined, NOTHING])
    }))
})

describe('the connection breaks', GUARD, () => {
  test('by a reset: PIPE_FAILED, with the system’s own error as its cause', async (t) => {
    const server = await open(t, { bind: ANY })
    const [peer, gone] = [next(server, 'peer'), next(server, 'gone')]
    const client = await Plain.dial(t, at(server))
    await peer
    client.socket.resetAndDestroy()
    const { error } = await gone
    assert.equal(error?.code, 'PIPE_FAILED')
    assert.equal((error.cause as NodeJS.ErrnoException).code, 'ECONNRESET')
  })

  test('what had arrived is handled first; only then is the peer gone, and its answers are counted as lost', () =>
    knocking(async (world, door) => {
      const got = new Arrivals()
      const server = await world.open({
        bind: 'knock:any',
        handlers: {
          0: async (data, { peer }) => {
            await world.sim.sleep(100)
            got.push(data)
            void peer.sendMsg(0, 'answer')
          },
        },
      })
      const gone = all(server, 'gone')
      const pipe = door.knock()
      await world.quiet()
      const [peer] = server.knownPeers
      pipe.say(Buffer.concat([frame('1'), frame('2'), frame('3')]))
      pipe.break(new Error('reset'))
      await world.quiet()
      assert.deepEqual([peer?.state, gone, server.knownPeers], ['gone', [], []])
      await world.sim.sleep(250)
      assert.deepEqual([got.list, gone.length], [['1', '2'], 0])
      await world.sim.sleep(100)
      assert.deepEqual(got.list, ['1', '2', '3'])
      assert.deepEqual(
        gone.map(({ error, lost }) => [error?.code, lost]),
        [['PIPE_FAILED', NOTHING]],
      )
      assert.deepEqual(server.stats().dropped, { gone: 3 })
    }))
})

describe('close', GUARD, () => {
  test('reports what it lost: sent and not taken by the system, received and not handled', () =>
    knocking(async (world, door) => {
      const handling = signal()
      const server = await world.open({ bind: 'knock:any', handlers: { 0: () => handling.promise } })
      const pipe = door.knock()
      await world.quiet()
      pipe.stuck = true
      void server.sendMsg(0, 'held by the pipe')
      await world.quiet()
      void server.sendMsg(0, 'in the queue')
      pipe.say(Buffer.concat([frame('handled'), frame('waits'), frame('waits')]))
      const [gone] = [next(server, 'gone')]
      assert.deepEqual(await server.close(), { unsent: 2, unhandled: 2 })
      assert.deepEqual((await gone).lost, { unsent: 2, unhandled: 2 })
      handling.give()
    }))

  test('in the middle of a chunk, from a handler: the rest of it is not handled', () =>
    simulate(async (world) => {
      const got = new Arrivals()
      const server = await world.open({
        bind: 'memory:a',
        handlers: {
          0: (data, { peer }) => {
            got.push(data)
            if (got.list.length === 2) peer.close()
          },
        },
      })
      const client = await world.open({ connect: 'memory:a' })
      const gone = next(client, 'gone')
      for (let i = 0; i < 5; i++) void client.sendMsg(0, String(i))
      await gone
      await client.close()
      assert.deepEqual([got.list, server.stats().messagesIn], [['0', '1'], 2])
    }))

  test('everything that ends something may be called again', () =>
    simulate(async (world) => {
      const server = await world.open({ bind: 'memory:a' })
      const client = await world.open()
      const gone = [all(server, 'gone'), all(client, 'gone')]
      const peer = await client.connectTo('memory:a')
      for (let i = 0; i < 3; i++) {
        assert.deepEqual(peer.close(), NOTHING)
        assert.deepEqual(client.closePeer(peer), NOTHING)
        await peer.drain()
        await world.quiet()
      }
      for (let i = 0; i < 3; i++) {
        await client.drain()
        assert.deepEqual(await client.close(), NOTHING)
        await client[Symbol.asyncDispose]()
      }
      assert.deepEqual(
        gone.map((list) => list.length),
        [1, 1],
      )
    }))
})

describe('the process', GUARD, () => {
  for (const how of ['drain', 'close', 'forget']) {
    test(`after ${how === 'forget' ? 'forgotten awaits of failed sends' : `${how}()`} it exits by itself: no timer and no socket is left`, async (t) => {
      const child = Child.start(t, 'ends', how)
      const [stats, left] = await child.hear<[SockStats, string[]]>()
      assert.deepEqual(left, [])
      assert.equal(stats.peers, 0)
      assert.deepEqual(await child.exit, { code: 0, signal: null })
      assert.equal(child.errors, '')
      if (how !== 'forget') return
      const { unsendable, gone = 0 } = stats.dropped
      assert.ok(unsendable === 3 && gone > 0, JSON.stringify(stats.dropped))
    })
  }
})
