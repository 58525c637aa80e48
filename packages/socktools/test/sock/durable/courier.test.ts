/** From a store to a session, message by message: the session is in the hands of the test. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Courier, type CourierHost, type Route } from '../../../src/sock/durable/courier.ts'
import { SockError } from '../../../src/errors.ts'
import type { Outcome } from '../../../src/index.ts'
import type { Store } from '../../../src/store/index.ts'
import { SimDisk } from '../../../src/testing/index.ts'
import { xoshiro128 } from '../../../src/testing/sim-platform.ts'
import type { MessageId } from '../../../src/wire/v1/marks.ts'
import { noCrashes } from '../../support/crashes.ts'
import { openOn } from '../../support/store.ts'

noCrashes()

const DELIVERED: Outcome = { status: 'delivered' }
const FAILED: Outcome = { status: 'not-delivered', reason: 'failed', code: 'UNHANDLED' }
const LOST: Outcome = { status: 'unknown', reason: 'lost' }

interface Handed {
  readonly id: MessageId
  readonly type: string
  readonly text: string
  readonly settle: (outcome: Outcome) => void
}

/** A session that takes all it is given, and says nothing by itself. */
class Session implements Route {
  readonly handed: Handed[] = []
  /** Those of this type it refuses. */
  lacks: string | undefined
  readonly revoked: number[] = []
  /** Nothing has left yet. */
  revocable = false

  readonly carry: Route['carry'] = ({ type, payload }, id, settle) => {
    if (type === this.lacks) return new SockError('UNKNOWN_TYPE', `no ${type}`)
    this.handed.push({ id, type, text: Buffer.from(payload).toString(), settle })
    return {
      revoke: () => {
        if (this.revocable) this.revoked.push(id.n)
        return this.revocable
      },
    }
  }

  get said(): string[] {
    return this.handed.map(({ id, text }) => `${id.n}${id.redelivered ? '!' : ''} ${text}`)
  }

  done(n: number, outcome = DELIVERED): void {
    this.handed.find(({ id }) => id.n === n)?.settle(outcome)
  }
}

interface Desk {
  readonly store: Store
  readonly courier: Courier
  readonly told: string[]
  readonly held: string[]
  readonly post: (type: string, text: string) => Promise<number>
  readonly pending: () => Promise<number[]>
  readonly reopen: () => Promise<Desk>
}

async function desk(
  more: Partial<CourierHost> = {},
  disk = new SimDisk({ random: xoshiro128(1) }),
): Promise<Desk> {
  const store = await openOn(disk, xoshiro128(2))
  const [told, held]: string[][] = [[], []]
  const courier = new Courier('far', {
    ...{
      store,
      streamOf: (name: string) => `stream ${name}`,
      maxBytes: 1000,
      maxCount: 4,
      undeliverable: 'hold',
    },
    onSettled: (name, n, outcome) => void told!.push(`${name} ${n} ${outcome.status}`),
    onHeld: (_name, n, type, { code }) => void held!.push(`${n} ${type} ${code}`),
    onStoreFailed: (error) => void held!.push((error as SockError).code),
    ...more,
  })
  return {
    ...{ store, courier, told: told!, held: held! },
    async post(type, text) {
      const payload = Buffer.from(text)
      const n = await store.append('far', type, payload)
      courier.accepted(n, type, payload, undefined)
      return n
    },
    async pending() {
      const all: number[] = []
      for await (const { n } of store.pending('far')) all.push(n)
      return all
    },
    async reopen() {
      await store.close()
      return desk(more, disk)
    },
  }
}

/** Lets the disk and all promises go on. */
const soon = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
}

describe('a courier', () => {
  test('hands over what is posted, in order, no more than its window, and settles what is done', async () => {
    const { courier, store, post, pending, told } = await desk()
    const session = new Session()
    courier.take(session)
    for (let i = 1; i <= 7; i++) await post('say', `m${i}`)
    await soon()
    assert.deepEqual(session.said, ['1 m1', '2 m2', '3 m3', '4 m4'])
    session.done(2)
    session.done(1, FAILED)
    await soon()
    assert.deepEqual(session.said.slice(4), ['5 m5', '6 m6'])
    assert.deepEqual(told, ['far 2 delivered', 'far 1 not-delivered'])
    assert.deepEqual(await pending(), [3, 4, 5, 6, 7])
    assert.equal(store.stats().settled['not-delivered'], 1)
  })

  test('bytes bound what is underway, and one message of any length goes', async () => {
    const { courier, post } = await desk({ maxBytes: 10, maxCount: 100 })
    const session = new Session()
    courier.take(session)
    for (const text of ['x'.repeat(50), 'y', 'z'.repeat(9), 'u', 'v']) await post('say', text)
    await soon()
    assert.deepEqual(
      session.handed.map(({ id }) => id.n),
      [1],
    )
    session.done(1)
    await soon()
    // 1 + 9 is the window.
    assert.deepEqual(
      session.handed.map(({ id }) => id.n),
      [1, 2, 3],
    )
    session.done(3)
    await soon()
    assert.deepEqual(
      session.handed.map(({ id }) => id.n),
      [1, 2, 3, 4, 5],
    )
    assert.equal(courier.bytes, 3)
  })

  test('what is posted while nobody has the name goes to who takes it', async () => {
    const { courier, post, pending } = await desk()
    for (let i = 1; i <= 6; i++) await post('say', `m${i}`)
    const session = new Session()
    courier.take(session)
    const more = post('say', 'm7')
    for (let i = 1; i <= 7; i++) {
      await soon()
      session.done(i)
    }
    await more
    await soon()
    session.done(7)
    assert.deepEqual(session.said, ['1 m1', '2 m2', '3 m3', '4 m4', '5 m5', '6 m6', '7 m7'])
    assert.deepEqual(await pending(), [])
  })

  test('what a session did not settle goes over the next one, first, under its n, and says so', async () => {
    const { courier, post, pending } = await desk({ maxCount: 3 })
    const first = new Session()
    courier.take(first)
    for (let i = 1; i <= 5; i++) await post('say', `m${i}`)
    await soon()
    first.done(2)
    first.done(1, LOST)
    first.done(3, { status: 'not-delivered', reason: 'gone' })
    await soon()
    assert.deepEqual(first.said, ['1 m1', '2 m2', '3 m3', '4 m4'], 'those are not over')
    courier.take(undefined)
    const second = new Session()
    courier.take(second)
    await soon()
    assert.deepEqual(second.said, ['1! m1', '3! m3', '4! m4'])
    // Late, and true all the same.
    first.done(3)
    second.done(1)
    await soon()
    assert.deepEqual(second.said.slice(3), ['5 m5'])
    assert.deepEqual(await pending(), [4, 5])
  })

  test('after a restart likewise', async () => {
    const before = await desk()
    for (let i = 1; i <= 3; i++) await before.post('say', `m${i}`)
    const { courier, post } = await before.reopen()
    const session = new Session()
    courier.take(session)
    await post('say', 'm4')
    await soon()
    assert.deepEqual(session.said, ['1! m1', '2! m2', '3! m3', '4 m4'])
    session.handed.forEach(({ id }) => assert.equal(id.store, 'stream far'))
  })

  test('another peer takes the name over: what has not left the first is taken back', async () => {
    const { courier, post } = await desk()
    const [first, second] = [new Session(), new Session()]
    first.revocable = true
    courier.take(first)
    for (let i = 1; i <= 3; i++) await post('say', `m${i}`)
    await soon()
    courier.take(second)
    await soon()
    assert.deepEqual(first.revoked, [1, 2, 3])
    assert.deepEqual(second.said, ['1! m1', '2! m2', '3! m3'])
  })

  for (const undeliverable of ['hold', 'drop'] as const) {
    test(`what the peer cannot be sent: ${undeliverable}`, async () => {
      const { courier, post, pending, held, told } = await desk({ undeliverable })
      const session = new Session()
      session.lacks = 'odd'
      courier.take(session)
      await post('say', 'm1')
      await post('odd', 'm2')
      await post('say', 'm3')
      await soon()
      if (undeliverable === 'drop') {
        assert.deepEqual(session.said, ['1 m1', '3 m3'])
        assert.deepEqual(told, ['far 2 not-delivered'])
        assert.deepEqual(await pending(), [1, 3])
        return
      }
      assert.deepEqual(session.said, ['1 m1'])
      assert.deepEqual(held, ['2 odd UNKNOWN_TYPE'])
      assert.equal(courier.held, 2)
      session.done(1)
      await soon()
      assert.deepEqual(session.said, ['1 m1'], 'nothing overtakes it')
      const other = new Session()
      courier.take(other)
      await soon()
      assert.deepEqual(other.said, ['2 m2', '3 m3'])
    })
  }

  test('one that expires is not sent; one that has left may have been delivered', async () => {
    const { courier, post, told, store } = await desk({ maxCount: 2 })
    const session = new Session()
    courier.take(session)
    for (let i = 1; i <= 4; i++) await post('say', `m${i}`)
    await soon()
    for (const n of [1, 2, 3]) {
      void store.settle('far', n, 'expired')
      courier.expired(n)
    }
    assert.deepEqual(told, ['far 3 not-delivered'])
    session.done(1)
    await soon()
    assert.deepEqual(session.said, ['1 m1', '2 m2', '4 m4'])
    assert.deepEqual(told, ['far 3 not-delivered', 'far 1 delivered'])
    courier.take(undefined)
    assert.deepEqual(told.slice(2), ['far 2 unknown'])
  })

  test('fast or slow, over many sessions: all arrive at least once, in order, and none is settled but by a DONE', async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const random = xoshiro128(seed)
      let { courier, post, pending, reopen } = await desk({
        maxBytes: 200,
        maxCount: 1 + Math.floor(random() * 6),
      })
      let session: Session | undefined
      const seen: number[] = []
      const done = new Set<number>()
      let last = 0
      for (let step = 0; step < 150; step++) {
        const what = random()
        if (what < 0.45) last = await post('say', 'x'.repeat(Math.floor(random() * 80)))
        else if (what < 0.8) {
          const open = session?.handed.filter(({ id }) => !done.has(id.n)) ?? []
          const one = open[0]
          if (one === undefined) continue
          done.add(one.id.n)
          one.settle(DELIVERED)
        } else if (what < 0.9) {
          session = random() < 0.3 ? undefined : new Session()
          courier.take(session)
        } else if (what < 0.93) {
          ;({ courier, post, pending, reopen } = await reopen())
          session = undefined
        } else await soon()
        let before = 0
        for (const { id } of session?.handed ?? []) {
          assert.ok(id.n > before, `seed ${seed}: ${id.n} after ${before}`)
          before = id.n
        }
        const open = [...Array(last).keys()].map((i) => i + 1).filter((n) => !done.has(n))
        assert.deepEqual(await pending(), open, `seed ${seed}`)
      }
      session = new Session()
      courier.take(session)
      for (let i = 0; done.size < last; i++) {
        assert.ok(i < 1000, `seed ${seed}: ${done.size} of ${last}`)
        await soon()
        for (const { id, settle } of session.handed.slice()) {
          if (done.has(id.n)) continue
          done.add(id.n)
          seen.push(id.n)
          settle(DELIVERED)
        }
      }
      assert.deepEqual(
        seen,
        seen.slice().sort((a, b) => a - b),
      )
      assert.deepEqual(await pending(), [])
    }
  })
})
