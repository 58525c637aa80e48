import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Store, type StoreOptions, type StoreEvents } from '../../src/store/index.ts'
import { SimPlatform } from '../../src/testing/index.ts'
import { DIR } from '../support/store.ts'

const HOUR = 3_600_000
const one = new Uint8Array(100)

interface World {
  readonly sim: SimPlatform
  readonly open: (options: StoreOptions) => Promise<Store>
  readonly expired: StoreEvents['expired'][]
  /** Moves the clock on the wall. */
  readonly set: (ms: number) => void
}

function simulate(scenario: (world: World) => Promise<void>): Promise<void> {
  const sim = new SimPlatform(1)
  const expired: StoreEvents['expired'][] = []
  let shift = 0
  const { now, setTimer, defer, randomBytes, report } = sim
  const { crc32, makeDirectory, list, open, rename, remove, syncDirectory, lock } = sim.disk
  const wallClock = (): number => now() + 1e12 + shift
  const disk = { wallClock, crc32, makeDirectory, list, open, rename, remove, syncDirectory, lock }
  const platform = { now, setTimer, defer, randomBytes, report, disk }
  return sim.run(async () => {
    await scenario({
      ...{ sim, expired },
      set: (ms) => (shift = ms),
      open: async (options) => {
        const store = await Store.open(DIR, { segmentBytes: 16 * 1024, ...options, platform })
        store.on('expired', (event) => expired.push(event))
        return store
      },
    })
    assert.deepEqual(sim.reports, [])
  })
}

const numbers = async (store: Store, peer: string): Promise<number[]> => {
  const all: number[] = []
  for await (const { n } of store.pending(peer)) all.push(n)
  return all
}

describe('retention by age', () => {
  test('takes out what is too old, tells it, and not a moment earlier', () =>
    simulate(async ({ sim, open, expired }) => {
      const store = await open({ maxAge: HOUR })
      await store.append('anna', 'a', one)
      await sim.sleep(HOUR / 2)
      await store.append('anna', 'b', one)
      await store.append('bert', 'c', one)
      await sim.sleep(HOUR / 2 - 1)
      assert.deepEqual(await numbers(store, 'anna'), [1, 2])
      await sim.sleep(1)
      assert.deepEqual(await numbers(store, 'anna'), [2])
      assert.deepEqual(expired, [{ peer: 'anna', n: 1, at: 1e12, reason: 'age' }])
      await sim.sleep(HOUR / 2)
      assert.deepEqual(expired.map(({ peer, n }) => [peer, n]).slice(1), [
        ['anna', 2],
        ['bert', 1],
      ])
      assert.equal(store.stats().settled.expired, 3)
      await store.close()
      const again = await open({})
      assert.equal(again.stats().pending, 0, 'durably')
      await again.close()
    }))

  test('goes on over a restart, by the clock on the wall', () =>
    simulate(async ({ sim, open, expired }) => {
      const first = await open({ maxAge: HOUR })
      await first.append('anna', 'a', one)
      await first.append('anna', 'b', one, { at: 1e12 - HOUR / 2 })
      await first.close()
      await sim.sleep(HOUR - 10)
      const store = await open({ maxAge: HOUR })
      assert.deepEqual(await numbers(store, 'anna'), [1, 2], 'b waits behind a')
      await sim.sleep(11)
      assert.deepEqual(await numbers(store, 'anna'), [])
      assert.deepEqual(
        expired.map(({ n }) => n),
        [1, 2],
      )
      await store.close()
    }))

  test('is not touched by who sets that clock while it is open', () =>
    simulate(async ({ sim, open, expired, set }) => {
      const store = await open({ maxAge: HOUR })
      await store.append('anna', 'a', one)
      set(365 * 24 * HOUR)
      await store.append('anna', 'b', one)
      set(-365 * 24 * HOUR)
      await store.append('anna', 'c', one)
      await sim.sleep(HOUR - 1)
      assert.deepEqual(await numbers(store, 'anna'), [1, 2, 3])
      await sim.sleep(1)
      assert.deepEqual(await numbers(store, 'anna'), [])
      assert.equal(expired.length, 3)
      await store.close()
    }))

  test('longer than a timer can be set for', () =>
    simulate(async ({ sim, open }) => {
      const store = await open({ maxAge: 100 * 24 * HOUR })
      await store.append('anna', 'a', one)
      // A run has a limit of a day: nothing may be due in it.
      await sim.sleep(23 * HOUR)
      assert.deepEqual(await numbers(store, 'anna'), [1])
      await store.close()
    }))

  test('a closed store leaves no timer behind', () =>
    simulate(async ({ sim, open, expired }) => {
      const store = await open({ maxAge: HOUR })
      await store.append('anna', 'a', one)
      const accepted = store.append('anna', 'b', one)
      await store.close()
      await accepted
      await sim.sleep(2 * HOUR)
      assert.deepEqual(expired, [])
    }))
})

describe('retention by bytes', () => {
  test('rejects what would be too much, those on their way counted', () =>
    simulate(async ({ open, expired }) => {
      const store = await open({ maxBytes: 4096 })
      const all = await Promise.allSettled(Array.from({ length: 50 }, () => store.append('anna', 'a', one)))
      const taken = all.filter(({ status }) => status === 'fulfilled').length
      assert.equal(taken, Math.floor(4096 / (store.stats().pendingBytes / taken)))
      for (const one of all.slice(taken))
        assert.equal((one as { reason?: { code?: string } }).reason?.code, 'OUTBOX_FULL')
      await store.settle('anna', 1, 'delivered')
      assert.equal(await store.append('anna', 'a', one), taken + 1)
      await assert.rejects(store.append('anna', 'a', new Uint8Array(5000)), { code: 'TOO_LARGE' })
      assert.deepEqual(expired, [])
      await store.close()
    }))

  test('expires the oldest, of whichever peer, where that is wanted', () =>
    simulate(async ({ sim, open, expired }) => {
      const store = await open({ maxBytes: 4096, whenFull: 'expire' })
      for (let i = 0; i < 50; i++) {
        await store.append(i % 2 === 0 ? 'anna' : 'bert', 'a', one)
        await sim.sleep(1)
      }
      const { pending, pendingBytes } = store.stats()
      assert.ok(pendingBytes <= 4096)
      assert.equal(expired.length, 50 - pending)
      assert.deepEqual(
        expired.slice(0, 4).map(({ peer, n, reason }) => [peer, n, reason]),
        [
          ['anna', 1, 'room'],
          ['bert', 1, 'room'],
          ['anna', 2, 'room'],
          ['bert', 2, 'room'],
        ],
      )
      await store.close()
    }))
})
