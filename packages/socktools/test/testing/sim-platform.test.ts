import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SimPlatform, xoshiro128 } from '../../src/testing/sim-platform.ts'
import { platformSuite } from '../platform/platform-suite.ts'

platformSuite('simulated', () => {
  const platform = new SimPlatform(3)
  return { platform, run: (scenario) => platform.run(scenario) }
})

describe('SimPlatform', () => {
  test('the clock stands still until run moves it, and then jumps from event to event', async () => {
    const sim = new SimPlatform()
    const seen: number[] = []
    for (const ms of [86_000_000, 0.5, 7]) sim.setTimer(() => seen.push(sim.now()), ms)
    assert.equal(sim.now(), 0)
    await sim.run(() => sim.sleep(86_000_000))
    assert.deepEqual(seen, [0.5, 7, 86_000_000])
    assert.equal(sim.now(), 86_000_000)
  })

  test('the clock stands still during an event and all that it deferred', async () => {
    const sim = new SimPlatform()
    await sim.run(async () => {
      await sim.sleep(10)
      await Promise.resolve()
      await new Promise<void>((resolve) => sim.defer(resolve))
      await new Promise<void>((resolve) => sim.afterPoll(resolve))
      assert.equal(sim.now(), 10)
    })
  })

  test('thousands of timers, set, cancelled and set from within others, fire in order', async () => {
    const sim = new SimPlatform(5)
    const random = xoshiro128(6)
    let [last, fired, cancelled] = [0, 0, 0]
    const fire = (due: number, again: number) => (): void => {
      assert.equal(sim.now(), due)
      assert.ok(due >= last, `${due} after ${last}`)
      last = due
      fired++
      if (again > 0) set(again - 1)
    }
    const set = (again: number): void => {
      const ms = Math.floor(random() * 1000)
      const timer = sim.setTimer(fire(sim.now() + ms, again), ms)
      if (random() < 0.2) {
        timer.cancel()
        cancelled++
        set(again)
      }
    }
    for (let i = 0; i < 5000; i++) set(3)
    await sim.run(() => sim.sleep(10_000))
    assert.equal(fired, 20_000)
    assert.ok(cancelled > 3000, String(cancelled))
  })

  test('the same seed gives the same bytes, another one others', () => {
    const bytes = (seed: number): Uint8Array => new SimPlatform(seed).randomBytes(32)
    assert.deepEqual(bytes(7), bytes(7))
    assert.notDeepEqual(bytes(7), bytes(8))
  })

  test('a cancelled timer does not move the clock', async () => {
    const sim = new SimPlatform()
    sim.setTimer(() => assert.fail(), 50).cancel()
    await sim.run(() => sim.sleep(10))
    assert.equal(sim.now(), 10)
  })

  test('a time that has passed is now', async () => {
    const sim = new SimPlatform()
    await sim.run(() => sim.sleep(100))
    await sim.run(() => new Promise<void>((resolve) => sim.setTimer(resolve, -50)))
    assert.equal(sim.now(), 100)
  })

  /** What a program that draws lots sees: times, order and numbers. */
  const traced = async (seed: number): Promise<string> => {
    const sim = new SimPlatform(seed)
    const trace: string[] = []
    const step = (left: number): void => {
      trace.push(`${sim.now()} ${left} ${sim.random()}`)
      if (left === 0) return
      sim.setTimer(() => step(left - 1), sim.random() * 100)
      if (sim.random() < 0.3) sim.afterPoll(() => trace.push('poll'))
      if (sim.random() < 0.3) void Promise.resolve().then(() => sim.defer(() => trace.push('deferred')))
    }
    for (let i = 0; i < 5; i++) step(40)
    await sim.run(() => sim.sleep(10_000))
    return trace.join('\n')
  }

  test('the same seed gives the same run; another gives another', async () => {
    assert.equal(await traced(42), await traced(42))
    assert.notEqual(await traced(42), await traced(43))
    assert.notEqual(await traced(0), await traced(1))
  })

  test('a run can be told by its seed for good: these numbers never change', () => {
    const random = xoshiro128(1)
    const drawn = Array.from({ length: 4 }, () => Math.floor(random() * 2 ** 32))
    assert.deepEqual(drawn, [393_288_148, 2_174_103_013, 3_814_759_091, 2_092_745_082])
  })

  describe('run', () => {
    test('gives what the scenario gave, and what it threw', async () => {
      const sim = new SimPlatform()
      assert.equal(await sim.run(async () => 7), 7)
      assert.equal(await sim.run(() => sim.sleep(5).then(() => 8)), 8)
      const boom = new Error('boom')
      await assert.rejects(
        sim.run(() => sim.sleep(5).then(() => Promise.reject(boom))),
        boom,
      )
      await assert.rejects(
        sim.run(() => Promise.reject(boom)),
        boom,
      )
    })

    test('throws when nothing is left that could wake the scenario, and says when', async () => {
      const sim = new SimPlatform()
      const stuck = sim.run(async () => {
        await sim.sleep(30)
        sim.setTimer(() => assert.fail(), 5).cancel()
        await new Promise(() => undefined)
      })
      await assert.rejects(stuck, /waits for something that never happens, at 30 ms/)
    })

    test('throws at its limit instead of going on for ever', async () => {
      const sim = new SimPlatform()
      const again = (): void => void sim.setTimer(again, 10)
      again()
      await assert.rejects(
        sim.run(() => new Promise(() => undefined), { limit: 1000 }),
        /not done after 1000 ms/,
      )
      assert.ok(sim.now() <= 1000, String(sim.now()))
    })

    test('throws what a timer or something deferred throws', async () => {
      for (const how of ['setTimer', 'defer', 'afterPoll'] as const) {
        const sim = new SimPlatform()
        const run = sim.run(() => {
          const boom = (): void => assert.fail('boom')
          if (how === 'setTimer') sim.setTimer(boom, 1)
          else sim[how](boom)
          return sim.sleep(10)
        })
        await assert.rejects(run, /boom/, how)
      }
    })

    test('leaves what is not due for the next run, and goes on where the clock stands', async () => {
      const sim = new SimPlatform()
      const seen: number[] = []
      sim.setTimer(() => seen.push(sim.now()), 50)
      await sim.run(() => sim.sleep(10))
      assert.deepEqual([seen, sim.now()], [[], 10])
      await sim.run(() => sim.sleep(100))
      assert.deepEqual([seen, sim.now()], [[50], 110])
    })
  })

  test('report keeps what it is told', () => {
    const sim = new SimPlatform()
    const error = new Error('lost')
    sim.report(error)
    assert.deepEqual(sim.reports, [error])
  })
})
