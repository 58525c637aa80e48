/** What a peer that means harm can make a sock hold, run or wait for over wire v1: within bounds, whatever it sends. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { bytes, call, channel, feed, msg, nothing, type Schema, SockError } from '../../../src/index.ts'
import { Deadlines } from '../../../src/sock/deadlines.ts'
import { Partings } from '../../../src/sock/partings.ts'
import { HandshakePipe } from '../../../src/sock/v1/handshake-pipe.ts'
import { encodeCredit, encodeFault, encodePing, encodeTable } from '../../../src/wire/v1/bodies.ts'
import * as kinds from '../../../src/wire/v1/frame.ts'
import { coded } from '../../support/coded.ts'
import { noCrashes } from '../../support/crashes.ts'
import { next, signal } from '../../support/events.ts'
import { knocking } from '../../support/knock.ts'
import { frame, GUARD } from '../../support/tcp.ts'
import { arrives, Far, far, helloOf } from './far.ts'

noCrashes()

const never = (): Promise<never> => new Promise(() => undefined)

describe('what is open', GUARD, () => {
  const protocol = {
    blob: call(nothing(), bytes()),
    late: call(nothing(), bytes()),
    blobs: feed(nothing(), bytes()),
  }
  const blob = (): Uint8Array => new Uint8Array(100_000)
  const handlers = {
    blob,
    late: async () => blob(),
    async *blobs() {
      yield blob()
    },
  }
  // By their names: blob, blobs, late.
  for (const [what, kind, type] of [
    ['a call answered at once', kinds.REQUEST, 0],
    ['a call answered later', kinds.REQUEST, 2],
    ['a feed that has ended', kinds.OPEN, 1],
  ] as const) {
    test(`${what} counts until its last byte was written`, () =>
      knocking(async (world, door) => {
        const { far: dialer, server } = await far(
          world,
          door,
          protocol,
          { maxCalls: 2, maxStreams: 2, handlers },
          { laneWindow: 65_536 },
        )
        for (const lane of [5, 7]) dialer.send(kind, { lane, type })
        await world.sim.sleep(100)
        assert.equal(dialer.of('REPLY', 'ITEM').length, 2, 'as much of each as was granted')
        dialer.send(kinds.CREDIT, {}, encodeCredit([[5, 1e6]]))
        await world.sim.sleep(100)
        dialer.send(kind, { lane: 9, type })
        await world.sim.sleep(100)
        assert.equal(dialer.of('GOODBYE').length, 0, 'one was taken, and one may come')
        const gone = next(server, 'gone')
        dialer.send(kind, { lane: 11, type })
        assert.ok(coded('PROTOCOL_ERROR', /2 are open, and 2 are allowed/)((await gone).error))
      }))
  }

  test('a lane is not used again before the answer on it was written', () =>
    knocking(async (world, door) => {
      const { far: dialer, server } = await far(world, door, protocol, { handlers }, { laneWindow: 65_536 })
      const gone = next(server, 'gone')
      for (let i = 0; i < 2; i++) dialer.send(kinds.REQUEST, { lane: 5, type: 0 })
      assert.ok(coded('PROTOCOL_ERROR', /lane 5, which is open/)((await gone).error))
    }))

  test('calls of a type that this side has not are calls', () =>
    knocking(async (world, door) => {
      const server = await world.open({ protocol, bind: 'knock:any', maxCalls: 2 })
      const gone = next(server, 'gone')
      const dialer = new Far(door.knock())
      dialer.raw(helloOf(protocol, { fingerprint: new Uint8Array(16) }))
      const hash = new Uint8Array(8)
      dialer.send(kinds.TABLE, {}, encodeTable([{ kind: 'call', name: 'who', hash }]))
      await world.quiet()
      for (const lane of [5, 7, 9]) dialer.send(kinds.REQUEST, { lane, flags: kinds.MORE }, 'x')
      assert.ok(coded('PROTOCOL_ERROR', /2 are open, and 2 are allowed/)((await gone).error))
    }))
})

describe('what runs', GUARD, () => {
  test('a channel that was reset stays open until its handler has ended', () =>
    knocking(async (world, door) => {
      let running = 0
      const protocol = { hang: channel(z.string(), z.string()) }
      const hang = async (): Promise<never> => {
        running++
        return never()
      }
      const { far: dialer, server } = await far(world, door, protocol, { maxStreams: 2, handlers: { hang } })
      const gone = next(server, 'gone')
      for (const lane of [5, 7, 9]) {
        dialer.send(kinds.OPEN, { lane })
        dialer.send(kinds.RESET, { lane }, encodeFault('NOPE', ''))
      }
      assert.ok(coded('PROTOCOL_ERROR', /2 are open, and 2 are allowed/)((await gone).error))
      assert.equal(running, 2)
    }))

  test('and ends its side when it has', () =>
    knocking(async (world, door) => {
      const protocol = { wait: channel(z.string(), z.string()) }
      const { far: dialer } = await far(world, door, protocol, {
        handlers: {
          wait: (_ch, { signal }) =>
            new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve())),
        },
      })
      dialer.send(kinds.OPEN, { lane: 5 })
      dialer.send(kinds.RESET, { lane: 5 }, encodeFault('NOPE', ''))
      await world.quiet()
      assert.deepEqual(
        dialer.of('END', 'RESET').map(({ lane }) => lane),
        [5],
      )
    }))

  test('a call that was given up while its schema looks at it stays open until that has answered', () =>
    knocking(async (world, door) => {
      const asked: ((ok: { value: string }) => void)[] = []
      const schema: Schema<string> = {
        '~standard': {
          version: 1,
          vendor: 'test',
          validate: () => new Promise((resolve) => asked.push(resolve)),
        },
      }
      const protocol = { ask: call(schema, nothing()) }
      const { far: dialer, server } = await far(world, door, protocol, { maxCalls: 2 })
      const gone = next(server, 'gone')
      const rush = (lane: number): void => {
        dialer.send(kinds.REQUEST, { lane }, '"a"')
        dialer.send(kinds.CANCEL, { lane })
      }
      rush(5)
      asked[0]?.({ value: 'a' })
      await world.quiet()
      assert.deepEqual(
        dialer.of('ERROR').map((one) => [one.lane, Far.code(one)]),
        [[5, 'CANCELLED']],
      )
      for (const lane of [7, 9, 11]) rush(lane)
      assert.ok(coded('PROTOCOL_ERROR', /2 are open, and 2 are allowed/)((await gone).error))
      assert.equal(asked.length, 3)
    }))
})

describe('who waits', GUARD, () => {
  test('one that has us answer PING by PONG and takes none of it is not read until it does', () =>
    knocking(async (world, door) => {
      const { far: dialer, peer } = await far(world, door, {})
      dialer.pipe.stuck = true
      const ping = (): void => {
        dialer.send(kinds.PING, { ack: 0 }, encodePing({ ttl: 0, nonce: new Uint8Array(8) }))
      }
      for (let i = 0; i < 30_000; i++) ping()
      await world.quiet()
      assert.ok(dialer.pipe.paused)
      const { queued } = peer.stats()
      assert.ok(queued > 256 * 1024 && queued < 600 * 1024, `${queued} bytes wait`)
      dialer.pipe.stuck = false
      dialer.pipe.drain()
      await world.quiet()
      assert.equal(dialer.of('PONG').length, 30_000)
      assert.ok(!dialer.pipe.paused)
    }))

  test('one whose calls keep the loop lets the others have their turn', () =>
    knocking(async (world, door) => {
      const served: string[] = []
      const protocol = { work: call(z.string(), nothing()) }
      const { far: busy, server } = await far(world, door, protocol, {
        handlers: {
          work: (who) => {
            served.push(who)
            world.block(10)
          },
        },
      })
      const { far: other } = await arrives(world, door, server, protocol)
      for (const lane of [5, 7, 9]) busy.send(kinds.REQUEST, { lane }, '"busy"')
      other.send(kinds.REQUEST, { lane: 5 }, '"other"')
      await world.quiet()
      assert.deepEqual(served, ['busy', 'other', 'busy', 'busy'])
    }))
})

describe('what waits', GUARD, () => {
  const protocol = { drop: msg(bytes()), pour: channel(bytes(), nothing()) }
  for (const what of ['messages', 'items'] as const) {
    test(`short ${what} among much that is ignored keep little of it alive`, () =>
      knocking(async (world, door) => {
        const gate = signal()
        const kept = new Set<ArrayBufferLike>()
        const { far: dialer } = await far(world, door, protocol, {
          handlers: {
            drop: async ({ buffer }) => {
              await gate.promise
              kept.add(buffer)
            },
            pour: async (ch) => {
              await gate.promise
              for await (const { buffer } of ch) kept.add(buffer)
            },
          },
        })
        const [kind, to] =
          what === 'messages' ? [kinds.EVENT, { lane: 1, type: 0 }] : [kinds.ITEM, { lane: 5, type: 0 }]
        dialer.send(kinds.OPEN, { lane: 5, type: 1 })
        dialer.ack = 0
        const ignored = new Uint8Array(60_000)
        ignored[0] = kinds.IGNORABLE
        for (let i = 0; i < 100; i++) {
          // In one read: the message, and what nobody wants.
          const short = dialer.framed(kind, to, 'x')
          dialer.pipe.say(Buffer.concat([frame(short), frame(ignored)]))
        }
        await world.quiet()
        gate.give()
        await world.quiet()
        const bytesKept = [...kept].reduce((sum, { byteLength }) => sum + byteLength, 0)
        assert.ok(kept.size > 90 && bytesKept < 1.3e6, `${kept.size} of ${bytesKept} bytes`)
      }))
  }
})

describe('the handshake', GUARD, () => {
  test('what comes of one that was refused is read, and not kept', () =>
    knocking(async (world, door) => {
      const pipe = door.pipe()
      const shaking = new HandshakePipe(pipe, () => new SockError('PEER_GONE', 'it has ended'))
      const partings = new Partings(new Deadlines(world.platform))
      shaking.refuse(new Uint8Array(1), partings)
      for (let i = 0; i < 10; i++) pipe.say(new Uint8Array(1000))
      await world.quiet()
      assert.deepEqual([pipe.paused, shaking.early.length], [false, 0])
      partings.end()
    }))
})

describe('one that is asked', GUARD, () => {
  const protocol = { load: call(bytes(), nothing()), watch: feed(bytes(), z.number()) }

  test('and answers before it was asked to the end leaves nothing here that waits for its credit', () =>
    knocking(async (world, door) => {
      const { far: dialer, peer } = await far(world, door, protocol, {}, { laneWindow: 65_536 })
      const long = new Uint8Array(1e6)
      const asked = peer.request('load', long)
      const read = peer.stream('watch', long).next()
      await world.quiet()
      dialer.send(kinds.REPLY, { lane: 4 })
      dialer.send(kinds.END, { lane: 6 })
      await asked
      assert.equal((await read).done, true)
      await world.quiet()
      assert.equal(peer.stats().queued, 0)
      // Else it would wait for the rest of what was cut short, as would one that means no harm.
      assert.deepEqual(
        dialer.of('CANCEL').map(({ lane }) => lane),
        [4, 6],
      )
    }))

  test('ends no process by what it answers, though nobody has asked yet how that went', async () => {
    const reads: Promise<unknown>[] = []
    await knocking(async (world, door) => {
      const { far: dialer, peer } = await far(world, door, protocol)
      const opened = Array.from({ length: 4 }, () => peer.stream('watch', new Uint8Array(1)))
      for (const items of opened) reads.push(items.next(), items.next())
      await world.quiet()
      dialer.send(kinds.RESET, { lane: 4 }, encodeFault('NOPE', ''))
      dialer.send(kinds.ITEM, { lane: 6 }, '"no number"')
      for (const item of ['1', '2', '"no number"']) dialer.send(kinds.ITEM, { lane: 8 }, item)
      await world.quiet()
      // It has come already.
      reads.push(opened[2]?.next() as Promise<unknown>)
      peer.close()
    })
    // Whatever is not handled by now would have ended the process.
    await new Promise((resolve) => setImmediate(resolve))
    const settled = await Promise.allSettled(reads)
    assert.deepEqual(
      settled.map((one) => (one.status === 'rejected' ? (one.reason as { code: string }).code : 'ok')),
      ['REMOTE_ERROR', 'ok', 'BAD_MESSAGE', 'ok', 'ok', 'ok', 'PEER_GONE', 'ok', 'BAD_MESSAGE'],
    )
  })
})

describe('a schema', GUARD, () => {
  test('that answers by a promise of its own making is waited for', () =>
    knocking(async (world, door) => {
      const seen: unknown[] = []
      const schema: Schema<string> = {
        '~standard': {
          version: 1,
          vendor: 'test',
          // biome-ignore lint/suspicious/noThenProperty: what is tested
          validate: () =>
            ({
              then: (fn: (r: unknown) => void) => queueMicrotask(() => fn({ issues: [{ message: 'no' }] })),
            }) as never,
        },
      }
      const strict = { say: msg(schema) }
      const { far: dialer, server } = await far(world, door, strict, {
        handlers: { say: (t) => void seen.push(t) },
      })
      const invalid = next(server, 'invalid')
      dialer.send(kinds.EVENT, { lane: 1 }, '"a"')
      assert.ok(coded('BAD_MESSAGE', /./)((await invalid).error))
      assert.deepEqual(seen, [])
    }))
})

test('a timeout of a call that is no number of milliseconds is BAD_OPTION, and not for ever', () =>
  knocking(async (world, door) => {
    const { peer } = await far(world, door, { ask: call(nothing(), nothing()) })
    for (const timeout of [NaN, -1])
      await assert.rejects(
        peer.request('ask', undefined, { timeout }),
        coded('BAD_OPTION', /milliseconds, not/),
      )
  }))
