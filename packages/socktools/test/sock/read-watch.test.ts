import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { SockError } from '../../src/errors.ts'
import { Deadlines } from '../../src/sock/deadlines.ts'
import { type ReadLimits, ReadWatch, frameDueAfter } from '../../src/sock/read-watch.ts'
import { SimPlatform } from '../../src/testing/sim-platform.ts'
import { over } from './over.ts'

const LIMITS: ReadLimits = { timeout: 0, frameGrace: 10_000, frameRate: 1024 }
const KiB = 1024

class Given {
  readonly sim = new SimPlatform()
  readonly watch: ReadWatch
  /** What was late, and when that was noticed. */
  readonly late: [code: string, at: number][] = []
  readonly errors: SockError[] = []
  /** System timers set so far. */
  timers = 0
  /** What else goes on with the peer. */
  excused = false
  stuck = 0

  constructor(limits: Partial<ReadLimits>) {
    const setTimer: SimPlatform['setTimer'] = (fn, ms) => {
      this.timers++
      return this.sim.setTimer(fn, ms)
    }
    const deadlines = new Deadlines(over(this.sim, { setTimer }))
    this.watch = new ReadWatch({ ...LIMITS, ...limits }, deadlines, this.sim.now, {
      excuses: () => this.excused,
      stuckFor: () => this.stuck,
      late: (error) => {
        this.late.push([error.code, this.sim.now()])
        this.errors.push(error)
      },
    })
  }

  sleep(ms: number): Promise<void> {
    return this.sim.run(() => this.sim.sleep(ms))
  }

  /** Late once, with this code, in these milliseconds. */
  assertLate(code: string, from: number, to: number): void {
    const [[got, at] = [], ...more] = this.late
    assert.deepEqual([got, more], [code, []])
    assert.ok(at !== undefined && at >= from && at <= to, `at ${at}`)
  }
}

describe('silence', () => {
  test('a peer that says nothing for `timeout` is IDLE_TIMEOUT, from the start and from its last byte', async () => {
    const never = new Given({ timeout: 1000 })
    never.watch.start()
    await never.sleep(2000)
    never.assertLate('IDLE_TIMEOUT', 1000, 1032)

    const stopped = new Given({ timeout: 1000 })
    stopped.watch.start()
    for (let i = 0; i < 5; i++) {
      await stopped.sleep(900)
      stopped.watch.heard(0, i)
    }
    await stopped.sleep(3000)
    stopped.assertLate('IDLE_TIMEOUT', 5500, 5600)
  })

  test('bytes of a frame that is not whole are no silence', async () => {
    const it = new Given({ timeout: 1000, frameRate: 0 })
    it.watch.start()
    for (let i = 1; i < 20; i++) {
      await it.sleep(900)
      it.watch.heard(i, 0)
    }
    assert.deepEqual(it.late, [])
  })

  test('with 0 there is no such limit, and no timer', async () => {
    const it = new Given({ timeout: 0 })
    it.watch.start()
    await it.sleep(86_000_000)
    assert.deepEqual([it.late, it.timers], [[], 0])
  })

  test('a million messages set no million timers', async () => {
    const it = new Given({ timeout: 1000 })
    it.watch.start()
    for (let i = 0; i < 1000; i++) {
      for (let n = 0; n < 1000; n++) it.watch.heard(n % 7, i * 1000 + n)
      await it.sleep(10)
    }
    assert.ok(it.timers < 100, `${it.timers}`)
    assert.deepEqual(it.late, [])
  })

  test('while we do not read, the clock stands still; it goes on where it stood', async () => {
    const it = new Given({ timeout: 1000 })
    it.watch.start()
    await it.sleep(600)
    it.watch.pause()
    await it.sleep(100_000)
    assert.deepEqual(it.late, [])
    it.watch.resume()
    await it.sleep(350)
    assert.deepEqual(it.late, [])
    await it.sleep(2000)
    it.assertLate('IDLE_TIMEOUT', 101_000, 101_100)
  })

  test('pauses add up', async () => {
    const it = new Given({ timeout: 1000 })
    it.watch.start()
    for (let i = 0; i < 9; i++) {
      await it.sleep(100)
      it.watch.pause()
      await it.sleep(5000)
      it.watch.resume()
    }
    assert.deepEqual(it.late, [])
    await it.sleep(2000)
    it.assertLate('IDLE_TIMEOUT', 46_000, 46_100)
  })

  test('silent tells for how long nothing came', async () => {
    const it = new Given({})
    it.watch.start()
    await it.sleep(70)
    assert.equal(it.watch.silent, 70)
    it.watch.heard(0, 1)
    await it.sleep(30)
    assert.equal(it.watch.silent, 30)
  })
})

describe('silence that has its reason', () => {
  test('while there is an excuse it is looked at again; when there is none, it is late at the next look', async () => {
    const it = new Given({ timeout: 1000 })
    it.excused = true
    it.watch.start()
    await it.sleep(5500)
    assert.deepEqual(it.late, [])
    it.excused = false
    await it.sleep(2000)
    it.assertLate('IDLE_TIMEOUT', 5500, 6600)
  })

  test('an excuse does not help a frame', async () => {
    const it = new Given({})
    it.excused = true
    it.watch.heard(100, 0)
    await it.sleep(30_000)
    it.assertLate('FRAME_STALLED', 10_000, 10_320)
  })

  test('a peer that takes nothing of what waits for it is late, whatever excuses it', async () => {
    const it = new Given({ timeout: 1000 })
    it.excused = true
    it.watch.start()
    it.stuck = 999
    await it.sleep(1500)
    assert.deepEqual(it.late, [])
    it.stuck = 1999
    await it.sleep(1000)
    it.assertLate('IDLE_TIMEOUT', 2000, 2100)
    assert.match(String(it.errors[0]?.message), /took nothing/)
  })

  test('also while we do not read', async () => {
    const it = new Given({ timeout: 1000 })
    it.watch.start()
    it.watch.pause()
    it.stuck = 500
    await it.sleep(1500)
    assert.deepEqual(it.late, [])
    it.stuck = 1500
    await it.sleep(1000)
    it.assertLate('IDLE_TIMEOUT', 2000, 2100)
  })
})

describe('a frame that does not get finished', () => {
  test('is FRAME_STALLED after its grace, and the error tells how much came', async () => {
    const it = new Given({})
    it.watch.heard(100, 0)
    await it.sleep(30_000)
    it.assertLate('FRAME_STALLED', 10_000, 10_320)
    assert.match(String(it.errors[0]?.message), /after 100 bytes/)
  })

  test('at 1 byte a second it is cut, though it is never silent', async () => {
    const it = new Given({ timeout: 5000 })
    it.watch.start()
    for (let n = 1; n < 30 && it.late.length === 0; n++) {
      it.watch.heard(n, 0)
      await it.sleep(1000)
    }
    it.assertLate('FRAME_STALLED', 10_000, 10_320)
  })

  test('at more than the least rate it may take as long as it likes', async () => {
    const it = new Given({})
    for (let s = 1; s <= 100; s++) {
      it.watch.heard(1.1 * KiB * s, 0)
      await it.sleep(1000)
    }
    assert.deepEqual(it.late, [])
    await it.sleep(60_000)
    // 110 KiB are allowed 110 s.
    it.assertLate('FRAME_STALLED', 110_000, 114_000)
  })

  test('one that is finished in time is forgotten', async () => {
    const it = new Given({})
    it.watch.heard(100, 0)
    await it.sleep(9000)
    it.watch.heard(0, 1)
    await it.sleep(100_000)
    assert.deepEqual(it.late, [])
  })

  test('each frame has its own grace, also when one chunk ends one and begins the next', async () => {
    const it = new Given({})
    for (let frame = 0; frame < 10; frame++) {
      it.watch.heard(50, frame)
      await it.sleep(9000)
    }
    assert.deepEqual(it.late, [])
    await it.sleep(5000)
    it.assertLate('FRAME_STALLED', 91_000, 91_320)
  })

  test('while we do not read, its clock stands still', async () => {
    const it = new Given({})
    it.watch.heard(100, 0)
    await it.sleep(6000)
    it.watch.pause()
    await it.sleep(500_000)
    it.watch.resume()
    await it.sleep(3900)
    assert.deepEqual(it.late, [])
    await it.sleep(20_000)
    it.assertLate('FRAME_STALLED', 510_000, 510_320)
  })

  test('paused over and over, it is still found', async () => {
    const it = new Given({})
    it.watch.heard(100, 0)
    while (it.late.length === 0) {
      assert.ok(it.sim.now() < 60_000, 'never')
      await it.sleep(1000)
      it.watch.pause()
      await it.sleep(1000)
      it.watch.resume()
    }
    it.assertLate('FRAME_STALLED', 19_000, 21_000)
  })

  test('while we do not read nothing is looked at either', async () => {
    const it = new Given({ timeout: 1000 })
    it.watch.start()
    it.watch.heard(100, 0)
    await it.sleep(999)
    it.watch.pause()
    await it.sleep(86_000_000)
    assert.ok(it.timers < 5, `${it.timers}`)
  })

  test('however often we paused, it is late once', async () => {
    const it = new Given({})
    it.watch.heard(100, 0)
    for (let i = 0; i < 100; i++) {
      it.watch.pause()
      it.watch.resume()
    }
    await it.sleep(30_000)
    it.assertLate('FRAME_STALLED', 10_000, 10_320)
  })

  test('with a rate of 0 there is no such limit', async () => {
    const it = new Given({ frameRate: 0 })
    it.watch.heard(1, 0)
    await it.sleep(86_000_000)
    assert.deepEqual([it.late, it.timers], [[], 0])
  })

  test('frameDueAfter: the grace, or the bytes at the least rate, whichever is longer', () => {
    for (const [bytes, due] of [
      [1, 10_000],
      [10 * KiB, 10_000],
      [11 * KiB, 11_000],
      [16 * KiB * KiB, 16_384_000],
    ] as const) {
      assert.equal(frameDueAfter(bytes, LIMITS), due)
    }
    assert.equal(frameDueAfter(1, { frameGrace: 1, frameRate: 0 }), Infinity)
  })
})

test('stop ends both, and leaves no timer behind', async () => {
  const it = new Given({ timeout: 1000 })
  it.watch.start()
  it.watch.heard(10, 0)
  it.watch.stop()
  await assert.rejects(
    it.sim.run(() => new Promise(() => undefined)),
    /never happens, at 0 ms/,
  )
  assert.deepEqual(it.late, [])
})

test('resume without pause changes nothing', async () => {
  const it = new Given({ timeout: 1000 })
  it.watch.start()
  await it.sleep(900)
  it.watch.resume()
  await it.sleep(500)
  it.assertLate('IDLE_TIMEOUT', 1000, 1032)
})
