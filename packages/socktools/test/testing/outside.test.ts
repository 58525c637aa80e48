import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes, randomInt, randomUUID } from 'node:crypto'
import { lookup } from 'node:dns'
import { readFile as readFileBack, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import net from 'node:net'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { type Sim, simulate } from '../../src/testing/index.ts'
import { coded } from '../support/coded.ts'

const world = (scenario: (sim: Sim) => Promise<void>): Promise<void> =>
  simulate({ nodes: 2, faults: 'none', duration: 0, seed: 9 }, scenario).then(() => undefined)

const of = (on: object, ...names: string[]): unknown[] =>
  names.map((name) => Reflect.get(on, name) as unknown)

/** All that a simulation replaces, as it is now. */
const outside = (): unknown[] => [
  ...of(globalThis, 'Date', 'setTimeout', 'setInterval', 'setImmediate', 'fetch'),
  ...of(globalThis, 'clearTimeout', 'clearInterval', 'clearImmediate'),
  ...of(Math, 'random'),
  ...of(performance, 'now'),
  ...of(AbortSignal, 'timeout'),
  ...of(process, 'hrtime'),
  ...of(crypto, 'randomUUID', 'getRandomValues'),
  ...[randomBytes, randomUUID, randomInt, readFile, readFileBack, lookup, spawn, sleep],
  ...of(net.Socket.prototype, 'connect'),
  ...of(net.Server.prototype, 'listen'),
  ...process.listeners('unhandledRejection'),
]

describe('while a simulation runs', () => {
  test('clocks tell virtual time', () =>
    world(async (sim) => {
      const began = [Date.now(), performance.now(), process.hrtime.bigint(), new Date().getTime()] as const
      await sim.sleep(3_000_000)
      assert.equal(Date.now() - began[0], 3_000_000)
      assert.equal(performance.now() - began[1], 3_000_000)
      assert.equal(process.hrtime.bigint() - began[2], 3_000_000_000_000n)
      assert.equal(new Date().getTime() - began[3], 3_000_000)
      assert.equal(new Date(0).toISOString(), '1970-01-01T00:00:00.000Z')
      assert.ok(new Date() instanceof Date)
      assert.match((Date as unknown as () => string)(), /2026/)
    }))

  test('timers fire at their virtual times, in order, and not when they were cleared', () =>
    world(async (sim) => {
      const fired: string[] = []
      const began = sim.clock.now()
      const mark = (what: string): void => void fired.push(`${what} ${sim.clock.now() - began}`)
      setTimeout(mark, 3000, 'timeout')
      setImmediate(mark, 'immediate')
      const interval = setInterval(mark, 1000, 'interval')
      clearTimeout(setTimeout(mark, 10, 'cleared'))
      clearImmediate(setImmediate(mark, 'cleared'))
      const refreshed = setTimeout(mark, 2000, 'refreshed')
      await sleep(1500)
      refreshed.refresh()
      assert.ok(refreshed.hasRef())
      await promisify(setTimeout)(1000)
      clearInterval(interval)
      assert.equal(await sleep(2000, 'value'), 'value')
      assert.deepEqual(fired, [
        ...['immediate 0', 'interval 1000', 'interval 2000', 'timeout 3000', 'refreshed 3500'],
      ])
    }))

  test('signals time out in virtual time, and end a wait', () =>
    world(async (sim) => {
      const signal = AbortSignal.timeout(5000)
      await assert.rejects(sleep(60_000, undefined, { signal }), { name: 'AbortError' })
      assert.deepEqual([sim.clock.now(), (signal.reason as Error).name], [5000, 'TimeoutError'])
    }))

  test('chance comes from the seed', async () => {
    const drawn = async (): Promise<unknown[]> => {
      let all: unknown[] = []
      await world(async () => {
        all = [
          Math.random(),
          randomUUID(),
          crypto.randomUUID(),
          randomInt(100),
          randomInt(5, 9),
          [...randomBytes(4)],
        ]
        all.push([...crypto.getRandomValues(new Uint8Array(4))])
      })
      return all
    }
    const first = await drawn()
    assert.deepEqual(await drawn(), first)
    assert.match(String(first[1]), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    assert.notEqual(first[1], first[2])
  })

  test('a node has a clock and chance of its own, and its timers end with it', async () => {
    await simulate(
      { nodes: 2, duration: 5000, faults: [{ at: 2000, kind: 'kill', nodes: [1], for: 1000 }] },
      async (sim) => {
        const seen: { wall: number; chance: number }[] = []
        let ticks = 0
        await sim.boot((me) => {
          seen[me.node] ??= { wall: Date.now() - me.clock.wall(), chance: Math.random() }
          if (me.node === 1 && me.life === 1) setInterval(() => ticks++, 100)
        })
        assert.deepEqual(
          seen.map(({ wall }) => wall),
          [0, 0],
        )
        assert.notEqual(seen[0]!.chance, seen[1]!.chance)
        await sim.sleep(5000)
        assert.equal(ticks, 19)
      },
    )
  })

  test('real I/O throws, and says what to use instead', () =>
    world(async () => {
      const real: (() => unknown)[] = [
        () => readFile('/etc/hosts'),
        () => readFileBack('/etc/hosts', () => undefined),
        () => lookup('localhost', () => undefined),
        () => spawn('true'),
        () => fetch('http://127.0.0.1/'),
        () => net.connect(1),
        () => net.createServer().listen(0),
      ]
      for (const one of real) assert.throws(one, coded('SIMULATION_REAL_IO', /sock, the disk and the timers/))
      assert.ok(readFileSync(import.meta.filename).length > 0)
    }))

  test('a second one is SIMULATION_RUNNING', () =>
    world(async () => {
      await assert.rejects(
        world(async () => undefined),
        coded('SIMULATION_RUNNING', /await one simulation/),
      )
    }))
})

describe('after a simulation', () => {
  test('everything is as it was, however it ended', async () => {
    const before = outside()
    await world(async () => {
      for (const [i, one] of outside().entries()) assert.notEqual(one, before[i], String(i))
    })
    assert.deepEqual(outside(), before)
    await assert.rejects(world(() => Promise.reject(new Error('boom'))))
    assert.deepEqual(outside(), before)
    await assert.rejects(
      world(() => {
        throw new Error('boom')
      }),
    )
    assert.deepEqual(outside(), before)
    assert.ok(Math.abs(Date.now() - new Date().getTime()) < 1000)
    assert.ok((await readFile(import.meta.filename)).length > 0)
  })

  test('a timer set before it fires after it', async () => {
    const fired = sleep(1, 'fired')
    const back = new Promise((resolve) => setTimeout(resolve, 1, 'back'))
    await world((sim) => sim.sleep(1e6))
    assert.deepEqual(await Promise.all([fired, back]), ['fired', 'back'])
  })
})
