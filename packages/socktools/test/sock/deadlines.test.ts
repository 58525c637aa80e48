import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Timer } from '../../src/platform/platform.ts'
import { Deadlines, grainOf } from '../../src/sock/deadlines.ts'
import { SimPlatform, xoshiro128 } from '../../src/testing/sim-platform.ts'
import { over } from './over.ts'

/** By how much a deadline of `ms` may be late. */
const slack = (ms: number): number => Math.max(4, ms / 32)

/** Deadlines on virtual time, and the system timers that they keep. */
function given(): {
  sim: SimPlatform
  deadlines: Deadlines
  timers: { set: number; alive: Set<Timer>; longest: number }
} {
  const platform = new SimPlatform()
  const timers = { set: 0, alive: new Set<Timer>(), longest: 0 }
  const setTimer = (fn: () => void, ms: number): Timer => {
    timers.set++
    timers.longest = Math.max(timers.longest, ms)
    const timer = platform.setTimer(() => {
      timers.alive.delete(timer)
      fn()
    }, ms)
    timers.alive.add(timer)
    return {
      cancel: () => {
        timers.alive.delete(timer)
        timer.cancel()
      },
    }
  }
  return { sim: platform, deadlines: new Deadlines(over(platform, { setTimer })), timers }
}

describe('Deadlines', () => {
  for (const ms of [0, 1, 3, 4, 5, 127, 128, 129, 1000, 9999, 10_000, 65_536, 86_400_000]) {
    test(`one of ${ms} ms fires in time, never early, and at most ${slack(ms)} ms late`, async () => {
      const { sim, deadlines } = given()
      await sim.run(
        async () => {
          for (const offset of [0, 1, 2, 3, 777]) {
            await sim.sleep(offset)
            const due = sim.now() + ms
            await new Promise<void>((resolve) => deadlines.set(ms, resolve))
            assert.ok(sim.now() >= due, `early by ${due - sim.now()}`)
            assert.ok(sim.now() <= due + slack(ms), `late by ${sim.now() - due}`)
          }
        },
        { limit: Infinity },
      )
    })
  }

  test('ten thousand at random, a third of them cancelled: each other one in time', async () => {
    const { sim, deadlines, timers } = given()
    const random = xoshiro128(9)
    let [fired, kept] = [0, 0]
    await sim.run(async () => {
      for (let i = 0; i < 10_000; i++) {
        if (i % 10 === 0) await sim.sleep(random() * 20)
        const ms = random() * 10 ** (1 + random() * 4)
        const due = sim.now() + ms
        const cancelled = random() < 0.33
        const deadline = deadlines.set(ms, () => {
          assert.ok(!cancelled, 'it was cancelled')
          assert.ok(sim.now() >= due, `early by ${due - sim.now()}`)
          // A system timer counts whole milliseconds, and this clock has fractions.
          assert.ok(sim.now() <= due + slack(ms) + 1, `late by ${sim.now() - due} of ${ms}`)
          fired++
        })
        if (!cancelled) kept++
        else if (random() < 0.5) deadline.cancel()
        else sim.setTimer(() => deadline.cancel(), ms * random())
      }
      await sim.sleep(200_000)
    })
    assert.equal(fired, kept)
    assert.equal(timers.alive.size, 0)
  })

  test('thousands that fall close together share a timer', async () => {
    const { sim, deadlines, timers } = given()
    let fired = 0
    for (let i = 0; i < 5000; i++) deadlines.set(10_000, () => fired++)
    assert.equal(timers.alive.size, 1)
    await sim.run(() => sim.sleep(11_000))
    assert.equal(fired, 5000)
    assert.ok(timers.set <= 2, `${timers.set} timers for one time`)
  })

  test('an earlier one that comes later is not held up', async () => {
    const { sim, deadlines } = given()
    const fired: string[] = []
    deadlines.set(1000, () => fired.push('late'))
    deadlines.set(10, () => fired.push('early'))
    await sim.run(() => sim.sleep(50))
    assert.deepEqual(fired, ['early'])
    await sim.run(() => sim.sleep(2000))
    assert.deepEqual(fired, ['early', 'late'])
  })

  test('when the last is cancelled no timer keeps the process alive', () => {
    const { deadlines, timers } = given()
    const all = [10, 1000, 1000, 60_000].map((ms) => deadlines.set(ms, () => assert.fail()))
    assert.equal(timers.alive.size, 1)
    for (const one of all) one.cancel()
    assert.equal(timers.alive.size, 0)
  })

  test('cancelling twice, or after it fired, is harmless to others of the same time', async () => {
    const { sim, deadlines } = given()
    let fired = 0
    const first = deadlines.set(100, () => fired++)
    deadlines.set(100, () => fired++)
    first.cancel()
    first.cancel()
    await sim.run(() => sim.sleep(200))
    assert.equal(fired, 1)
    deadlines.set(0, () => fired++)
    first.cancel()
    await sim.run(() => sim.sleep(200))
    assert.equal(fired, 2)
  })

  test('one that another of the same time cancels does not fire', async () => {
    const { sim, deadlines } = given()
    deadlines.set(100, () => second.cancel())
    const second = deadlines.set(100, () => assert.fail('it was cancelled'))
    await sim.run(() => sim.sleep(200))
  })

  test('clear takes all back, from within one as well', async () => {
    const { sim, deadlines, timers } = given()
    deadlines.set(100, () => deadlines.clear())
    for (const ms of [100, 102, 500]) deadlines.set(ms, () => assert.fail('it was cleared'))
    await sim.run(() => sim.sleep(1000))
    deadlines.set(100, () => assert.fail('it was cleared'))
    deadlines.clear()
    assert.equal(timers.alive.size, 0)
    await sim.run(() => sim.sleep(1000))
  })

  test('one may set the next, at once too', async () => {
    const { sim, deadlines } = given()
    const at: number[] = []
    const again = (): void => {
      if (at.push(sim.now()) < 4) deadlines.set(at.length === 2 ? 0 : 100, again)
    }
    deadlines.set(0, again)
    await sim.run(() => sim.sleep(1000))
    assert.equal(at.length, 4)
    assert.equal(at[1], at[2])
  })

  test('the longest are waited for in steps that a system timer can count', async () => {
    const { sim, deadlines, timers } = given()
    let firedAt = 0
    const ms = 2 ** 33
    deadlines.set(ms, () => {
      firedAt = sim.now()
    })
    await sim.run(() => sim.sleep(2 * ms), { limit: Infinity })
    assert.ok(firedAt >= ms && firedAt <= ms + slack(ms), `at ${firedAt}`)
    assert.ok(timers.longest <= 2 ** 31 - 1, `a timer of ${timers.longest} ms fires at once`)
    assert.ok(timers.set < 20, `${timers.set} timers for one deadline`)
  })

  test('a timer that is early by a fraction does not fire a deadline early', async () => {
    const sim = new SimPlatform()
    let calls = 0
    const hasty = over(sim, { setTimer: (fn, ms) => (calls++, sim.setTimer(fn, ms - 0.6)) })
    const deadlines = new Deadlines(hasty)
    await sim.run(() => new Promise<void>((resolve) => deadlines.set(100, resolve)))
    assert.ok(sim.now() >= 100, `at ${sim.now()}`)
    assert.ok(calls <= 3, `${calls} timers`)
  })

  test('what waits to be read is read before one is judged, however long the loop was busy', async () => {
    const sim = new SimPlatform()
    let read = false
    const busy = over(sim, {
      // Whenever a timer fires, bytes have come that the loop has not looked at yet.
      setTimer: (fn, ms) =>
        sim.setTimer(() => {
          sim.afterPoll(() => (read = true))
          fn()
        }, ms),
    })
    await sim.run(() => new Promise<void>((resolve) => new Deadlines(busy).set(100, resolve)))
    assert.equal(read, true)
  })

  test('one that is cancelled between its timer and that look does not fire', async () => {
    const { sim, deadlines, timers } = given()
    for (const end of ['cancel', 'clear'] as const) {
      // Set before, so that it comes first.
      sim.setTimer(() => sim.afterPoll(() => (end === 'clear' ? deadlines.clear() : deadline.cancel())), 100)
      const deadline = deadlines.set(100, () => assert.fail(end))
      await sim.run(() => sim.sleep(1000))
    }
    assert.equal(timers.alive.size, 0)
  })

  test('the grain is a power of two, at most 1/32 of the delay or 4 ms', () => {
    for (const [ms, grain] of [
      [0, 4],
      [1, 4],
      [128, 4],
      [255, 4],
      [256, 8],
      [10_000, 256],
      [45_000, 1024],
    ] as const) {
      assert.equal(grainOf(ms), grain)
    }
  })
})
