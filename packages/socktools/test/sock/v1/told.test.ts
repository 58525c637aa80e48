/**
 * What the far side is told of an error: the code of what this side itself decided about what was asked, and nothing of
 * what a handler threw, whatever that came by.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { call, channel, type ErrorCode, feed, type RemoteError, SockError } from '../../../src/index.ts'
import * as kinds from '../../../src/wire/v1/frame.ts'
import { noCrashes } from '../../support/crashes.ts'
import { all } from '../../support/events.ts'
import { knocking } from '../../support/knock.ts'
import { GUARD } from '../../support/tcp.ts'
import { simulate } from '../../support/world.ts'
import { far } from './far.ts'
import { pair } from './pair.ts'

noCrashes()

const protocol = {
  ask: call(z.number(), z.number()),
  count: feed(z.number(), z.number()),
  echo: channel(z.string(), z.string()),
  text: call(z.number(), z.string(), { maxSize: 100 }),
}

const told = async (asked: Promise<unknown>): Promise<{ code: string; text: string }> => {
  try {
    await asked
  } catch (error) {
    return (error as RemoteError).remote
  }
  throw new Error('it went well')
}

async function read<T>(items: AsyncIterable<T>): Promise<T[]> {
  const got: T[] = []
  for await (const item of items) got.push(item)
  return got
}

/** What a handler may have been told by another peer, or by a sock of its own. */
const codes: readonly ErrorCode[] = [
  'BAD_MESSAGE',
  'CALL_TIMEOUT',
  'CANCELLED',
  'CANNOT_ENCODE',
  'DRAINING',
  'REFUSED',
  'TOO_LARGE',
  'UNHANDLED',
  'UNKNOWN_TYPE',
]

describe('an error that a handler passes on is a handler that failed', GUARD, () => {
  for (const code of codes) {
    test(code, () =>
      simulate(async (world) => {
        const thrown = new SockError(code, 'the password is hunter2')
        const { there, server } = await pair(world, protocol, {
          handlers: {
            ask: (n) => {
              if (n === 0) throw thrown
              return Promise.reject(thrown)
            },
            // The error of a stream that has begun, and of one that has not.
            count: async function* (n) {
              if (n === 0) yield 1
              throw thrown
            },
            echo: () => Promise.reject(thrown),
          },
        })
        const faults = all(server, 'fault')
        const unhandled = all(server, 'unhandled')
        const hidden = { code: 'HANDLER_FAILED', text: 'the handler failed' }
        for (const n of [0, 1]) {
          assert.deepEqual(await told(there.request('ask', n)), hidden)
          assert.deepEqual(await told(read(there.stream('count', n))), hidden)
        }
        assert.deepEqual(await told(read(there.channel('echo'))), hidden)
        assert.deepEqual([faults.length, unhandled.length], [5, 0])
      }),
    )
  }

  test('also where it is that of a send on another channel', () =>
    simulate(async (world) => {
      const { there, server, here } = await pair(world, protocol, {
        handlers: {
          ask: async () => {
            await here.channel('echo').send(1n as never)
            return 1
          },
          echo: async (ch) => {
            for await (const _ of ch) await here.channel('echo').send(1n as never)
          },
        },
      })
      all(server, 'fault')
      assert.equal((await told(there.request('ask', 1))).code, 'HANDLER_FAILED')
      const ch = there.channel('echo')
      await ch.send('go')
      assert.equal((await told(read(ch))).code, 'HANDLER_FAILED')
    }))
})

describe('what this side decided is told by its code', GUARD, () => {
  test('no handler; middleware that passes nothing on', () =>
    simulate(async (world) => {
      const { there, server } = await pair(world, protocol)
      assert.equal((await told(there.request('ask', 1))).code, 'UNHANDLED')
      assert.equal((await told(read(there.stream('count', 1)))).code, 'UNHANDLED')
      server.use(() => undefined)
      server.addHandler('ask', (n) => n)
      assert.equal((await told(there.request('ask', 1))).code, 'REFUSED')
    }))

  test('what was asked is not what the schema takes, and where', () =>
    simulate(async (world) => {
      const { there, server } = await pair(world, protocol, {
        handlers: { ask: (n) => n, echo: read as never },
      })
      all(server, 'fault')
      const { code, text } = await told(there.request('ask', 'one' as never))
      assert.deepEqual([code, text], ['BAD_MESSAGE', 'not what the schema takes: the data: expected number'])
      const ch = there.channel('echo')
      await ch.send(1 as never)
      assert.equal((await told(read(ch))).code, 'BAD_MESSAGE')
    }))

  test('what cannot be sent of an answer, of an item, and of what a channel is sent', () =>
    simulate(async (world) => {
      const { there, server } = await pair(world, protocol, {
        handlers: {
          ask: () => 1n as never,
          text: (n) => (n === 0 ? 'x'.repeat(1000) : Promise.resolve('x'.repeat(1000))),
          count: async function* () {
            yield 1n as never
          },
          echo: (ch) => ch.send(1n as never),
        },
      })
      all(server, 'fault')
      assert.equal((await told(there.request('ask', 1))).code, 'CANNOT_ENCODE')
      assert.equal((await told(there.request('text', 0))).code, 'TOO_LARGE')
      assert.equal((await told(there.request('text', 1))).code, 'TOO_LARGE')
      assert.equal((await told(read(there.stream('count', 1)))).code, 'CANNOT_ENCODE')
      assert.equal((await told(read(there.channel('echo')))).code, 'CANNOT_ENCODE')
    }))

  test('its own deadline', () =>
    knocking(async (world, door) => {
      const { far: dialer } = await far(world, door, protocol, {
        handlers: {
          ask: (_n, { signal }) =>
            new Promise((_resolve, reject) => {
              signal.addEventListener('abort', () => {
                reject(new SockError('CANCELLED', 'the password is hunter2'))
              })
            }),
        },
      })
      dialer.send(kinds.REQUEST, { lane: 5, flags: kinds.DEADLINE }, Buffer.from('\0\0\0\x641'))
      await world.sim.sleep(99)
      assert.deepEqual(dialer.of('ERROR'), [])
      await world.sim.sleep(50)
      const [error] = dialer.of('ERROR')
      assert.equal(String(error?.body), '\x0cCALL_TIMEOUT\0\x17the deadline has passed')
    }))

  test('that it is ending', () =>
    simulate(async (world) => {
      const { there, server, here } = await pair(world, protocol, {
        handlers: {
          ask: () => new Promise((resolve) => world.sim.setTimer(() => resolve(1), 1000)),
          count: async function* (_n, { signal }) {
            yield 1
            await new Promise((resolve) => {
              signal.addEventListener('abort', resolve)
            })
            throw new SockError('TOO_LARGE', 'the password is hunter2')
          },
        },
      })
      const slow = there.request('ask', 1)
      const items = read(there.stream('count', 1))
      await world.quiet()
      const over = here.drain()
      assert.deepEqual(await told(items), { code: 'DRAINING', text: 'this side is ending' })
      assert.equal(await slow, 1)
      await over
      await server.close()
    }))
})
