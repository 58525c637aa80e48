/** A disk that is full, and one that fails: at each step of a workload in turn. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { SockError } from '../../src/index.ts'
import type { Store } from '../../src/store/index.ts'
import { diskError, SimDisk } from '../../src/testing/index.ts'
import {
  CHANGES,
  content,
  DIR,
  FAR,
  openOn,
  PEERS,
  pendingOf,
  Reference,
  xoshiro128,
} from '../support/store.ts'

const codeOf = (error: unknown): string => (error as SockError).code

/** Appends, outcomes and cursors, one after another; what is rejected with one of `codes` changes nothing. */
async function work(store: Store, model: Reference, codes: readonly string[], steps = 40): Promise<number> {
  const random = xoshiro128(7)
  let rejected = 0
  const attempt = async (what: Promise<unknown>, then: () => void): Promise<void> => {
    try {
      await what
      then()
    } catch (error) {
      assert.ok(codes.includes(codeOf(error)), String(error))
      rejected++
    }
  }
  for (let step = 0; step < steps; step++) {
    const peer = PEERS[step % 3] ?? PEERS[0]
    const { type, payload, text } = content(step, 900)
    const n = (model.peers.get(peer)?.last ?? 0) + 1
    await attempt(
      store.append(peer, type, payload).then((given) => assert.equal(given, n)),
      () => model.append(peer, text),
    )
    const [first] = model.of(peer).pending.keys()
    if (first !== undefined && random() < 0.6) {
      // In memory it is true at once, whether or not it can be written down.
      model.settle(peer, first)
      await attempt(store.settle(peer, first, 'delivered'), () => undefined)
    }
    if (step % 10 === 9) await attempt(store.advance(FAR, step), () => model.advance(FAR, step))
  }
  return rejected
}

const contents = (model: Reference) =>
  new Map([...model.peers].flatMap(([peer, { last, pending }]) => (last === 0 ? [] : [[peer, pending]])))

/** How many changes of the disk the workload takes when all goes well. */
async function stepsOf(): Promise<number> {
  const disk = new SimDisk({ random: xoshiro128(1) })
  let steps = 0
  disk.before = ({ kind }) => (CHANGES.includes(kind) ? steps++ : 0)
  const store = await openOn(disk, xoshiro128(2))
  await work(store, new Reference(), [])
  await store.close()
  return steps
}

describe('a full disk', () => {
  test('at any write: rejected, all as it was, and it goes on when there is room', async () => {
    const steps = await stepsOf()
    let rejections = 0
    for (let bad = 0; bad < steps; bad++) {
      const disk = new SimDisk({ random: xoshiro128(1) })
      let step = 0
      disk.before = ({ kind, path }) => {
        if (!CHANGES.includes(kind)) return
        const full = step >= bad && step < bad + 1 + (bad % 8)
        step++
        // What needs no space goes on.
        if (full && (kind === 'write' || (kind === 'open' && path.endsWith('.tmp'))))
          throw diskError('ENOSPC')
      }
      const model = new Reference()
      let store: Store | undefined
      for (let left = 9; store === undefined && left > 0; left--) {
        store = await openOn(disk, xoshiro128(2)).catch((error: unknown) => {
          assert.equal(codeOf(error), 'OUTBOX_FULL')
          return undefined
        })
      }
      assert.ok(store)
      rejections += await work(store, model, ['OUTBOX_FULL'])
      assert.equal(store.stats().state, 'open')
      assert.deepEqual(await pendingOf(store), contents(model), `step ${bad}`)
      disk.before = () => undefined
      // What could not be written down then is with the next write.
      await store.settle('anna', 1, 'delivered')
      await store.append('anna', 'last', new Uint8Array(1))
      const before = await pendingOf(store)
      disk.kill()
      const again = await openOn(disk.afterCrash('lost'), xoshiro128(3))
      assert.deepEqual(await pendingOf(again), before, `step ${bad}, found again`)
      await again.close()
    }
    assert.ok(rejections > steps / 4, `${rejections} rejections at ${steps} steps`)
  })

  test('shrinks when what is pending is settled, and takes messages again', async () => {
    const disk = new SimDisk({ random: xoshiro128(1), capacity: 300_000 })
    const store = await openOn(disk, xoshiro128(2))
    for (let round = 0; round < 3; round++) {
      const taken: number[] = []
      const fill = async (): Promise<void> => {
        for (;;) taken.push(await store.append('anna', 'fill', new Uint8Array(5000)))
      }
      await assert.rejects(fill(), { code: 'OUTBOX_FULL' })
      assert.ok(taken.length > 30, `${taken.length} in round ${round}`)
      assert.equal(store.stats().diskFull, true)
      assert.equal(store.stats().pending, taken.length, 'what was refused is not there')
      for (const n of taken) await store.settle('anna', n, 'delivered')
      assert.equal(await store.append('anna', 'room', new Uint8Array(1000)), (taken.at(-1) ?? 0) + 1)
      assert.equal(store.stats().diskFull, false)
      await store.settle('anna', (taken.at(-1) ?? 0) + 1, 'delivered')
    }
    await store.close()
    const again = await openOn(disk, xoshiro128(3))
    assert.equal(again.stats().pending, 0)
    await again.close()
  })

  test('that others filled to the last byte still takes outcomes', async () => {
    const disk = new SimDisk({ random: xoshiro128(1) })
    const store = await openOn(disk, xoshiro128(2))
    for (let i = 0; i < 50; i++) await store.append('anna', 'x', new Uint8Array(100))
    disk.capacity = disk.used
    await assert.rejects(store.append('anna', 'x', new Uint8Array(1)), { code: 'OUTBOX_FULL' })
    for (let n = 1; n <= 50; n++) await store.settle('anna', n, 'delivered')
    await store.advance(FAR, 9)
    const again = await openOn(disk.afterCrash('lost'), xoshiro128(3))
    assert.equal(again.stats().pending, 0)
    assert.equal(again.cursor(FAR), 9)
    await again.close()
    await store.close()
  })
})

describe('a disk that fails', () => {
  test('at any step: the store ends, and what was accepted is there', async () => {
    const steps = await stepsOf()
    let failures = 0
    for (let bad = 0; bad < steps; bad++) {
      const disk = new SimDisk({ random: xoshiro128(1) })
      let step = 0
      disk.before = ({ kind }) => {
        if (CHANGES.includes(kind) && step++ === bad) throw diskError('EIO')
      }
      const accepted = new Reference()
      const failed: string[] = []
      try {
        const store = await openOn(disk, xoshiro128(2))
        store.on('failed', ({ code }) => failed.push(code))
        await work(store, accepted, ['STORE_FAILED'])
        const { state } = store.stats()
        assert.deepEqual(failed, state === 'failed' ? ['STORE_FAILED'] : [])
        if (state === 'failed') {
          failures++
          const used = step
          await assert.rejects(store.append('anna', 'x', new Uint8Array(1)), { code: 'STORE_FAILED' })
          await store.close()
          assert.equal(step, used, 'nothing is tried again')
        } else await store.close()
      } catch (error) {
        assert.equal(codeOf(error), 'STORE_FAILED')
      }
      disk.before = () => undefined
      for (const how of ['lost', 'kept', 'torn'] as const) {
        const again = await openOn(disk.afterCrash(how), xoshiro128(3))
        const found = await pendingOf(again)
        for (const [peer, own] of contents(accepted))
          for (const [n, text] of own)
            assert.equal(found.get(peer)?.get(n), text, `step ${bad}: ${peer} ${n}`)
        await again.close()
      }
    }
    assert.ok(failures > steps / 2, `${failures} of ${steps}`)
  })

  test('to read: it says so, and gives nothing', async () => {
    const disk = new SimDisk({ random: xoshiro128(1) })
    const store = await openOn(disk, xoshiro128(2))
    await store.append('anna', 'x', new Uint8Array(100))
    disk.before = ({ kind }) => {
      if (kind === 'read') throw diskError('EIO')
    }
    await assert.rejects(pendingOf(store), { code: 'STORE_FAILED' })
    await store.close()
  })

  test('to keep: what was altered under an open store is not given', async () => {
    const disk = new SimDisk({ random: xoshiro128(1) })
    const store = await openOn(disk, xoshiro128(2))
    await store.append('anna', 'x', new Uint8Array(100))
    const name = `${DIR}/000000000001.seg`
    const file = await disk.open(name, 'write')
    await file.write(new Uint8Array([1]), (await file.size()) - 50)
    const failed: string[] = []
    store.on('failed', ({ code }) => failed.push(code))
    await assert.rejects(pendingOf(store), { code: 'STORE_CORRUPT' })
    await assert.rejects(store.append('anna', 'x', new Uint8Array(1)), { code: 'STORE_CORRUPT' })
    assert.deepEqual(failed, ['STORE_CORRUPT'])
    await store.close()
  })
})
