/** Feeds and channels over wire v1. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import {
  CallError,
  bytes,
  channel,
  feed,
  nothing,
  type RemoteError,
  type SockError,
} from '../../../src/index.ts'
import * as kinds from '../../../src/wire/v1/frame.ts'
import { coded } from '../../support/coded.ts'
import { noCrashes } from '../../support/crashes.ts'
import { all, next, signal } from '../../support/events.ts'
import { knocking } from '../../support/knock.ts'
import { GUARD } from '../../support/tcp.ts'
import { simulate } from '../../support/world.ts'
import { far } from './far.ts'
import { pair } from './pair.ts'

noCrashes()

const codeOf = (error: unknown): string => (error as { code: string }).code
const remote =
  (code: string) =>
  (error: unknown): boolean =>
    (error as RemoteError).remote.code === code

const protocol = {
  count: feed(z.number(), z.number().max(1000), { errors: { BROKEN: z.string() } }),
  chunks: feed(nothing(), bytes()),
  echo: channel(z.string(), z.string()),
}

async function read<T>(items: AsyncIterable<T>, most = Infinity): Promise<T[]> {
  const got: T[] = []
  for await (const item of items) {
    got.push(item)
    if (got.length >= most) break
  }
  return got
}

async function* upTo(n: number): AsyncGenerator<number> {
  for (let i = 0; i < n; i++) yield i
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i)

describe('a feed', GUARD, () => {
  test('comes in order, then ends; both sides forget it', () =>
    simulate(async (world) => {
      const { there, here, client, server } = await pair(world, protocol, {
        handlers: { count: (n) => upTo(n) },
      })
      assert.deepEqual(await read(there.stream('count', 1000)), range(1000))
      assert.deepEqual(await read(there.stream('count', 0)), [])
      // Nothing is left that would keep them.
      await Promise.all([here.drain(), client.drain(), server.drain()])
      assert.ok(world.sim.now() < 1000)
    }))

  test('of an array, or of any iterable', () =>
    simulate(async (world) => {
      const given: unknown[] = [[1, 2, 3], new Set([4, 5]), upTo(2)]
      const { there } = await pair(world, protocol, {
        handlers: { count: (n) => given[n] as Iterable<number> },
      })
      assert.deepEqual(await read(there.stream('count', 0)), [1, 2, 3])
      assert.deepEqual(await read(there.stream('count', 1)), [4, 5])
      assert.deepEqual(await read(there.stream('count', 2)), [0, 1])
    }))

  test('of what cannot be iterated over, or a handler that throws, is an error', () =>
    simulate(async (world) => {
      const { there, server } = await pair(world, protocol, {
        handlers: {
          count: (n) => {
            if (n === 1) throw new Error('hunter2')
            return undefined as never
          },
        },
      })
      const faults = all(server, 'fault')
      for (const n of [0, 1]) await assert.rejects(read(there.stream('count', n)), remote('HANDLER_FAILED'))
      await assert.rejects(read(there.stream('chunks')), remote('UNHANDLED'))
      await assert.rejects(read(there.stream('count', 'x' as never)), remote('BAD_MESSAGE'))
      assert.equal(faults.length, 2)
    }))

  test('200 at once, each in order', () =>
    simulate(async (world) => {
      const { there } = await pair(world, protocol, { handlers: { count: (n) => upTo(n) } })
      const all = await Promise.all(range(200).map((n) => read(there.stream('count', n))))
      for (const [n, got] of all.entries()) assert.deepEqual(got, range(n))
    }))

  test('that nobody reads stops at the window, and goes on as it is read; what is held is bounded', () =>
    simulate(async (world) => {
      let made = 0
      const chunk = new Uint8Array(10_000)
      const { there, here } = await pair(
        world,
        protocol,
        {
          handlers: {
            async *chunks() {
              for (;;) {
                made += chunk.length
                yield chunk
              }
            },
          },
        },
        { streamWindow: 100_000 },
      )
      const chunks = there.stream('chunks')
      await chunks.next()
      await world.sim.sleep(5_000)
      // The window, what may wait on the lane, and one over the mark.
      const [first, most] = [made, 100_000 + 256 * 1024 + 4 * 10_100]
      assert.ok(made > 100_000 && made < most, `${made} bytes were made`)
      assert.ok(here.stats().queued < 256 * 1024 + 20_000, `${here.stats().queued} wait`)
      for (let i = 0; i < 100; i++) await chunks.next()
      await world.sim.sleep(5_000)
      assert.ok(
        made >= first + 850_000 && made < first + 1_000_000 + 100_000,
        `${made} bytes, and ${first} before`,
      )
      await chunks.return?.()
    }))

  test('of large items, longer than the window', () =>
    simulate(async (world) => {
      const { there } = await pair(
        world,
        protocol,
        {
          handlers: {
            async *chunks() {
              for (let i = 1; i <= 4; i++) yield new Uint8Array(1_000_000).fill(i)
            },
          },
        },
        { streamWindow: 65_536 },
      )
      const got = await read(there.stream('chunks'))
      assert.deepEqual(
        got.map((item) => [item.length, item[0], item[999_999]]),
        [1, 2, 3, 4].map((i) => [1_000_000, i, i]),
      )
    }))
})

describe('leaving a feed', GUARD, () => {
  for (const how of ['break', 'return', 'throw', 'signal'] as const) {
    test(`by ${how}: the generator's finally runs, its signal is aborted, and its place is free`, () =>
      simulate(async (world) => {
        const ended: string[] = []
        const { there } = await pair(world, protocol, {
          maxStreams: 1,
          handlers: {
            async *count(_n, { signal: told }) {
              told.addEventListener('abort', () => ended.push(codeOf(told.reason)))
              try {
                for (let i = 0; ; i++) yield i
              } finally {
                ended.push('finally')
              }
            },
          },
        })
        for (let round = 0; round < 3; round++) {
          const aborter = new AbortController()
          const items = there.stream('count', 1, { signal: aborter.signal })
          const got: number[] = []
          const reading = async (): Promise<void> => {
            for await (const item of items) {
              got.push(item)
              if (got.length < 3) continue
              if (how === 'break') break
              if (how === 'return') return
              if (how === 'throw') throw new Error('mine')
              aborter.abort()
            }
          }
          const thrown = await reading().then(
            () => '',
            (error: unknown) => (how === 'throw' ? (error as Error).message : codeOf(error)),
          )
          assert.equal(thrown, { break: '', return: '', throw: 'mine', signal: 'ABORTED' }[how])
          assert.deepEqual(got, [0, 1, 2])
          assert.deepEqual(await items.next(), { value: undefined, done: true })
          await world.quiet()
          await world.quiet()
        }
        assert.deepEqual(ended.sort(), [
          ...Array<string>(3).fill('CANCELLED'),
          ...Array<string>(3).fill('finally'),
        ])
      }))
  }

  test('while the generator waits for something: its signal tells it, and no fault is made of that', () =>
    simulate(async (world) => {
      const ended: string[] = []
      const { there, server } = await pair(world, protocol, {
        handlers: {
          async *count(_n, { signal: told }) {
            try {
              yield 1
              await new Promise((_, reject) => {
                told.addEventListener('abort', () => reject(told.reason as Error))
              })
            } finally {
              ended.push('finally')
            }
          },
        },
      })
      assert.deepEqual(await read(there.stream('count', 1), 1), [1])
      await world.quiet()
      assert.deepEqual([ended, server.stats().faults], [['finally'], 0])
    }))

  test('before its first item it was never opened; behind its end nothing is left to do', () =>
    simulate(async (world) => {
      let opened = 0
      const { there } = await pair(world, protocol, { handlers: { count: (n) => (opened++, upTo(n)) } })
      const items = there.stream('count', 3)
      await items.return?.()
      assert.deepEqual(await items.next(), { value: undefined, done: true })
      assert.equal(opened, 0)
      const whole = there.stream('count', 3)
      assert.deepEqual(await read(whole), [0, 1, 2])
      await whole.return?.()
      assert.equal(opened, 1)
    }))

  test('before anything came of it', () =>
    simulate(async (world) => {
      const ended: string[] = []
      const { there } = await pair(world, protocol, {
        handlers: {
          async *count(_n, { signal: told }) {
            await new Promise((resolve) => told.addEventListener('abort', resolve))
            ended.push('told')
            yield 1
          },
        },
      })
      const items = there.stream('count', 3)
      const first = items.next()
      await world.quiet()
      await items.return?.()
      assert.deepEqual(await first, { value: undefined, done: true })
      await world.quiet()
      assert.deepEqual(ended, ['told'])
    }))

  test('a signal that is aborted in the middle is an error: what came is not taken for all', () =>
    simulate(async (world) => {
      const { there, here } = await pair(world, protocol, {
        handlers: {
          async *count(n, { signal: told }) {
            yield* upTo(n)
            await new Promise((resolve) => told.addEventListener('abort', resolve))
          },
        },
      })
      const aborter = new AbortController()
      const items = there.stream('count', 5, { signal: aborter.signal })
      assert.deepEqual(await items.next(), { value: 0, done: false })
      await world.quiet()
      aborter.abort(new Error('why'))
      // What waits here is dropped.
      await assert.rejects(items.next(), (error: SockError) => {
        assert.deepEqual([error.code, (error.cause as Error).message], ['ABORTED', 'why'])
        return true
      })
      assert.deepEqual(await items.next(), { value: undefined, done: true })
      // The same where somebody waits for the next one.
      const later = new AbortController()
      const waiting = read(there.stream('count', 5, { signal: later.signal }))
      await world.quiet()
      later.abort()
      await assert.rejects(waiting, coded('ABORTED', /given up/))
      // Both lanes are free again.
      await Promise.all([there.drain(), here.drain()])
    }))

  test('a signal that is aborted behind the end changes nothing of what came', () =>
    simulate(async (world) => {
      const { there } = await pair(world, protocol, { handlers: { count: (n) => upTo(n) } })
      const aborter = new AbortController()
      const items = there.stream('count', 3, { signal: aborter.signal })
      const first = await items.next()
      await world.quiet()
      aborter.abort()
      assert.deepEqual([first.value, await read(items)], [0, [1, 2]])
    }))

  test('a signal that is aborted already opens nothing', () =>
    simulate(async (world) => {
      const { there } = await pair(world, protocol, { handlers: { count: () => assert.fail('opened') } })
      await assert.rejects(
        read(there.stream('count', 1, { signal: AbortSignal.abort() })),
        coded('ABORTED', /given up/),
      )
      assert.throws(
        () => there.channel('echo', { signal: AbortSignal.abort() }),
        coded('ABORTED', /given up/),
      )
    }))
})

describe('errors of a feed', GUARD, () => {
  test('come behind the items before them, and the generator’s finally has run', () =>
    simulate(async (world) => {
      let cleaned = 0
      const { there, server } = await pair(world, protocol, {
        handlers: {
          async *count(n) {
            try {
              yield 1
              yield 2
              if (n === 0) throw new CallError('BROKEN', 'data', 'text')
              throw new Error('hunter2')
            } finally {
              cleaned++
            }
          },
        },
      })
      const faults = all(server, 'fault')
      for (const [n, expected] of [
        [
          0,
          (error: unknown) => error instanceof CallError && error.code === 'BROKEN' && error.data === 'data',
        ],
        [1, (error: unknown) => remote('HANDLER_FAILED')(error) && !/hunter2/.test(String(error))],
      ] as const) {
        const got: number[] = []
        const items = there.stream('count', n)
        await assert.rejects(async () => {
          for await (const item of items) got.push(item)
        }, expected)
        assert.deepEqual([got, await items.next()], [[1, 2], { value: undefined, done: true }])
      }
      assert.deepEqual([cleaned, faults.length], [2, 1])
    }))

  test('an item that our schema refuses ends it, on both sides', () =>
    simulate(async (world) => {
      let cleaned = 0
      const { there } = await pair(world, protocol, {
        handlers: {
          async *count() {
            try {
              for (let i = 999; ; i++) yield i
            } finally {
              cleaned++
            }
          },
        },
      })
      const items = there.stream('count', 0)
      assert.deepEqual(
        [await items.next(), await items.next()].map(({ value }) => value),
        [999, 1000],
      )
      await assert.rejects(items.next(), coded('BAD_MESSAGE', /./))
      assert.deepEqual(await items.next(), { value: undefined, done: true })
      await world.quiet()
      assert.equal(cleaned, 1)
    }))

  test('an item that cannot be encoded, or is too long', () =>
    simulate(async (world) => {
      const { there, server } = await pair(
        world,
        protocol,
        {
          handlers: {
            async *count() {
              yield 1n as never
            },
            async *chunks() {
              yield new Uint8Array(200_000)
            },
          },
        },
        { maxMessage: 100_000 },
      )
      all(server, 'fault')
      await assert.rejects(read(there.stream('count', 1)), remote('CANNOT_ENCODE'))
      await assert.rejects(read(there.stream('chunks')), remote('TOO_LARGE'))
      assert.equal(there.state, 'open')
    }))

  test('more than maxStreams: TOO_MANY_STREAMS here, and cut off there', () =>
    knocking(async (world, door) => {
      const {
        far: dialer,
        peer,
        server,
      } = await far(
        world,
        door,
        protocol,
        { maxStreams: 1, handlers: { count: () => upTo(1e9) } },
        { maxStreams: 1 },
      )
      const items = peer.stream('count', 1)
      items.next().catch(() => undefined)
      await assert.rejects(peer.stream('count', 1).next(), coded('TOO_MANY_STREAMS', /1 feeds and channels/))
      assert.throws(() => peer.channel('echo'), coded('TOO_MANY_STREAMS', /1 feeds and channels/))
      const gone = next(server, 'gone')
      for (const lane of [5, 7]) dialer.send(kinds.OPEN, { lane, type: 1 }, '1')
      assert.ok(coded('PROTOCOL_ERROR', /1 are open, and 1 are allowed/)((await gone).error))
    }))

  test('the connection ends in the middle: PEER_GONE behind what had come, and the signal there', () =>
    simulate(async (world) => {
      const reasons: string[] = []
      const { there, here, server } = await pair(world, protocol, {
        handlers: {
          async *count(_n, { signal: told }) {
            told.addEventListener('abort', () => reasons.push(codeOf(told.reason)))
            try {
              yield* [1, 2]
              await new Promise((resolve) => told.addEventListener('abort', resolve))
            } finally {
              reasons.push('finally')
            }
          },
        },
      })
      const items = there.stream('count', 1)
      assert.deepEqual(await items.next(), { value: 1, done: false })
      await world.quiet()
      here.close()
      await world.quiet()
      assert.deepEqual(await items.next(), { value: 2, done: false })
      await assert.rejects(items.next(), coded('PEER_GONE', /./))
      assert.deepEqual([reasons, server.stats().faults], [['PEER_GONE', 'finally'], 0])
    }))
})

describe('a channel', GUARD, () => {
  const echo = {
    async echo(ch: { send(s: string): Promise<void> } & AsyncIterable<string>): Promise<void> {
      for await (const text of ch) await ch.send(`<${text}>`)
    },
  }

  test('goes both ways, and ends when both have', () =>
    simulate(async (world) => {
      const { there, client } = await pair(world, protocol, { handlers: echo })
      const ch = there.channel('echo')
      for (const text of ['a', 'b']) await ch.send(text)
      await ch.end()
      assert.deepEqual(await read(ch), ['<a>', '<b>'])
      await assert.rejects(ch.send('c'), coded('CANCELLED', /has ended/))
      await client.drain()
      assert.ok(world.sim.now() < 1000)
    }))

  test('half closed by who serves it, it still takes what is sent', () =>
    simulate(async (world) => {
      const got: string[] = []
      const { there } = await pair(world, protocol, {
        handlers: {
          async echo(ch) {
            await ch.send('bye')
            await ch.end()
            for await (const text of ch) got.push(text)
          },
        },
      })
      const ch = there.channel('echo')
      assert.deepEqual(await read(ch), ['bye'])
      for (const text of ['a', 'b']) await ch.send(text)
      await ch.end()
      await world.quiet()
      assert.deepEqual(got, ['a', 'b'])
    }))

  test('both end at once, and both leave at once', () =>
    simulate(async (world) => {
      let over = 0
      const { there, here } = await pair(world, protocol, {
        maxStreams: 1,
        handlers: {
          async echo(ch) {
            await ch.end()
            over++
          },
        },
      })
      for (let round = 0; round < 5; round++) {
        const ch = there.channel('echo')
        void ch.end()
        assert.deepEqual(await read(ch), [])
        await world.quiet()
      }
      assert.deepEqual([over, here.state, there.state], [5, 'open', 'open'])
    }))

  test('left by its opener, it ends for who serves it, who is told at the next send', () =>
    simulate(async (world) => {
      const told: string[] = []
      const { there, server } = await pair(world, protocol, {
        maxStreams: 1,
        handlers: {
          async echo(ch, { signal }) {
            signal.addEventListener('abort', () => told.push('signal'))
            try {
              for (;;) {
                await ch.send('tick')
                await world.sim.sleep(10)
              }
            } finally {
              told.push('finally')
            }
          },
        },
      })
      for (let round = 0; round < 3; round++) {
        assert.deepEqual(await read(there.channel('echo'), 2), ['tick', 'tick'])
        await world.sim.sleep(50)
        assert.deepEqual(told.splice(0).sort(), ['finally', 'signal'])
      }
      assert.equal(server.stats().faults, 0)
    }))

  test('left by who serves it, its opener hears of the end, can send no more, and has its place back', () =>
    simulate(async (world) => {
      const { there } = await pair(world, protocol, {
        maxStreams: 1,
        handlers: {
          async echo(ch) {
            for await (const text of ch) {
              await ch.send(text)
              return
            }
          },
        },
      })
      for (let round = 0; round < 3; round++) {
        const ch = there.channel('echo')
        await ch.send('a')
        assert.deepEqual(await read(ch), ['a'])
        await world.quiet()
        await assert.rejects(ch.send('b'), coded('CANCELLED', /./))
      }
    }))

  test('a handler that throws: what it sent, then the error; and the same the other way round', () =>
    simulate(async (world) => {
      const { there, server } = await pair(world, protocol, {
        handlers: {
          async echo(ch) {
            await ch.send('a')
            throw new Error('hunter2')
          },
        },
      })
      const faults = all(server, 'fault')
      const ch = there.channel('echo')
      const got: string[] = []
      await assert.rejects(async () => {
        for await (const text of ch) got.push(text)
      }, remote('HANDLER_FAILED'))
      assert.equal(faults.length, 1)
      await world.quiet()
      await assert.rejects(ch.send('b'), coded('CANCELLED', /./))
    }))

  test('a handler that throws in the middle of reading: its opener hears of that, not of an end', () =>
    simulate(async (world) => {
      const { there, server } = await pair(world, protocol, {
        maxStreams: 1,
        handlers: {
          async echo(ch) {
            for await (const text of ch) {
              await ch.send(text)
              throw new CallError('BROKEN')
            }
          },
        },
      })
      const faults = all(server, 'fault')
      for (let round = 0; round < 3; round++) {
        const ch = there.channel('echo')
        const got: string[] = []
        for (const text of ['a', 'b', 'c']) await ch.send(text)
        await assert.rejects(async () => {
          for await (const text of ch) got.push(text)
        }, remote('BROKEN'))
        assert.deepEqual(got, ['a'])
        await world.quiet()
        await assert.rejects(ch.send('d'), coded('CANCELLED', /./))
      }
      assert.equal(faults.length, 0)
    }))

  test('a handler that has left its loop may go on to send; what comes is dropped, and holds nobody up', () =>
    simulate(async (world) => {
      const { there } = await pair(world, protocol, {
        streamWindow: 65_536,
        handlers: {
          async echo(ch) {
            for await (const _ of ch) break
            await world.sim.sleep(100)
            await ch.send('bye')
          },
        },
      })
      const ch = there.channel('echo')
      for (let i = 0; i < 50; i++) await ch.send('x'.repeat(10_000))
      assert.deepEqual(await read(ch), ['bye'])
      assert.equal(world.sim.now() >= 100, true)
      await world.quiet()
      await assert.rejects(ch.send('d'), coded('CANCELLED', /./))
    }))

  test('what the schema refuses ends it', () =>
    simulate(async (world) => {
      const { there, server } = await pair(world, protocol, { handlers: echo })
      const [faults, invalid] = [all(server, 'fault'), all(server, 'invalid')]
      const ch = there.channel('echo')
      await ch.send(1 as never)
      await assert.rejects(read(ch), remote('BAD_MESSAGE'))
      // The far side's doing, and no failure of a handler that let it pass.
      assert.deepEqual([faults.length, server.stats().faults], [0, 0])
      assert.deepEqual([invalid.map(({ type }) => type), server.stats().invalid], [['echo'], 1])
      assert.deepEqual([invalid[0]!.error.code, [...invalid[0]!.payload]], ['BAD_MESSAGE', [0x31]])
      assert.equal(there.state, 'open')
    }))

  test('what the schema refuses is told though the handler expects it; what the handler throws then is its own', () =>
    simulate(async (world) => {
      const { there, server } = await pair(world, protocol, {
        handlers: {
          async echo(words) {
            try {
              for await (const word of words) await words.send(word)
            } catch {
              throw new Error('of the handler')
            }
          },
        },
      })
      const [faults, invalid] = [all(server, 'fault'), all(server, 'invalid')]
      const ch = there.channel('echo')
      await ch.send(1 as never)
      await assert.rejects(read(ch), remote('BAD_MESSAGE'))
      await world.quiet()
      assert.deepEqual([faults.length, invalid.length], [1, 1])
    }))

  test('send waits while nobody reads at the other end', () =>
    simulate(async (world) => {
      const gate = signal()
      const { there } = await pair(world, protocol, {
        handlers: {
          async echo(ch) {
            await gate.promise
            await read(ch)
          },
        },
      })
      const ch = there.channel('echo')
      let sent = 0
      const sending = (async () => {
        for (; sent < 100; sent++) await ch.send('x'.repeat(20_000))
      })()
      await world.sim.sleep(1000)
      assert.ok(sent > 12 && sent < 40, `${sent} were sent`)
      gate.give()
      await sending
      assert.equal(sent, 100)
      await ch.end()
    }))

  test('the connection ends: send rejects, also one that waits, and reading ends with PEER_GONE', () =>
    simulate(async (world) => {
      const { there, here } = await pair(world, protocol, {
        handlers: { echo: () => new Promise(() => undefined) },
      })
      const ch = there.channel('echo')
      const sends = range(40).map(() => ch.send('x'.repeat(20_000)).then(() => 'sent', codeOf))
      const reading = read(ch).catch(codeOf)
      await world.quiet()
      here.close()
      const codes = await Promise.all(sends)
      assert.ok(codes.includes('PEER_GONE'), codes.join())
      assert.equal(await reading, 'PEER_GONE')
      await assert.rejects(ch.send('x'), coded('PEER_GONE', /./))
    }))

  test('a signal gives it up: the handler is told', () =>
    simulate(async (world) => {
      const told: string[] = []
      const { there } = await pair(world, protocol, {
        handlers: {
          echo: (_ch, { signal }) =>
            new Promise<void>((resolve) =>
              signal.addEventListener('abort', () => {
                told.push(codeOf(signal.reason))
                resolve()
              }),
            ),
        },
      })
      const aborter = new AbortController()
      const ch = there.channel('echo', { signal: aborter.signal })
      const reading = assert.rejects(read(ch), coded('ABORTED', /given up/))
      await world.quiet()
      aborter.abort()
      await reading
      await assert.rejects(ch.send('x'), coded('CANCELLED', /./))
      await world.quiet()
      assert.deepEqual(told, ['CANCELLED'])
    }))
})

describe('strangers', GUARD, () => {
  test('an END or ITEM behind the end is against the rules', () =>
    knocking(async (world, door) => {
      const { server, far: dialer } = await far(world, door, protocol, {
        handlers: {
          async echo(ch) {
            await read(ch)
            await new Promise(() => undefined)
          },
        },
      })
      const gone = next(server, 'gone')
      // Of the names of the contract: chunks, count, echo.
      dialer.send(kinds.OPEN, { lane: 5, type: 2 })
      dialer.send(kinds.END, { lane: 5 })
      dialer.send(kinds.ITEM, { lane: 5 }, '"late"')
      assert.ok(coded('PROTOCOL_ERROR', /ITEM on lane 5, which had ended/)((await gone).error))
    }))

  test('more than the window is against the rules', () =>
    knocking(async (world, door) => {
      const { server, far: dialer } = await far(world, door, protocol, {
        streamWindow: 65_536,
        handlers: { echo: () => new Promise(() => undefined) },
      })
      const gone = next(server, 'gone')
      dialer.send(kinds.OPEN, { lane: 5, type: 2 })
      for (let i = 0; i < 3; i++) dialer.send(kinds.ITEM, { lane: 5 }, JSON.stringify('x'.repeat(25_000)))
      assert.ok(coded('PROTOCOL_ERROR', /were granted/)((await gone).error))
    }))

  test('CANCEL without END, of a channel: the handler’s loop ends, and the lane is free', () =>
    knocking(async (world, door) => {
      let over = 0
      const { far: dialer } = await far(world, door, protocol, {
        maxStreams: 1,
        handlers: {
          async echo(ch) {
            try {
              await read(ch)
            } finally {
              over++
            }
          },
        },
      })
      for (const lane of [5, 7, 9]) {
        dialer.send(kinds.OPEN, { lane, type: 2 })
        dialer.send(kinds.ITEM, { lane }, '"a"')
        dialer.send(kinds.CANCEL, { lane })
        dialer.send(kinds.CANCEL, { lane })
        await world.quiet()
      }
      assert.equal(over, 3)
      assert.deepEqual(
        dialer.of('END', 'RESET').map(({ lane }) => lane),
        [5, 7, 9],
      )
    }))

  for (const [kind, name] of [
    [kinds.CANCEL, 'CANCEL'],
    [kinds.RESET, 'RESET'],
  ] as const)
    test(`a ${name} in the middle of an OPEN gives it up: it is answered, and nothing was opened`, () =>
      knocking(async (world, door) => {
        let opened = 0
        const { server, far: dialer } = await far(world, door, protocol, {
          maxStreams: 1,
          handlers: { count: () => (opened++, []) },
        })
        for (const lane of [5, 7]) {
          dialer.send(kinds.OPEN, { lane, type: 1, flags: kinds.MORE }, '1')
          dialer.send(kind, { lane })
          await world.quiet()
        }
        assert.deepEqual(
          dialer.of('END', 'RESET').map(({ lane }) => lane),
          [5, 7],
        )
        assert.deepEqual([opened, server.knownPeers.length], [0, 1])
      }))
})
