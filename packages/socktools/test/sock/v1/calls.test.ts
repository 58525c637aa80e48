/** Calls over wire v1: one answer each, whatever happens. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import {
  CallError,
  bytes,
  call,
  msg,
  nothing,
  type RemoteError,
  type Schema,
  type SockError,
} from '../../../src/index.ts'
import { encodeFault } from '../../../src/wire/v1/bodies.ts'
import * as kinds from '../../../src/wire/v1/frame.ts'
import { coded } from '../../support/coded.ts'
import { noCrashes } from '../../support/crashes.ts'
import { all, next, type Signal, signal } from '../../support/events.ts'
import { knocking } from '../../support/knock.ts'
import { GUARD } from '../../support/tcp.ts'
import { simulate } from '../../support/world.ts'
import { far } from './far.ts'
import { pair } from './pair.ts'

noCrashes()

const never = (): Promise<never> => new Promise(() => undefined)
const codeOf = (error: unknown): string => (error as { code: string }).code
const remote =
  (code: string, text: RegExp) =>
  (error: unknown): true => {
    const { code: ours, remote: theirs } = error as RemoteError
    assert.deepEqual([ours, theirs.code], ['REMOTE_ERROR', code])
    assert.match(theirs.text, text)
    return true
  }

const protocol = {
  ask: call(z.number(), z.number()),
  slow: call(z.number(), z.number(), { deadline: 300 }),
  blob: call(bytes(), bytes()),
  ping: call(nothing(), nothing()),
  say: msg(z.string()),
}

describe('a deadline', GUARD, () => {
  test('travels: the handler sees what is left, and its signal is aborted at it', () =>
    simulate(
      async (world) => {
        const seen: unknown[] = []
        const { there, server } = await pair(world, protocol, {
          handlers: {
            slow: (_n, { timeLeft, signal }) => {
              seen.push(timeLeft)
              signal.addEventListener('abort', () => seen.push(codeOf(signal.reason)))
              return never()
            },
          },
        })
        const began = world.sim.now()
        await assert.rejects(
          there.request('slow', 1),
          coded('CALL_TIMEOUT', /slow within 300 ms.*callTimeout/),
        )
        const took = world.sim.now() - began
        assert.ok(took >= 300 && took < 330, `${took} ms`)
        await world.sim.sleep(100)
        const [left, reason] = seen
        assert.ok((left as number) > 200 && (left as number) <= 300, String(left))
        // By its own clock, or by the CANCEL that came: whichever was first.
        assert.ok(reason === 'CALL_TIMEOUT' || reason === 'CANCELLED', String(reason))
        assert.equal(seen.length, 2)
        assert.equal(server.stats().faults, 0)
      },
      { weather: () => ({ latency: () => 20 }) },
    ))

  test('of the call goes before that of the type and of the sock; 0 is none', () =>
    simulate(async (world) => {
      const seen: (number | undefined)[] = []
      const handlers = {
        ask: (n: number, { timeLeft }: { timeLeft: number | undefined }) => (seen.push(timeLeft), n),
        slow: (n: number, { timeLeft }: { timeLeft: number | undefined }) => (seen.push(timeLeft), n),
      }
      const { there } = await pair(world, protocol, { handlers }, { callTimeout: 5000 })
      await there.request('ask', 1)
      await there.request('slow', 1)
      await there.request('slow', 1, { timeout: 1000 })
      await there.request('slow', 1, { timeout: 0 })
      assert.deepEqual(
        seen.map((ms) => ms && Math.ceil(ms / 100) * 100),
        [5000, 300, 1000, undefined],
      )
    }))

  test('by its own clock the handler hears of it when no CANCEL comes', () =>
    knocking(async (world, door) => {
      const seen: string[] = []
      const { far: dialer } = await far(world, door, protocol, {
        handlers: {
          ask: (_n, { signal }) => (
            signal.addEventListener('abort', () => seen.push(codeOf(signal.reason))), never()
          ),
        },
      })
      dialer.send(
        kinds.REQUEST,
        { lane: 5, type: 0, flags: kinds.DEADLINE },
        Buffer.from([0, 0, 0, 200, 0x31]),
      )
      await world.sim.sleep(190)
      assert.deepEqual(seen, [])
      await world.sim.sleep(30)
      assert.deepEqual(seen, ['CALL_TIMEOUT'])
    }))
})

describe('giving up', GUARD, () => {
  test('an AbortSignal rejects here and reaches the signal of the handler there', () =>
    simulate(async (world) => {
      const reasons: string[] = []
      const { there } = await pair(world, protocol, {
        handlers: {
          ask: (_n, { signal }) =>
            new Promise((_, reject) => {
              signal.addEventListener('abort', () => {
                reasons.push(codeOf(signal.reason))
                reject(signal.reason as Error)
              })
            }),
        },
      })
      const aborter = new AbortController()
      const asked = there.request('ask', 1, { signal: aborter.signal })
      assert.equal(await world.stateOf(asked), 'waits')
      aborter.abort(new Error('no longer'))
      await assert.rejects(asked, coded('ABORTED', /ask was given up/))
      await world.quiet()
      assert.deepEqual(reasons, ['CANCELLED'])
      await assert.rejects(
        there.request('ask', 1, { signal: AbortSignal.abort() }),
        coded('ABORTED', /given up/),
      )
      assert.deepEqual(reasons.length, 1)
    }))

  test('an answer that comes late is counted and dropped, and its place is free again', () =>
    simulate(async (world) => {
      const gate = signal()
      const { there, client } = await pair(world, protocol, {
        maxCalls: 1,
        handlers: { ask: async (n) => (await gate.promise, n) },
      })
      await assert.rejects(there.request('ask', 1, { timeout: 50 }), coded('CALL_TIMEOUT', /50 ms/))
      const second = there.request('ask', 2)
      assert.equal(await world.stateOf(second), 'waits')
      assert.equal(client.stats().late, 0)
      gate.give()
      assert.equal(await second, 2)
      assert.equal(client.stats().late, 1)
    }))

  test('one that waits to be sent, or that was not begun, is taken back: the far side hears nothing of it', () =>
    knocking(async (world, door) => {
      const { far: dialer, peer } = await far(world, door, protocol, {}, { maxCalls: 1, laneWindow: 65_536 })
      const first = peer.request('ask', 1)
      const aborter = new AbortController()
      const second = peer.request('ask', 2, { signal: aborter.signal })
      first.catch(() => undefined)
      await world.quiet()
      aborter.abort()
      await assert.rejects(second, coded('ABORTED', /given up/))
      await world.quiet()
      assert.deepEqual(
        dialer.heard.map(({ kind }) => kind),
        ['REQUEST'],
      )
    }))
})

describe('how many at once', GUARD, () => {
  test('64 are open, the 65th waits here; when the peer is gone it is NOT_SENT, and the others OUTCOME_UNKNOWN', () =>
    simulate(async (world) => {
      let served = 0
      const { there, here } = await pair(world, protocol, { handlers: { ask: () => (served++, never()) } })
      const codes = Array.from({ length: 66 }, (_, i) => there.request('ask', i).catch(codeOf))
      await world.quiet()
      assert.equal(served, 64)
      here.close()
      assert.deepEqual(await Promise.all(codes), [
        ...Array<string>(64).fill('OUTCOME_UNKNOWN'),
        'NOT_SENT',
        'NOT_SENT',
      ])
      await world.quiet()
      await assert.rejects(there.request('ask', 1), coded('PEER_GONE', /connect again/))
    }))

  test('they are served at once and answered in any order; the next begins when one ends', () =>
    simulate(async (world) => {
      const gates = Array.from({ length: 4 }, () => signal())
      const begun: number[] = []
      const { there } = await pair(world, protocol, {
        maxCalls: 3,
        handlers: {
          ask: async (n) => {
            begun.push(n)
            await gates[n]?.promise
            return n * 10
          },
        },
      })
      const done: number[] = []
      const asked = gates.map((_, n) => there.request('ask', n).then((got) => done.push(got)))
      await world.quiet()
      assert.deepEqual(begun, [0, 1, 2])
      gates[2]?.give()
      await world.quiet()
      assert.deepEqual([begun, done], [[0, 1, 2, 3], [20]])
      for (const n of [3, 0, 1]) {
        gates[n]?.give()
        await world.quiet()
      }
      await Promise.all(asked)
      assert.deepEqual(done, [20, 30, 0, 10])
    }))

  test('a stranger who opens more than it was granted is cut off', () =>
    knocking(async (world, door) => {
      const { far: dialer, server } = await far(world, door, protocol, {
        maxCalls: 2,
        handlers: { ask: never },
      })
      const gone = next(server, 'gone')
      for (const lane of [5, 7, 9]) dialer.send(kinds.REQUEST, { lane, type: 0 }, '1')
      assert.ok(coded('PROTOCOL_ERROR', /2 are open, and 2 are allowed/)((await gone).error))
    }))

  test('a second REQUEST on a lane that is open is against the rules', () =>
    knocking(async (world, door) => {
      let served = 0
      const { far: dialer, server } = await far(world, door, protocol, {
        handlers: { ask: () => (served++, never()) },
      })
      const gone = next(server, 'gone')
      dialer.send(kinds.REQUEST, { lane: 5, type: 0 }, '1')
      dialer.send(kinds.REQUEST, { lane: 5, type: 0 }, '2')
      assert.ok(coded('PROTOCOL_ERROR', /lane 5, which is open/)((await gone).error))
      assert.equal(served, 1)
    }))
})

const failing = {
  ask: call(z.number(), z.number(), {
    errors: {
      NEGATIVE: z.object({ least: z.number() }),
      EMPTY: undefined,
      LATER: z.number().refine(async (n) => n > 0),
    },
  }),
  big: call(z.number(), z.string(), { maxSize: 1000 }),
}

describe('errors', GUARD, () => {
  const table: [what: string, thrown: () => unknown, expected: (error: unknown) => true][] = [
    [
      'a declared one comes with its data',
      () => new CallError('NEGATIVE', { least: 0 }, 'from 0 up'),
      (error) => {
        assert.ok(error instanceof CallError)
        assert.deepEqual([error.code, error.data, error.text], ['NEGATIVE', { least: 0 }, 'from 0 up'])
        return true
      },
    ],
    [
      'one without data',
      () => new CallError('EMPTY'),
      (error) => {
        assert.ok(error instanceof CallError)
        assert.deepEqual([error.code, error.data], ['EMPTY', undefined])
        return true
      },
    ],
    [
      'data that an asynchronous schema takes',
      () => new CallError('LATER', 1),
      (error) => {
        assert.ok(error instanceof CallError)
        assert.deepEqual([error.code, error.data], ['LATER', 1])
        return true
      },
    ],
    [
      'data that the schema refuses: BAD_MESSAGE',
      () => new CallError('NEGATIVE', 'nonsense'),
      coded('BAD_MESSAGE', /NEGATIVE/),
    ],
    [
      'data that an asynchronous schema refuses: BAD_MESSAGE',
      () => new CallError('LATER', -1),
      coded('BAD_MESSAGE', /LATER/),
    ],
    [
      'one that is not declared',
      () => new CallError('OTHER', { secret: 1 }, 'a text of its own'),
      remote('OTHER', /a text of its own/),
    ],
    [
      'data that cannot be encoded',
      () => new CallError('NEGATIVE', 1n),
      remote('HANDLER_FAILED', /cannot be encoded/),
    ],
    [
      'an Error of any kind: neither its text nor its stack',
      () => new TypeError('the password is hunter2'),
      remote('HANDLER_FAILED', /^the handler failed$/),
    ],
    ['what is no Error', () => 'hunter2', remote('HANDLER_FAILED', /^the handler failed$/)],
    [
      'an error of this library',
      () => Object.assign(new Error('hunter2'), { code: 'NOT_OURS' }),
      remote('HANDLER_FAILED', /^the handler failed$/),
    ],
  ]
  for (const [what, thrown, expected] of table) {
    for (const how of ['at once', 'later']) {
      test(`${what}, thrown ${how}`, () =>
        simulate(async (world) => {
          const { there, server } = await pair(world, failing, {
            handlers: {
              ask:
                how === 'at once'
                  ? () => {
                      throw thrown()
                    }
                  : async () => {
                      throw thrown()
                    },
            },
          })
          const faults = all(server, 'fault')
          await assert.rejects(there.request('ask', 1), expected)
          assert.equal(faults.length, thrown() instanceof CallError ? 0 : 1)
        }))
    }
  }

  test('nothing of what was thrown is on the wire', () =>
    knocking(async (world, door) => {
      const { far: dialer, server } = await far(world, door, failing, {
        handlers: {
          ask: () => {
            throw new Error('hunter2')
          },
        },
      })
      all(server, 'fault')
      dialer.send(kinds.REQUEST, { lane: 5, type: 0 }, '1')
      await world.quiet()
      const sent = Buffer.concat(dialer.pipe.written).toString('latin1')
      assert.match(sent, /HANDLER_FAILED/)
      assert.doesNotMatch(sent, /hunter2|at .*\.ts/)
    }))

  test('no handler: UNHANDLED there and here', () =>
    simulate(async (world) => {
      const { there, server } = await pair(world, failing)
      const unhandled = all(server, 'unhandled')
      await assert.rejects(there.request('ask', 1), remote('UNHANDLED', /nothing takes/))
      assert.deepEqual([unhandled.map(({ type }) => type), server.stats().unhandled], [['ask'], 1])
    }))

  test('an answer that cannot be encoded, or is too long, is a fault there, and an error here', () =>
    simulate(async (world) => {
      const answers: unknown[] = [1n, Symbol('x'), 'x'.repeat(1001)]
      const { there, server } = await pair(world, failing, { handlers: { big: (i) => answers[i] as string } })
      const faults = all(server, 'fault')
      await assert.rejects(there.request('big', 0), remote('CANNOT_ENCODE', /cannot be encoded/))
      await assert.rejects(there.request('big', 1), remote('CANNOT_ENCODE', /cannot be encoded/))
      await assert.rejects(there.request('big', 2), remote('TOO_LARGE', /too large/))
      assert.equal(faults.length, 3)
      await assert.rejects(there.request('big', 1n as never), coded('CANNOT_ENCODE', /bigint/))
    }))

  test('an answer longer than the caller takes is not sent', () =>
    simulate(async (world) => {
      const { there, server } = await pair(
        world,
        protocol,
        { handlers: { blob: () => new Uint8Array(100_001) } },
        { maxMessage: 100_000 },
      )
      all(server, 'fault')
      await assert.rejects(there.request('blob', new Uint8Array(1)), remote('TOO_LARGE', /too large/))
      assert.equal(there.state, 'open')
    }))

  test('a message of just maxMessage passes; its deadline and headers count as well', () =>
    simulate(async (world) => {
      const { there } = await pair(world, protocol, {
        maxMessage: 100_000,
        handlers: { blob: (data) => data.subarray(0, 1), say: () => undefined },
      })
      assert.equal((await there.request('blob', new Uint8Array(99_996))).length, 1)
      assert.equal((await there.request('blob', new Uint8Array(100_000), { timeout: 0 })).length, 1)
      for (const n of [99_997, 100_000])
        await assert.rejects(
          there.request('blob', new Uint8Array(n)),
          coded('TOO_LARGE', /99996 is the most/),
        )
      const headers = { a: 'b' }
      await assert.rejects(
        there.request('blob', new Uint8Array(99_996), { headers }),
        coded('TOO_LARGE', /most/),
      )
      await there.sendMsg('say', 'x'.repeat(99_998))
      await assert.rejects(there.sendMsg('say', 'x'.repeat(99_998), { headers }), coded('TOO_LARGE', /most/))
      await world.quiet()
      assert.equal(there.state, 'open')
    }))

  test('a malformed ERROR ends the connection, and the call with it', () =>
    knocking(async (world, door) => {
      const { far: dialer, peer, server } = await far(world, door, protocol)
      const gone = next(server, 'gone')
      const asked = peer.request('ask', 1).catch(codeOf)
      await world.quiet()
      dialer.send(kinds.ERROR, { lane: 4 }, Buffer.from([5, 0x61]))
      assert.ok(coded('PROTOCOL_ERROR', /./)((await gone).error))
      assert.equal(await asked, 'OUTCOME_UNKNOWN')
    }))

  test('a CANCEL from who serves it ends a call, one that is not all written too, and makes room for the next', () =>
    knocking(async (world, door) => {
      const { far: dialer, peer } = await far(world, door, protocol, {}, { maxCalls: 1 })
      const gone = (error: unknown): true => remote('CANCELLED', /no answer to (ask|blob) comes/)(error)
      const short = assert.rejects(peer.request('ask', 1), gone)
      const long = assert.rejects(peer.request('blob', new Uint8Array(1_000_000)), gone)
      const last = peer.request('ask', 2)
      await world.quiet()
      dialer.send(kinds.CANCEL, { lane: 4 })
      await short
      await world.quiet()
      assert.equal(dialer.of('REQUEST').at(-1)?.flags, kinds.MORE)
      dialer.send(kinds.CANCEL, { lane: 6 })
      await long
      await world.quiet()
      assert.deepEqual(
        dialer.of('CANCEL').map(({ lane }) => lane),
        [6],
      )
      dialer.send(kinds.REPLY, { lane: 8 }, '3')
      assert.equal(await last, 3)
    }))

  test('a RESET answers a call as well as an ERROR does', () =>
    knocking(async (world, door) => {
      const { far: dialer, peer } = await far(world, door, protocol)
      const asked = peer.request('ask', 1)
      asked.catch(() => undefined)
      await world.quiet()
      dialer.send(kinds.RESET, { lane: 4 }, encodeFault('NOPE', 'never'))
      await assert.rejects(asked, remote('NOPE', /never/))
    }))
})

describe('validation', GUARD, () => {
  const strict = {
    ask: call(z.number().min(0), z.number().max(100)),
    later: call(
      z.string().refine(async (text) => text !== 'bad'),
      z.string().transform(async (text) => `${text}!`),
    ),
    trim: call(z.string().trim(), z.string()),
  }

  test('on what is received, on both sides, never on what is sent', () =>
    simulate(async (world) => {
      const { there, server } = await pair(world, strict, { handlers: { ask: (n) => n * 2 } })
      const invalid = all(server, 'invalid')
      assert.equal(await there.request('ask', 50), 100)
      await assert.rejects(there.request('ask', -1), remote('BAD_MESSAGE', /./))
      await assert.rejects(there.request('ask', 'text' as never), remote('BAD_MESSAGE', /./))
      assert.deepEqual([invalid.map(({ type }) => type), server.stats().invalid], [['ask', 'ask'], 2])
      // The answer leaves as the handler gave it; the caller refuses it.
      await assert.rejects(there.request('ask', 51), coded('BAD_MESSAGE', /./))
    }))

  test('an asynchronous schema, on either side', () =>
    simulate(async (world) => {
      const { there } = await pair(world, strict, {
        handlers: { later: (text) => text.toUpperCase(), trim: (text) => `<${text}>` },
      })
      assert.equal(await there.request('later', 'good'), 'GOOD!')
      await assert.rejects(there.request('later', 'bad'), remote('BAD_MESSAGE', /./))
      assert.equal(await there.request('trim', '  x  '), '<x>')
    }))

  test('one that was given up while its schema looked at it is not served, and its lane is free when that has answered', () =>
    knocking(async (world, door) => {
      const gates = [signal(), signal()]
      let looks = 0
      const served: string[] = []
      const slow: Schema<string> = {
        '~standard': {
          version: 1,
          vendor: 'test',
          validate: (value) => (gates[looks++] as Signal).promise.then(() => ({ value: value as string })),
        },
      }
      const gated = { ask: call(slow, z.string()) }
      const { far: dialer } = await far(world, door, gated, {
        handlers: { ask: (text) => (served.push(text), text) },
      })
      dialer.send(kinds.REQUEST, { lane: 5, type: 0 }, '"first"')
      dialer.send(kinds.CANCEL, { lane: 5 })
      gates[0]?.give()
      await world.quiet()
      assert.deepEqual(served, [])
      dialer.send(kinds.REQUEST, { lane: 5, type: 0 }, '"second"')
      gates[1]?.give()
      await world.quiet()
      assert.deepEqual(
        [served, dialer.of('ERROR', 'REPLY').map(({ kind }) => kind)],
        [['second'], ['ERROR', 'REPLY']],
      )
    }))
})

describe('middleware and headers', GUARD, () => {
  test('middleware sees a call as it sees messages, with its headers, and may change its data', () =>
    simulate(async (world) => {
      const seen: unknown[] = []
      const { there, server } = await pair(world, protocol, {
        handlers: { ask: (n, { headers }) => (seen.push({ ...headers }), n + 1) },
      })
      server.use(async (message, { headers }, next) => {
        seen.push([message.type, message.data, headers['trace']])
        message.data = (message.data as number) * 10
        seen.push(await next())
      })
      assert.equal(await there.request('ask', 4, { headers: { trace: 'abc' } }), 41)
      assert.deepEqual(seen, [['ask', 4, 'abc'], { trace: 'abc' }, 41])
    }))

  const table: [what: string, middleware: (next: () => unknown) => unknown, result: unknown][] = [
    ['that passes it on', (next) => next(), 1],
    ['that calls next twice runs the handler once', (next) => (void next(), next()), 1],
    ['that does not await next', (next) => void next(), 1],
    ['that returns something else changes nothing', (next) => (void next(), 99), 1],
    ['that does not call next', () => undefined, 'REFUSED'],
    [
      'that throws',
      () => {
        throw new Error('boom')
      },
      'HANDLER_FAILED',
    ],
    [
      'that throws a CallError',
      () => {
        throw new CallError('DENIED', undefined, 'no')
      },
      'DENIED',
    ],
    [
      'that throws behind next',
      async (next) => {
        await next()
        throw new Error('boom')
      },
      'HANDLER_FAILED',
    ],
  ]
  for (const [what, middleware, result] of table) {
    test(`middleware ${what}`, () =>
      simulate(async (world) => {
        let ran = 0
        const { there, server } = await pair(world, protocol, { handlers: { ask: async (n) => (ran++, n) } })
        const faults = all(server, 'fault')
        server.use((_message, _context, next) => middleware(next))
        const got = await there
          .request('ask', 1)
          .catch((error: unknown) => (error as RemoteError).remote.code)
        assert.equal(got, result)
        assert.ok(ran <= 1)
        assert.equal(faults.length, result === 'HANDLER_FAILED' ? 1 : 0)
      }))
  }

  test('headers that no wire can carry are refused before anything is sent', () =>
    simulate(async (world) => {
      const { there } = await pair(world, protocol, { handlers: { ask: (n) => n } })
      for (const headers of [{ 'Not-lower': 'x' }, { a: 'x'.repeat(9000) }, { a: 1 as never }])
        await assert.rejects(there.request('ask', 1, { headers }), coded('BAD_OPTION', /header/))
      assert.equal(await there.request('ask', 1), 1)
    }))

  test('a bad header slot ends the connection, also while a handler is at work', () =>
    knocking(async (world, door) => {
      const { far: dialer, server } = await far(world, door, protocol, { handlers: { say: never } })
      const gone = next(server, 'gone')
      dialer.send(kinds.EVENT, { lane: 1, type: 3 }, '"first"')
      // A slot of two bytes, which hold no whole pair.
      dialer.send(
        kinds.EVENT,
        { lane: 1, type: 3, flags: kinds.HEADERS },
        Buffer.from([0, 2, 1, 0x61, 0x22, 0x22]),
      )
      await world.quiet()
      server.knownPeers[0]?.close()
      dialer.pipe.break()
      server.closePeer('p1')
      assert.equal((await gone).error?.code, 'PROTOCOL_ERROR')
    }))
})

describe('ending', GUARD, () => {
  test('drain answers what was asked, in both directions, and takes nothing new', () =>
    simulate(async (world) => {
      const gates = [signal(), signal()]
      const [server, client] = gates.map((gate) => ({
        handlers: { ask: async (n: number) => (await gate.promise, n) },
      }))
      const { there, here, client: dialer } = await pair(world, protocol, server, client)
      const asked = [there.request('ask', 1), here.request('ask', 2)]
      await world.quiet()
      const drained = dialer.drain()
      await world.quiet()
      // The far side knows, too.
      await assert.rejects(here.request('ask', 3), coded('DRAINING', /far side is ending/))
      for (const gate of gates) gate.give()
      assert.deepEqual(await Promise.all(asked), [1, 2])
      assert.deepEqual(await drained, { unsent: 0, unhandled: 0 })
    }))

  test('close rejects what is open, in both directions; signals of handlers are aborted', () =>
    simulate(async (world) => {
      const reasons: string[] = []
      const handlers = {
        ask: (_n: number, { signal: told }: { signal: AbortSignal }) => (
          told.addEventListener('abort', () => reasons.push(codeOf(told.reason))), never()
        ),
      }
      const { there, here, client } = await pair(world, protocol, { handlers }, { handlers })
      const asked = [there.request('ask', 1), here.request('ask', 2)].map((one) => one.catch(codeOf))
      await world.quiet()
      await client.close()
      assert.deepEqual(await Promise.all(asked), ['OUTCOME_UNKNOWN', 'OUTCOME_UNKNOWN'])
      await world.quiet()
      assert.deepEqual(reasons, ['PEER_GONE', 'PEER_GONE'])
    }))

  test('a handler that never settles keeps drain for its timeout, and no longer', () =>
    simulate(async (world) => {
      const { there, server } = await pair(world, protocol, { handlers: { ask: never } })
      const asked = there.request('ask', 1).catch(codeOf)
      await world.quiet()
      const began = world.sim.now()
      await server.drain({ timeout: 400 })
      const took = world.sim.now() - began
      assert.ok(took >= 400 && took < 420, `${took} ms`)
      assert.equal(await asked, 'OUTCOME_UNKNOWN')
    }))

  test('what is asked of a far side that has ended is refused at once, though we are still at work', () =>
    simulate(async (world) => {
      const gate = signal()
      const { there, here, client } = await pair(
        world,
        protocol,
        {},
        { handlers: { say: () => gate.promise } },
      )
      await here.sendMsg('say', 'x')
      await world.quiet()
      void here.drain()
      await world.quiet()
      assert.equal(there.state, 'open')
      await assert.rejects(there.request('ask', 1), (error: SockError) =>
        ['PEER_GONE', 'DRAINING'].includes(error.code),
      )
      gate.give()
      await world.quiet()
      assert.equal(client.stats().peers, 0)
    }))

  test('what waits for credit when the far side has ended is counted as lost, and keeps nobody', () =>
    simulate(async (world) => {
      const gate = signal()
      const { there, server } = await pair(
        world,
        protocol,
        { readMark: 65_536, handlers: { say: () => gate.promise } },
        {},
      )
      const gone = next(server, 'gone')
      for (let i = 0; i < 10; i++) there.sendMsg('say', 'x'.repeat(50_000)).catch(() => undefined)
      await world.quiet()
      const drained = server.drain({ timeout: 60_000 })
      await world.quiet()
      gate.give()
      await drained
      assert.equal((await gone).error, undefined)
      assert.ok(world.sim.now() < 10_000, `${world.sim.now()} ms`)
    }))
})
