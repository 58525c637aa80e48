/** When what is too old is taken out: with a clock that is moved by hand. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Expiry } from '../../src/store/expiry.ts'
import { Ledger } from '../../src/store/ledger.ts'

const LONGEST = 2 ** 31 - 1

function world() {
  const ledger = new Ledger()
  const set: number[] = []
  const gone: string[] = []
  const timers = new Set<() => void>()
  const clock = { now: 1000 }
  const platform = {
    now: () => clock.now,
    setTimer: (fire: () => void, ms: number) => {
      set.push(ms)
      timers.add(fire)
      return { cancel: () => void timers.delete(fire) }
    },
  }
  const expiry = new Expiry(platform, ledger, (account, { n }) => {
    ledger.settle(account, n)
    gone.push(`${account.name} ${n}`)
  })
  return {
    ...{ ledger, expiry, set, gone, timers },
    add: (peer: string, n: number, due: number | undefined) =>
      ledger.add(ledger.account(peer), { n, due, at: 0, bytes: 1, segment: 1, offset: 0 }),
    /** Moves the clock, and the one timer goes off. */
    fire: (now: number) => {
      clock.now = now
      assert.equal(timers.size, 1)
      for (const fire of [...timers]) {
        timers.delete(fire)
        fire()
      }
    },
  }
}

describe('expiry', () => {
  test('sets one timer, for the earliest that it was told of', () => {
    const { expiry, set, timers } = world()
    expiry.watch(1500)
    expiry.watch(1500)
    expiry.watch(1600)
    assert.deepEqual(set, [500])
    expiry.watch(1499)
    assert.deepEqual(set, [500, 499])
    assert.equal(timers.size, 1)
    expiry.watch(900)
    assert.deepEqual(set, [500, 499, 0], 'what is over is due at once')
  })

  test('takes out what is due, of each peer up to the first that is not, and waits for the next', () => {
    const { expiry, set, gone, add, fire } = world()
    add('anna', 1, 1100)
    add('anna', 2, 1200)
    add('anna', 3, 1150)
    add('bert', 1, 1180)
    add('carl', 1, 1100)
    add('carl', 2, undefined)
    add('carl', 3, 1)
    expiry.watch(1100)
    fire(1100)
    assert.deepEqual(gone, ['anna 1', 'carl 1'])
    assert.deepEqual(set, [100, 80])
    fire(1200)
    assert.deepEqual(gone.slice(2), ['anna 2', 'anna 3', 'bert 1'])
    assert.deepEqual(set, [100, 80], 'no more is due ever')
    expiry.watch(1300)
    assert.deepEqual(set, [100, 80, 100])
  })

  test('of one that goes off early takes out nothing', () => {
    const { expiry, set, gone, add, fire } = world()
    add('anna', 1, 1100)
    expiry.watch(1100)
    fire(1099)
    assert.deepEqual([gone, set], [[], [100, 1]])
  })

  test('waits in pieces for what is further off than a timer can be', () => {
    const { expiry, set, gone, add, fire } = world()
    const due = 1000 + LONGEST + 5
    add('anna', 1, due)
    expiry.watch(due)
    fire(1000 + LONGEST)
    assert.deepEqual(gone, [])
    fire(due)
    assert.deepEqual([gone, set], [['anna 1'], [LONGEST, 5]])
  })

  test('has no timer once it was stopped', () => {
    const { expiry, timers } = world()
    expiry.watch(1500)
    expiry.stop()
    expiry.watch(1)
    assert.equal(timers.size, 0)
    world().expiry.stop()
  })
})
