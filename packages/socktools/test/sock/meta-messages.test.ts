/** What becomes of a message whose sock is in a MetaSock, or in several, one in the other. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type AnyCodec, json, type MetaSock, type PipeSock } from '../../src/index.ts'
import { noCrashes } from '../support/crashes.ts'
import { all, signal } from '../support/events.ts'
import { GUARD } from '../support/tcp.ts'
import { simulate, type World } from '../support/world.ts'

noCrashes()

type Json = ReturnType<typeof json>

/** A sock at memory:a in `metas`, the first around it and each in the next, and somebody who talks to it. */
async function nested(
  world: World,
  metas: readonly MetaSock[],
): Promise<{ sock: PipeSock<Json>; say: (type: string, data?: unknown) => Promise<void> }> {
  const sock = await world.open({ bind: 'memory:a', codec: json() })
  metas.reduce<PipeSock<Json> | MetaSock>((inner, meta) => (meta.add<typeof inner>(inner), meta), sock)
  const client = await world.open({ connect: 'memory:a', codec: json() })
  return {
    sock,
    say: async (type, data = 0) => {
      await client.sendMsg(type, data)
      await world.quiet()
    },
  }
}

describe('a message', GUARD, () => {
  test('reaches the handlers of the meta, with the sock that has the peer, by name or number', () =>
    simulate(async (world) => {
      const heard: unknown[] = []
      const outer = world.meta()
      const meta = world.meta({
        handlers: {
          0: (data, { type }) => heard.push([type, Buffer.from(data as Uint8Array).toString()]),
          say: (data, { type, sock, peer, signal }) => {
            assert.equal(signal, peer.signal)
            heard.push([type, data, sock, peer])
          },
        },
      })
      outer.add(meta)
      outer.addHandler('say', (_data, { sock }) => heard.push(sock))
      meta.add(await world.open({ bind: 'memory:raw' }))
      const named = meta.add(await world.open({ bind: 'memory:json', codec: json() }))
      await (await world.open({ connect: 'memory:raw' })).sendMsg(0, 'bytes')
      await world.quiet()
      await (await world.open({ connect: 'memory:json', codec: json() })).sendMsg('say', 'hello')
      await world.quiet()
      assert.deepEqual(heard[0], [0, 'bytes'])
      assert.deepEqual((heard[1] as unknown[]).slice(0, 2), ['say', 'hello'])
      assert.equal((heard[1] as unknown[])[2], named)
      assert.equal((heard[1] as unknown[])[3], named.knownPeers[0])
      assert.equal(heard[2], named)
      assert.equal(heard.length, 3)
    }))

  test('is handled by its own sock first, then by each meta around it, when what was before has settled', () =>
    simulate(async (world) => {
      const steps: string[] = []
      const slow =
        (name: string) =>
        async (data: unknown): Promise<void> => {
          steps.push(`${name} ${String(data)} begins`)
          await world.sim.sleep(10)
          steps.push(`${name} ${String(data)} ends`)
        }
      const metas = ['m1', 'm2'].map((name) => world.meta({ handlers: { say: slow(name) } }))
      const { sock, say } = await nested(world, metas)
      sock.addHandler('say', slow('sock'))
      sock.addHandler('say', slow('sock, second'))
      await say('say', 1)
      await say('say', 2)
      await world.sim.sleep(1000)
      const expected = [1, 2].flatMap((n) =>
        ['sock', 'sock, second', 'm1', 'm2'].flatMap((name) => [`${name} ${n} begins`, `${name} ${n} ends`]),
      )
      assert.deepEqual(steps, expected)
    }))

  for (let seed = 1; seed <= 5; seed++) {
    test(`keeps its place among those of its peer, whoever takes his time, three metas deep (seed ${seed})`, () =>
      simulate(
        async (world) => {
          const { random } = world.sim
          /** Per peer, what was done for it, in order; and over all, whose turn it was. */
          const done = new Map<string, string[]>()
          const turns: string[] = []
          const step =
            (name: string) =>
            (data: unknown): Promise<void> | undefined => {
              const [who, n] = data as [string, number]
              done.set(who, [...(done.get(who) ?? []), `${n} ${name}`])
              turns.push(who)
              return random() < 0.5 ? undefined : world.sim.sleep(random() * 5)
            }
          const metas = ['m1', 'm2', 'm3'].map((name) => {
            const meta = world.meta({ handlers: { say: step(name) } })
            meta.use(async (_message, _context, next) => {
              if (random() < 0.3) await world.sim.sleep(random() * 5)
              await next()
            })
            return meta
          })
          await nested(world, metas)
          // One sock in each meta, two who talk to each.
          const all: string[] = []
          for (const [i, meta] of metas.entries()) {
            meta.add(
              await world.open({ bind: `memory:s${i}`, codec: json(), handlers: { say: step('sock') } }),
            )
            for (const who of [`s${i} ann`, `s${i} bob`]) {
              all.push(who)
              const client = await world.open({ connect: `memory:s${i}`, codec: json() })
              for (let n = 0; n < 50; n++) void client.sendMsg('say', [who, n])
            }
          }
          await world.sim.sleep(60_000)
          for (const who of all) {
            const depth = Number(who[1])
            const names = ['sock', 'm1', 'm2', 'm3'].filter((_name, at) => at === 0 || at > depth)
            const expected = Array.from({ length: 50 }, (_, n) => names.map((name) => `${n} ${name}`)).flat()
            assert.deepEqual(done.get(who), expected, who)
          }
          const changes = turns.filter((who, at) => at > 0 && turns[at - 1] !== who).length
          assert.ok(changes > 100, `peers did not wait for each other: ${changes} changes`)
        },
        { seed, weather: (random) => ({ latency: () => random() * 3, slice: () => 1 + random() * 100 }) },
      ))
  }

  test('one peer whose message takes long, at whatever level, holds up no other, on its sock or beside it', () =>
    simulate(async (world) => {
      const heard: unknown[] = []
      const never = signal()
      const handlers = { say: (data: unknown) => (data === 'stuck' ? never.promise : heard.push(data)) }
      const meta = world.meta({ handlers })
      const { say } = await nested(world, [meta])
      meta.add(await world.open({ bind: 'memory:b', codec: json() }))
      await say('say', 'stuck')
      await say('say', 'behind it')
      for (const address of ['memory:a', 'memory:b'])
        await (await world.open({ connect: address, codec: json() })).sendMsg('say', address)
      await world.quiet()
      assert.deepEqual(heard, ['memory:a', 'memory:b'])
      never.give()
      await world.quiet()
      assert.deepEqual(heard, ['memory:a', 'memory:b', 'behind it'])
    }))
})

describe('middleware', GUARD, () => {
  /** What happens to one message, with middleware and a handler at every level. */
  const scene = async (world: World) => {
    const steps: string[] = []
    const metas = [world.meta(), world.meta()]
    const { sock, say } = await nested(world, metas)
    for (const [at, level] of [sock as PipeSock<AnyCodec>, ...metas].entries()) {
      level.use(async (message, _context, next) => {
        steps.push(`${at} in`)
        if (message.data === `stop ${at}`) return
        if (message.data === `rename ${at}`) message.type = 'renamed'
        await next()
        steps.push(`${at} out`)
      })
      level.addHandler('say', () => steps.push(`${at}`))
    }
    return { steps, sock, metas, say }
  }

  test('of a meta is around the handlers of that meta, inside that of its socks', () =>
    simulate(async (world) => {
      const { steps, say } = await scene(world)
      await say('say')
      assert.deepEqual(steps, ['0 in', '0', '1 in', '1', '2 in', '2', '2 out', '1 out', '0 out'])
    }))

  test('that does not call next stops the message for all levels above, and nobody calls it unhandled', () =>
    simulate(async (world) => {
      const { steps, metas, say } = await scene(world)
      const unhandled = all(metas[1]!, 'unhandled')
      await say('say', 'stop 0')
      assert.deepEqual(steps.splice(0), ['0 in'])
      await say('say', 'stop 1')
      assert.deepEqual(steps.splice(0), ['0 in', '0', '1 in', '0 out'])
      await say('nobody takes this', 'stop 2')
      assert.deepEqual(unhandled, [])
    }))

  test('that changes a message changes it for its own handlers and those above', () =>
    simulate(async (world) => {
      const { steps, metas, say } = await scene(world)
      metas[1]!.addHandler('renamed', () => steps.push('2 renamed'))
      await say('say', 'rename 1')
      assert.deepEqual(steps, ['0 in', '0', '1 in', '2 in', '2 renamed', '2 out', '1 out', '0 out'])
    }))
})

describe('what a handler throws', GUARD, () => {
  for (const how of ['throws', 'rejects']) {
    const boom = (text: string) => (): Promise<never> => {
      if (how === 'rejects') return Promise.reject(new Error(text))
      throw new Error(text)
    }

    test(`that ${how} in the sock is a fault of the sock, thrown for its middleware; the meta handles the message`, () =>
      simulate(async (world) => {
        const heard: string[] = []
        const meta = world.meta({ handlers: { say: () => heard.push('meta') } })
        meta.use((_message, _context, next) => next())
        const { sock, say } = await nested(world, [meta])
        sock.use(async (_message, _context, next) => {
          await Promise.resolve(next()).catch((error: unknown) => heard.push((error as Error).message))
        })
        sock.addHandler('say', boom('of the sock'))
        const faults = [all(sock, 'fault'), all(meta, 'fault')]
        await say('say')
        assert.deepEqual(heard, ['meta', 'of the sock'])
        assert.deepEqual(
          faults.map((list) => list.map(({ error }) => (error.cause as Error).message)),
          [['of the sock'], ['of the sock']],
        )
        assert.deepEqual([sock.stats().faults, meta.stats().faults], [1, 1])
      }))

    test(`that ${how} in a meta is a fault of that meta, and the middleware of the sock sees nothing of it`, () =>
      simulate(async (world) => {
        const heard: string[] = []
        const metas = [world.meta({ handlers: { say: boom('of the meta') } }), world.meta()]
        const { sock, say } = await nested(world, metas)
        metas[1]!.addHandler('say', () => heard.push('outer'))
        sock.use(async (_message, _context, next) => {
          await next()
          heard.push('through')
        })
        const faults = [all(sock, 'fault'), all(metas[0]!, 'fault'), all(metas[1]!, 'fault')]
        await say('say')
        await say('say')
        assert.deepEqual(heard, ['outer', 'through', 'outer', 'through'])
        assert.deepEqual(
          faults.map((list) => list.map((fault) => fault.in)),
          [[], ['handler', 'handler'], ['handler', 'handler']],
        )
        assert.deepEqual([sock.stats().faults, metas[0]!.stats().faults], [0, 2])
      }))
  }

  test('is told at once, though handlers of a meta are still to come', () =>
    simulate(async (world) => {
      const meta = world.meta({ handlers: { say: () => world.sim.sleep(1000) } })
      const { sock, say } = await nested(world, [meta])
      sock.addHandler('say', async () => {
        throw new Error('at once')
      })
      const faults = all(sock, 'fault')
      await say('say')
      assert.equal(faults.length, 1)
      await world.sim.sleep(2000)
      assert.equal(faults.length, 1)
    }))
})

describe('override', GUARD, () => {
  test('keeps the handlers and messages() of the socks silent; their middleware and readRaw() are not', () =>
    simulate(async (world) => {
      const heard: string[] = []
      const meta = world.meta({ override: true, handlers: { say: () => heard.push('meta') } })
      const { sock, say } = await nested(world, [meta])
      sock.addHandler('say', () => heard.push('sock'))
      sock.use((_message, _context, next) => {
        heard.push('middleware of the sock')
        return next()
      })
      const [messages, raw] = [sock.messages(), sock.readRaw()]
      await say('say')
      assert.deepEqual(heard, ['middleware of the sock', 'meta'])
      assert.equal((await raw.next()).done, false)
      assert.equal(await world.stateOf(messages.next()), 'waits')
    }))

  test('nested: the outermost that overrides speaks for all within, and those around it are heard as well', () =>
    simulate(async (world) => {
      const heard: string[] = []
      const says = (name: string) => ({ handlers: { say: () => heard.push(name) } })
      const metas = [
        world.meta({ override: true, ...says('m1') }),
        world.meta({ override: true, ...says('m2') }),
        world.meta(says('m3')),
      ]
      metas[0]!.use((_message, _context, next) => {
        heard.push('middleware of m1')
        return next()
      })
      const { sock, say } = await nested(world, metas)
      sock.addHandler('say', () => heard.push('sock'))
      await say('say')
      assert.deepEqual(heard.splice(0), ['middleware of m1', 'm2', 'm3'])
      metas[2]!.remove(metas[1]!)
      await say('say')
      assert.deepEqual(heard.splice(0), ['middleware of m1', 'm2'])
      metas[1]!.remove(metas[0]!)
      await say('say')
      assert.deepEqual(heard.splice(0), ['middleware of m1', 'm1'])
      metas[0]!.remove(sock)
      await say('say')
      assert.deepEqual(heard, ['sock'])
    }))
})

describe('unhandled', GUARD, () => {
  test('once for the sock and each meta, when nobody at any level takes the message', () =>
    simulate(async (world) => {
      const metas = [world.meta(), world.meta()]
      const { sock, say } = await nested(world, metas)
      const events = [all(sock, 'unhandled'), ...metas.map((meta) => all(meta, 'unhandled'))]
      await say('nobody', 5)
      for (const list of events) {
        assert.deepEqual(
          list.map(({ type, data, peer }) => [type, data, peer]),
          [['nobody', 5, sock.knownPeers[0]]],
        )
      }
      assert.deepEqual(
        [sock, ...metas].map((one) => one.stats().unhandled),
        [1, 1, 1],
      )
    }))

  const takers: [string, (sock: PipeSock<Json>, metas: readonly MetaSock[]) => unknown][] = [
    ['a handler of the sock', (sock) => sock.addHandler('say', () => 1)],
    ['a handler of the inner meta', (_sock, [inner]) => inner!.addHandler('say', () => 1)],
    ['a handler of the outer meta', (_sock, [, outer]) => outer!.addHandler('say', () => 1)],
    ['messages() of the outer meta', (_sock, [, outer]) => outer!.messages('say')],
    ['readRaw() of the sock', (sock) => sock.readRaw()],
    ['readRaw() of the outer meta', (_sock, [, outer]) => outer!.readRaw()],
  ]
  for (const [who, take] of takers) {
    test(`not when it is taken by ${who}`, () =>
      simulate(async (world) => {
        const metas = [world.meta(), world.meta()]
        const { sock, say } = await nested(world, metas)
        take(sock, metas)
        await say('say')
        assert.deepEqual([sock.stats().unhandled, metas[1]!.stats().unhandled], [0, 0])
      }))
  }

  test('when only handlers that keep silent would have taken it', () =>
    simulate(async (world) => {
      const meta = world.meta({ override: true })
      const { sock, say } = await nested(world, [meta])
      sock.addHandler('say', () => 1)
      await say('say')
      assert.equal(meta.stats().unhandled, 1)
    }))
})

describe('what is read from a meta', GUARD, () => {
  test('messages() and readRaw() yield what comes to any sock in it, and end with it', () =>
    simulate(async (world) => {
      const outer = world.meta()
      const meta = outer.add(world.meta())
      const { sock, say } = await nested(world, [meta])
      sock.addHandler('say', () => undefined)
      meta.add(await world.open({ bind: 'memory:b', codec: json() }))
      const [some, every, raw] = [outer.messages('say'), outer.messages(), outer.readRaw()]
      await say('say', 1)
      await (await world.open({ connect: 'memory:b', codec: json() })).sendMsg('other', 2)
      await world.quiet()
      const { value } = await some.next()
      assert.deepEqual([value?.[0], value?.[1].type, value?.[1].sock], [1, 'say', sock])
      for (const expected of [1, 2]) assert.equal((await every.next()).value?.[0], expected)
      for (const expected of ['["say",1]', '["other",2]'])
        assert.equal(Buffer.from((await raw.next()).value?.[0] ?? []).toString(), expected)
      await outer.close()
      for (const reader of [some, every, raw]) assert.equal((await reader.next()).done, true)
    }))

  test('readRaw() sees what the codec of the sock cannot read, which is invalid there and here', () =>
    simulate(async (world) => {
      const meta = world.meta()
      const { sock } = await nested(world, [meta])
      const raw = meta.readRaw()
      const invalid = [all(sock, 'invalid'), all(meta, 'invalid')]
      const client = await world.open({ connect: 'memory:a' })
      await client.sendMsg(0, 'no JSON')
      await world.quiet()
      assert.equal((await raw.next()).done, false)
      assert.deepEqual(
        invalid.map((list) => list.length),
        [1, 1],
      )
      assert.equal(meta.stats().invalid, 1)
    }))
})
