/** Which messages a store takes out by itself, and when its timers are set for them. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Store, type StoreOptions } from '../../src/store/index.ts'
import { appendSize } from '../../src/store/payloads.ts'
import { diskError, SimDisk } from '../../src/testing/index.ts'
import { DIR, openOn, still, xoshiro128 } from '../support/store.ts'
import { bytes, newDisk } from './written.ts'

const one = bytes('one')
/** Of a record to anna of type `a`. */
const BARE = appendSize(bytes('anna'), bytes('a'), new Uint8Array(0))
const record = (length: number): Uint8Array => new Uint8Array(length - BARE)

describe('the oldest', () => {
  async function expiring(ats: readonly (readonly [string, number])[]) {
    const store = await openOn(newDisk(), xoshiro128(2), { maxBytes: 4096, whenFull: 'expire' })
    const gone: string[] = []
    store.on('expired', ({ peer, n, at, reason }) => gone.push(`${peer} ${n} ${at} ${reason}`))
    for (const [peer, at] of ats) await store.append(peer, 'a', record(1000), { at })
    return { store, gone }
  }

  test('goes by when it was made, the one at the head of each peer', async () => {
    const { store, gone } = await expiring([
      ['anna', 30],
      ['anna', 5],
      ['bert', 20],
      ['carl', 20],
    ])
    await store.append('dora', 'a', record(900))
    assert.deepEqual(gone, ['bert 1 20 room'])
    await store.append('dora', 'a', record(1000))
    assert.deepEqual(gone.slice(1), ['carl 1 20 room'])
    await store.append('dora', 'a', record(2000))
    assert.deepEqual(gone.slice(2), ['anna 1 30 room', 'anna 2 5 room'])
    assert.equal(store.stats().settled.expired, 4)
    await store.close()
  })

  test('is none where all that is there waits to be written', async () => {
    const { store, gone } = await expiring([])
    const all = [4000, 90].map((length) => store.append('anna', 'a', record(length)))
    await assert.rejects(store.append('anna', 'a', record(100)), { code: 'OUTBOX_FULL' })
    await Promise.all(all)
    assert.deepEqual(gone, [])
    await store.close()
  })
})

describe('the age of what was found', () => {
  /** When timers are set for what was made at these times, with a wall clock at 1,000 and an age of 100. */
  async function timersFor(ats: readonly number[], options: StoreOptions) {
    const disk = new SimDisk({ random: xoshiro128(1), wallClock: () => 1000 })
    const first = await openOn(disk, xoshiro128(2))
    for (const at of ats) await first.append('anna', 'a', one, { at })
    await first.close()
    const set: number[] = []
    let cancelled = 0
    const setTimer = (_: () => void, ms: number) => {
      set.push(ms)
      return {
        cancel: () => {
          cancelled++
        },
      }
    }
    const platform = { ...still(disk, xoshiro128(3)), setTimer, now: () => 5 }
    const store = await Store.open(DIR, { ...options, platform })
    return { store, set, cancelled: () => cancelled }
  }

  test('is by the clock on the wall; what is of the future was made now', async () => {
    const { store, set, cancelled } = await timersFor([2000, 990, 950, 10], { maxAge: 100 })
    assert.deepEqual(set, [100, 90, 50, 0])
    await store.append('anna', 'a', one, { at: 960 })
    assert.deepEqual(set.length, 4)
    await store.close()
    assert.equal(cancelled(), 4)
  })

  test('is none without a limit', async () => {
    const { store, set } = await timersFor([10], {})
    await store.append('anna', 'a', one)
    assert.deepEqual(set, [])
    await store.close()
  })

  test('of what comes is by that clock too', async () => {
    const { store, set } = await timersFor([], { maxAge: 100 })
    await store.append('anna', 'a', one)
    await store.append('anna', 'a', one, { at: 940 })
    await store.append('anna', 'a', one, { at: 1500 })
    assert.deepEqual(set, [100, 40])
    await store.close()
  })

  test('counts no more in a store that failed', async () => {
    const disk = newDisk()
    let cancelled = 0
    const setTimer = () => ({
      cancel: () => {
        cancelled++
      },
    })
    const platform = { ...still(disk, xoshiro128(3)), setTimer }
    const store = await Store.open(DIR, { maxAge: 100, platform })
    await store.append('anna', 'a', one)
    disk.before = () => {
      throw diskError('EIO')
    }
    await assert.rejects(store.append('anna', 'a', one), { code: 'STORE_FAILED' })
    assert.equal(cancelled, 1)
    await store.close()
  })
})
