/**
 * Socks that come into a MetaSock and leave it while messages flow. What is promised: when a message comes to the
 * handlers of its sock, the metas that the sock is in then are those that handle it, to the end.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { json, type MetaSock, type PipeSock } from '../../src/index.ts'
import { noCrashes } from '../support/crashes.ts'
import { all, signal } from '../support/events.ts'
import { GUARD } from '../support/tcp.ts'
import { simulate, type World } from '../support/world.ts'

noCrashes()

type Json = ReturnType<typeof json>

describe('in the midst of messages', GUARD, () => {
  /** A sock whose handler is at work on `1`, with `2` behind it. */
  const busy = async (world: World, meta: MetaSock, before: (sock: PipeSock<Json>) => void) => {
    const steps: string[] = []
    const end = signal()
    meta.addHandler('say', async (n) => {
      steps.push(`meta ${String(n)}`)
      await world.sim.sleep(1)
    })
    const sock = await world.open({ bind: 'memory:a', codec: json() })
    before(sock)
    sock.addHandler('say', async (n) => {
      steps.push(`sock ${String(n)}`)
      if (n === 1) await end.promise
    })
    const client = await world.open({ connect: 'memory:a', codec: json() })
    for (const n of [1, 2]) await client.sendMsg('say', n)
    await world.quiet()
    assert.deepEqual(steps, ['sock 1'])
    return { sock, steps, end }
  }

  test('remove: what the sock is at work on is finished by the meta, what waits is its own', () =>
    simulate(async (world) => {
      const meta = world.meta()
      const { sock, steps, end } = await busy(world, meta, (one) => meta.add(one))
      assert.equal(meta.remove(sock), true)
      end.give()
      await world.sim.sleep(100)
      assert.deepEqual(steps, ['sock 1', 'meta 1', 'sock 2'])
    }))

  test('add: what the sock is at work on is its own, what waits is for the meta as well', () =>
    simulate(async (world) => {
      const meta = world.meta()
      const { sock, steps, end } = await busy(world, meta, () => undefined)
      meta.add(sock)
      end.give()
      await world.sim.sleep(100)
      assert.deepEqual(steps, ['sock 1', 'sock 2', 'meta 2'])
    }))

  test('a meta that leaves another: what is at work below is finished by both', () =>
    simulate(async (world) => {
      const [inner, outer] = [world.meta(), world.meta()]
      outer.add(inner)
      const { steps, end } = await busy(world, inner, (one) => inner.add(one))
      outer.addHandler('say', (n) => steps.push(`outer ${String(n)}`))
      outer.remove(inner)
      end.give()
      await world.sim.sleep(100)
      assert.deepEqual(steps, ['sock 1', 'meta 1', 'outer 1', 'sock 2', 'meta 2'])
    }))

  test('middleware that takes its time: what counts is where the sock is when it is through', () =>
    simulate(async (world) => {
      const steps: string[] = []
      const meta = world.meta({ override: true, handlers: { say: (n) => steps.push(`meta ${String(n)}`) } })
      const handlers = { say: (n: unknown) => steps.push(`sock ${String(n)}`) }
      const sock = await world.open({ bind: 'memory:a', codec: json(), handlers })
      sock.use(async (_message, _context, next) => {
        await world.sim.sleep(100)
        await next()
      })
      const client = await world.open({ connect: 'memory:a', codec: json() })
      for (const n of [1, 2]) await client.sendMsg('say', n)
      await world.sim.sleep(50)
      meta.add(sock)
      await world.sim.sleep(100)
      assert.deepEqual(steps, ['meta 1'])
      meta.remove(sock)
      await world.sim.sleep(100)
      assert.deepEqual(steps, ['meta 1', 'sock 2'])
    }))

  test('a handler of the meta that lets go of the sock has had its message, and no other comes', () =>
    simulate(async (world) => {
      const steps: string[] = []
      const meta: MetaSock = world.meta({
        override: true,
        handlers: {
          say: (n, { sock }) => {
            steps.push(`meta ${String(n)}`)
            assert.equal(meta.remove(sock), true)
          },
        },
      })
      const handlers = { say: (n: unknown) => steps.push(`sock ${String(n)}`) }
      meta.add(await world.open({ bind: 'memory:a', codec: json(), handlers }))
      const client = await world.open({ connect: 'memory:a', codec: json() })
      for (const n of [1, 2]) void client.sendMsg('say', n)
      await world.quiet()
      assert.deepEqual(steps, ['meta 1', 'sock 2'])
    }))

  test('a sock closed while it is at work: the meta finishes that message, and its sock has left', () =>
    simulate(async (world) => {
      const meta = world.meta()
      const { sock, steps, end } = await busy(world, meta, (one) => meta.add(one))
      await sock.close()
      assert.equal(meta.remove(sock), false)
      end.give()
      await world.sim.sleep(100)
      assert.deepEqual(steps, ['sock 1', 'meta 1'])
    }))
})

describe('whenever a sock comes and goes', GUARD, () => {
  interface Plan {
    readonly seed: number
    readonly override: boolean
    readonly moves: number[]
  }
  const plans: fc.Arbitrary<Plan> = fc.record({
    seed: fc.nat(),
    override: fc.boolean(),
    moves: fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 30 }),
  })

  test('each message is handled once by each who is to handle it, in order, and none is unhandled', () =>
    fc.assert(
      fc.asyncProperty(plans, async ({ seed, override, moves }) => {
        await simulate(
          async (world) => {
            const { random } = world.sim
            const by = { sock: [] as number[], meta: [] as number[] }
            const handler =
              (name: keyof typeof by) =>
              (n: unknown): Promise<void> | undefined => {
                by[name].push(n as number)
                return random() < 0.5 ? world.sim.sleep(random() * 20) : undefined
              }
            const meta = world.meta({ override, handlers: { say: handler('meta') } })
            const sock = await world.open({
              bind: 'memory:a',
              codec: json(),
              handlers: { say: handler('sock') },
            })
            const unhandled = all(sock, 'unhandled')
            const client = await world.open({ connect: 'memory:a', codec: json() })
            const sending = (async () => {
              for (let n = 0; n < 60; n++) {
                void client.sendMsg('say', n)
                await world.sim.sleep(random() * 10)
              }
            })()
            let inside = false
            for (const wait of moves) {
              if (inside) meta.remove(sock)
              else meta.add(sock)
              inside = !inside
              await world.sim.sleep(wait)
            }
            await sending
            await world.sim.sleep(60_000)
            const inOrder = Array.from({ length: 60 }, (_, n) => n)
            if (override)
              assert.deepEqual(
                [...by.sock, ...by.meta].sort((a, b) => a - b),
                inOrder,
              )
            else assert.deepEqual(by.sock, inOrder)
            for (const list of [by.sock, by.meta])
              assert.deepEqual(
                list,
                [...new Set(list)].sort((a, b) => a - b),
              )
            assert.deepEqual(unhandled, [])
          },
          { seed },
        )
      }),
      { numRuns: 100 },
    ))
})
