import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Inbox, type InboxHost } from '../../src/sock/inbox.ts'
import { Turn } from '../../src/sock/turn.ts'
import { SimPlatform } from '../../src/testing/sim-platform.ts'
import { over } from './over.ts'

interface Handling {
  readonly n: number
  /** Settles the handler of this message. */
  done(): void
}

/** An inbox whose handlers are settled by hand: `started` are those that run or ran, in order. */
class Given {
  readonly sim = new SimPlatform()
  readonly inbox: Inbox
  readonly started: number[] = []
  readonly running: Handling[] = []
  readonly pressure: boolean[] = []
  idles = 0
  /** Milliseconds that a handler takes of the loop. */
  cost = 0
  #lost = 0

  constructor(options: Partial<Pick<InboxHost, 'concurrency' | 'readMark'>> & { sync?: boolean } = {}) {
    const { sync = false, concurrency = 1, readMark = 1_000_000 } = options
    const platform = over(this.sim, { now: () => this.sim.now() + this.#lost })
    this.inbox = new Inbox({
      turn: new Turn(platform),
      concurrency,
      readMark,
      afterPoll: this.sim.afterPoll,
      handle: (payload) => {
        const n = payload.length
        this.started.push(n)
        this.#lost += this.cost
        if (sync) return undefined
        return new Promise((resolve) => this.running.push({ n, done: resolve }))
      },
      onPressure: (high) => this.pressure.push(high),
      onIdle: () => this.idles++,
    })
  }

  /** A message is known by its length. */
  put(...lengths: number[]): void {
    for (const n of lengths) this.inbox.put(new Uint8Array(n))
  }

  /** Settles the handler of message `n`. */
  async settle(n: number): Promise<void> {
    const at = this.running.findIndex((one) => one.n === n)
    const [one] = this.running.splice(at, at < 0 ? 0 : 1)
    assert.ok(one, `message ${n} is being handled`)
    one.done()
    await this.turn()
  }

  /** Lets everything happen that needs no time. */
  async turn(): Promise<void> {
    await this.sim.run(() => new Promise<void>((resolve) => this.sim.afterPoll(resolve)))
  }
}

describe('order', () => {
  test('handlers run one after another: the next starts when the last has settled', async () => {
    const it = new Given()
    it.put(1, 2, 3)
    assert.deepEqual([it.started, it.inbox.waiting], [[1], 2])
    await it.settle(1)
    assert.deepEqual([it.started, it.inbox.waiting], [[1, 2], 1])
    it.put(4)
    await it.settle(2)
    await it.settle(3)
    await it.settle(4)
    assert.deepEqual([it.started, it.inbox.arrived, it.inbox.done], [[1, 2, 3, 4], 4, 4])
  })

  test('handlers that return nothing run at once, and nothing waits', () => {
    const it = new Given({ sync: true })
    it.put(1, 2, 3)
    assert.deepEqual([it.started, it.inbox.waiting, it.inbox.done, it.inbox.idle], [[1, 2, 3], 0, 3, true])
  })

  test('with concurrency they overlap, and still start in order', async () => {
    const it = new Given({ concurrency: 2 })
    it.put(1, 2, 3, 4, 5)
    assert.deepEqual(it.started, [1, 2])
    await it.settle(2)
    assert.deepEqual(it.started, [1, 2, 3])
    await it.settle(3)
    await it.settle(1)
    assert.deepEqual(it.started, [1, 2, 3, 4, 5])
  })

  test('thousands that wait keep their order', async () => {
    const it = new Given({ concurrency: 3 })
    const all = Array.from({ length: 5000 }, (_, i) => i)
    it.put(...all)
    while (it.running.length > 0) await it.settle(it.running[it.running.length >> 1]!.n)
    assert.deepEqual(it.started, all)
    assert.equal(it.inbox.done, 5000)
  })
})

describe('pressure', () => {
  test('more than readMark waiting is told once, and less than half of it once', async () => {
    const it = new Given({ readMark: 1200 })
    it.put(1, 400, 401)
    assert.deepEqual(it.pressure, [])
    it.put(402, 403)
    assert.deepEqual(it.pressure, [true])
    await it.settle(1)
    await it.settle(400)
    assert.deepEqual(it.pressure, [true], '402 and 403 and what they take beside wait')
    await it.settle(401)
    assert.deepEqual(it.pressure, [true, false])
    it.put(900)
    assert.deepEqual(it.pressure, [true, false, true])
    assert.ok(it.inbox.bytes > 1200, `${it.inbox.bytes}`)
  })

  test('the message being handled is not waiting: one larger than the mark is no pressure', () => {
    const it = new Given({ readMark: 1000 })
    it.put(5000)
    assert.deepEqual(it.pressure, [])
  })

  test('a flood of empty messages is pressure too', () => {
    const it = new Given({ readMark: 10_000 })
    for (let i = 0; i < 200; i++) it.put(0)
    assert.deepEqual(it.pressure, [true])
  })

  test('a mark of 0 is pressure as soon as one waits', async () => {
    const it = new Given({ readMark: 0 })
    it.put(1)
    assert.deepEqual(it.pressure, [])
    it.put(2)
    assert.deepEqual(it.pressure, [true])
    await it.settle(1)
    assert.deepEqual(it.pressure, [true, false])
  })
})

describe('budget', () => {
  test('after 5 ms of one turn the loop gets its turn, then it goes on where it stopped', async () => {
    const it = new Given({ sync: true })
    it.cost = 1
    it.put(...Array.from({ length: 100 }, (_, i) => i))
    const first = it.started.length
    assert.ok(first >= 5 && first <= 16, `${first} in the first turn`)
    assert.equal(it.inbox.waiting, 100 - first)
    let turns = 1
    for (; it.inbox.waiting > 0; turns++) {
      const before = it.started.length
      await it.turn()
      assert.ok(it.started.length - before <= 16, 'each turn has its own budget')
      assert.ok(turns < 100, 'it does not go on')
    }
    assert.deepEqual(
      it.started,
      Array.from({ length: 100 }, (_, i) => i),
    )
    assert.ok(turns >= 100 / 16, `${turns} turns`)
  })

  test('what arrives while it yields waits its turn behind the others', async () => {
    const it = new Given({ sync: true })
    it.cost = 10
    it.put(1, 2, 3, 4, 5)
    assert.deepEqual(it.started, [1, 2, 3, 4])
    it.cost = 0
    it.put(6)
    assert.deepEqual(it.started, [1, 2, 3, 4])
    await it.turn()
    assert.deepEqual(it.started, [1, 2, 3, 4, 5, 6])
  })

  test('handlers that cost nothing are not held up', () => {
    const it = new Given({ sync: true })
    it.put(...Array.from({ length: 10_000 }, () => 1))
    assert.equal(it.inbox.done, 10_000)
  })
})

describe('idle and settled', () => {
  test('it is idle when nothing waits and no handler runs, and tells when it becomes so', async () => {
    const it = new Given()
    assert.equal(it.inbox.idle, true)
    it.put(1, 2)
    assert.equal(it.inbox.idle, false)
    await it.settle(1)
    assert.deepEqual([it.inbox.idle, it.idles], [false, 0])
    await it.settle(2)
    assert.deepEqual([it.inbox.idle, it.idles], [true, 1])
  })

  /** Whether what `settled` gave has resolved. */
  const watch = (promise: Promise<void>): (() => boolean) => {
    let resolved = false
    void promise.then(() => (resolved = true))
    return () => resolved
  }

  test('settled resolves when all that had arrived is handled, whatever comes later', async () => {
    const it = new Given()
    it.put(1, 2)
    const settled = watch(it.inbox.settled())
    it.put(3)
    await it.settle(1)
    assert.equal(settled(), false)
    await it.settle(2)
    assert.equal(settled(), true)
  })

  test('settled waits for the messages that had arrived, not for as many', async () => {
    const it = new Given({ concurrency: 2 })
    it.put(1)
    const settled = watch(it.inbox.settled())
    it.put(2)
    await it.settle(2)
    assert.equal(settled(), false, 'message 1 is still being handled')
    await it.settle(1)
    assert.equal(settled(), true)
  })

  test('settled resolves at once when nothing is left', async () => {
    const it = new Given({ sync: true })
    await it.inbox.settled()
    it.put(1)
    await it.inbox.settled()
  })

  test('stop starts no handler any more, tells what waited, and lets no one wait', async () => {
    const it = new Given()
    it.put(1, 20, 30)
    const settled = watch(it.inbox.settled())
    assert.deepEqual(it.inbox.stop(), { messages: 2, bytes: 50 })
    await it.settle(1)
    assert.deepEqual([it.started, it.inbox.waiting, settled()], [[1], 0, true])
    assert.equal(it.idles, 0, 'it is over, not idle')
    await it.inbox.settled()
  })
})
