import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Tick, Ticker } from '../../src/sock/ticker.ts'
import { SimPlatform } from '../../src/testing/sim-platform.ts'
import { over } from './over.ts'

interface Given {
  readonly sim: SimPlatform
  readonly ticker: Ticker
  /** Each tick, and when it came. */
  readonly ticks: (Tick & { readonly at: number })[]
  /** The clock goes on though nothing runs, as under heavy work. */
  readonly block: (ms: number) => void
}

/** A ticker of 100 ms; `onTick` is called with its number. */
function given(onTick: (count: number, given: Given) => Promise<void> | void = () => undefined): Given {
  const sim = new SimPlatform()
  const ticks: Given['ticks'] = []
  let lost = 0
  const platform = over(sim, { now: () => sim.now() + lost })
  const ticker: Ticker = new Ticker(platform, 100, (tick) => {
    ticks.push({ ...tick, at: platform.now() })
    return onTick(tick.count, self) ?? undefined
  })
  const block = (ms: number): void => {
    lost += ms
  }
  const self: Given = { sim, ticker, ticks, block }
  return self
}

const times = ({ ticks }: Given): number[] => ticks.map(({ at }) => at)

describe('Ticker', () => {
  test('ticks at a fixed rate, from one interval after the start on', async () => {
    const it = given()
    await it.sim.run(() => it.sim.sleep(30))
    it.ticker.start()
    await it.sim.run(() => it.sim.sleep(450))
    assert.deepEqual(times(it), [130, 230, 330, 430])
    assert.deepEqual(it.ticks[0], { count: 1, elapsed: 100, late: 0, missed: 0, at: 130 })
    assert.deepEqual(
      it.ticks.map(({ count }) => count),
      [1, 2, 3, 4],
    )
  })

  test('what a tick takes does not move the next: no drift', async () => {
    const it = given((_, { block }) => block(30))
    it.ticker.start()
    await it.sim.run(() => it.sim.sleep(1000))
    assert.ok(it.ticks.length >= 10, `${it.ticks.length}`)
    for (const { count, at, late } of it.ticks.slice(1)) assert.deepEqual([at, late], [count * 100 + 30, 30])
  })

  test('lateness is measured, and the rate held: the next is on time', async () => {
    const it = given()
    it.ticker.start()
    await it.sim.run(() => it.sim.sleep(50))
    it.block(80)
    await it.sim.run(() => it.sim.sleep(300))
    const [late, next] = it.ticks
    assert.deepEqual(late, { count: 1, elapsed: 180, late: 80, missed: 0, at: 180 })
    assert.deepEqual(next, { count: 2, elapsed: 20, late: 0, missed: 0, at: 200 })
  })

  test('ticks whose time has passed are counted as missed, not made up for in a burst', async () => {
    const it = given((count, { block }) => {
      if (count === 2) block(350)
    })
    it.ticker.start()
    await it.sim.run(() => it.sim.sleep(600))
    // The third was due at 300; those of 400, 500 and 600 are left out.
    assert.deepEqual(times(it).slice(0, 4), [100, 200, 650, 700])
    assert.deepEqual(it.ticks[2], { count: 3, elapsed: 450, late: 350, missed: 3, at: 650 })
    assert.deepEqual(it.ticks[3], { count: 4, elapsed: 50, late: 0, missed: 0, at: 700 })
  })

  test('a tick is not called while the one before is pending, and hears how many were left out', async () => {
    let [running, most] = [0, 0]
    const it = given(async (count, { sim }) => {
      most = Math.max(most, ++running)
      if (count === 1) await sim.sleep(350)
      running--
    })
    it.ticker.start()
    await it.sim.run(() => it.sim.sleep(750))
    assert.equal(most, 1)
    assert.deepEqual(times(it), [100, 500, 600, 700])
    assert.deepEqual(
      it.ticks.map(({ missed }) => missed),
      [0, 3, 0, 0],
    )
    assert.equal(it.ticks[1]?.elapsed, 400)
  })

  test('start twice is once; stop ends it, from within a tick too; start begins anew', async () => {
    const it = given((count, { ticker }) => {
      if (count === 2) ticker.stop()
    })
    it.ticker.start()
    it.ticker.start()
    await it.sim.run(() => it.sim.sleep(550))
    assert.deepEqual(times(it), [100, 200])
    it.ticker.start()
    await it.sim.run(() => it.sim.sleep(250))
    assert.deepEqual(times(it), [100, 200, 650, 750])
    it.ticker.stop()
    it.ticker.stop()
    await it.sim.run(() => it.sim.sleep(1000))
    assert.equal(it.ticks.length, 4)
  })

  test('a timer that is early by a fraction makes no tick late, double or missing', async () => {
    const sim = new SimPlatform()
    const ticks: Tick[] = []
    const hasty = over(sim, { setTimer: (fn, ms) => sim.setTimer(fn, ms - 0.4) })
    const ticker = new Ticker(hasty, 100, (tick) => void ticks.push(tick))
    ticker.start()
    await sim.run(() => sim.sleep(1050))
    assert.equal(ticks.length, 10)
    assert.deepEqual(
      ticks.filter(({ late, missed }) => late !== 0 || missed !== 0),
      [],
    )
  })
})
