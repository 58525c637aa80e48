/** What a store takes and what it refuses, each bound from both sides; and what it says of itself. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Store, type StoreEvents, type Stored } from '../../src/store/index.ts'
import { appendSize } from '../../src/store/payloads.ts'
import { diskError, SimDisk } from '../../src/testing/index.ts'
import { DIR, FAR, openOn, still, xoshiro128 } from '../support/store.ts'
import { bytes, nameOf, newDisk } from './written.ts'

const bad = { code: 'BAD_OPTION' }
const one = bytes('one')
/** Of a record to anna of type `a`. */
const BARE = appendSize(bytes('anna'), bytes('a'), new Uint8Array(0))
const record = (length: number): Uint8Array => new Uint8Array(length - BARE)

async function listed(store: Store, peer = 'anna', after?: number): Promise<Stored[]> {
  const all: Stored[] = []
  for await (const each of store.pending(peer, after === undefined ? {} : { after })) all.push(each)
  return all
}

describe('a store takes', () => {
  test('names of 1,024 bytes and no more', async () => {
    const store = await openOn(newDisk(), xoshiro128(2))
    const long = 'é'.repeat(512)
    assert.equal(await store.append(long, long, one), 1)
    assert.equal((await listed(store, long))[0]?.type, long)
    await assert.rejects(store.append(`${long}x`, 'a', one), { ...bad, message: /a peer has 1024 bytes/ })
    await assert.rejects(store.append('anna', `${long}x`, one), { ...bad, message: /a type has/ })
    await assert.rejects(store.append('anna', '', one), { ...bad, message: /a type is a text/ })
    await assert.rejects(store.append(undefined as never, 'a', one), { ...bad, message: /a peer is a text/ })
    await assert.rejects(store.append('anna', 'a', one, { at: Infinity }), bad)
    await assert.rejects(store.append('anna', 'a', one, { at: '7' as never }), bad)
    assert.equal(store.stats().queued, 0)
    await store.close()
  })

  test('a record as long as all may be together, and none that is longer', async () => {
    const store = await openOn(newDisk(), xoshiro128(2), { maxBytes: 4096 })
    const large = { code: 'TOO_LARGE', message: /a record of 4097 bytes: 4096 is the most/ }
    await assert.rejects(store.append('anna', 'a', record(4097)), large)
    assert.equal(await store.append('anna', 'a', record(4096)), 1)
    await assert.rejects(store.append('anna', 'a', new Uint8Array(0)), {
      code: 'OUTBOX_FULL',
      message: /4096 bytes are pending/,
    })
    await store.close()
    const roomy = await openOn(newDisk(), xoshiro128(2), {})
    const most = 256 * 1024 * 1024
    await assert.rejects(roomy.append('anna', 'a', record(most + 1)), { code: 'TOO_LARGE' })
    await roomy.close()
  })

  test('as many bytes as it may have, what waits counted', async () => {
    const store = await openOn(newDisk(), xoshiro128(2), { maxBytes: 4096 })
    const all = [2000, 1000, 1096].map((length) => store.append('anna', 'a', record(length)))
    await assert.rejects(store.append('anna', 'a', record(BARE)), { code: 'OUTBOX_FULL' })
    assert.deepEqual(await Promise.all(all), [1, 2, 3])
    void store.settle('anna', 2, 'delivered')
    await assert.rejects(store.append('anna', 'a', record(1001)), { code: 'OUTBOX_FULL' })
    assert.equal(await store.append('anna', 'a', record(1000)), 4)
    await store.close()
  })

  test('outcomes of what was accepted, by its number', async () => {
    const store = await openOn(newDisk(), xoshiro128(2))
    for (let i = 0; i < 3; i++) await store.append('anna', 'a', one)
    for (const n of [4, 0, -1, 1.5, NaN, '1' as never])
      await assert.rejects(store.settle('anna', n, 'delivered'), {
        ...bad,
        message: /no message .* to anna was ever accepted/,
      })
    await assert.rejects(store.settle('anna', 1, 'gone' as never), {
      ...bad,
      message: /delivered, not-delivered, unknown, expired/,
    })
    await store.settle('anna', 1, 'not-delivered')
    await store.settle('anna', 3, 'delivered')
    assert.deepEqual(
      (await listed(store)).map(({ n }) => n),
      [2],
    )
    await store.close()
  })

  test('cursors of stores, from 0 on', async () => {
    const disk = newDisk()
    const store = await openOn(disk, xoshiro128(2))
    for (const id of ['F'.repeat(32), 'f'.repeat(31), 'f'.repeat(33), ` ${FAR}`, `${FAR}\n`, [FAR] as never])
      await assert.rejects(store.advance(id, 1), { ...bad, message: /32 hex digits/ })
    for (const n of [-1, 0.5, NaN, 2 ** 53, '1' as never])
      await assert.rejects(store.advance(FAR, n), { ...bad, message: /a whole number from 0 on/ })
    const { commits } = store.stats()
    await store.advance(FAR, 0)
    assert.equal(store.stats().commits, commits, 'nothing to write')
    assert.equal(store.stats().cursors, 0)
    await store.advance(FAR, 1)
    assert.deepEqual([store.cursor(FAR), store.stats().cursors, store.stats().commits], [1, 1, commits + 1])
    await store.close()
  })

  test('a cursor that is told again only when what it says is durable', async () => {
    const disk = newDisk()
    const store = await openOn(disk, xoshiro128(2))
    const first = store.advance(FAR, 5)
    await store.advance(FAR, 3)
    disk.kill()
    const again = await openOn(disk.afterCrash('lost'), xoshiro128(3))
    assert.equal(again.cursor(FAR), 5)
    await again.close()
    await first
  })
})

describe('a store tells', () => {
  test('what it has', async () => {
    const disk = newDisk()
    const store = await openOn(disk, xoshiro128(2))
    const empty = store.stats()
    assert.deepEqual(empty, {
      ...{ id: store.id, state: 'open', pending: 0, pendingBytes: 0, queued: 0, segments: 1, peers: 0 },
      ...{ cursors: 0, accepted: 0, commits: 0, diskFull: false, diskBytes: disk.content(nameOf(1))?.length },
      settled: { delivered: 0, 'not-delivered': 0, unknown: 0, expired: 0 },
    })
    const queued = [store.append('anna', 'a', record(100)), store.append('anna', 'a', record(50))]
    assert.equal(store.stats().queued, 2)
    await Promise.all([...queued, store.append('bert', 'a', record(60))])
    await store.settle('anna', 1, 'delivered')
    await store.advance(FAR, 4)
    const { accepted, pending, pendingBytes, peers, cursors, settled } = store.stats()
    assert.deepEqual([accepted, pending, pendingBytes, peers, cursors], [3, 2, 110, 2, 1])
    assert.deepEqual(settled, { delivered: 1, 'not-delivered': 0, unknown: 0, expired: 0 })
    assert.deepEqual(store.peers(), [
      { peer: 'anna', pending: 1, pendingBytes: 50, last: 2 },
      { peer: 'bert', pending: 1, pendingBytes: 60, last: 1 },
    ])
    assert.notEqual(store.stats().settled, settled)
    await store.close()
    assert.equal(store.stats().state, 'closed')
  })

  test('on the disk no more than what counts: a file goes when all in it is settled', async () => {
    const disk = newDisk()
    const store = await openOn(disk, xoshiro128(2))
    await store.append('anna', 'a', new Uint8Array(20_000))
    await store.append('anna', 'a', one)
    assert.equal(store.stats().segments, 2)
    await store.settle('anna', 1, 'delivered')
    await store.close()
    assert.equal(store.stats().segments, 1)
    assert.deepEqual(disk.names().sort(), [nameOf(2), `${DIR}/reserve`])
  })

  test('that its disk failed, once, and from then on', async () => {
    const disk = newDisk()
    const store = await openOn(disk, xoshiro128(2))
    await store.append('anna', 'a', one)
    const failed: StoreEvents['failed'][] = []
    const off = store.on('failed', (error) => failed.push(error))
    disk.before = ({ kind }) => {
      if (kind === 'write' || kind === 'close') throw diskError('EIO')
    }
    const error = { code: 'STORE_FAILED' }
    await assert.rejects(store.settle('anna', 1, 'delivered'), error)
    await assert.rejects(store.append('anna', 'a', one), error)
    await assert.rejects(store.settle('anna', 1, 'delivered'), error)
    await assert.rejects(store.advance(FAR, 1), error)
    assert.equal(store.stats().state, 'failed')
    assert.equal(failed.length, 1)
    off()
    await store.close()
    await (await disk.lock(DIR)).release()
  })

  test('what is open and in which order it was closed', async () => {
    const disk = newDisk()
    const store = await openOn(disk, xoshiro128(2))
    await store.append('anna', 'a', one)
    const steps: string[] = []
    disk.before = ({ kind }) => void steps.push(kind)
    await store.close()
    assert.deepEqual(steps, ['write', 'sync', 'close'])
    await (await disk.lock(DIR)).release()
  })

  test('nothing to nobody of a promise that nobody looked at', async () => {
    const disk = newDisk()
    const store = await openOn(disk, xoshiro128(2))
    await store.append('anna', 'a', one)
    const unhandled: unknown[] = []
    const note = (error: unknown): void => void unhandled.push(error)
    process.on('unhandledRejection', note)
    disk.before = ({ kind }) => {
      if (kind === 'write') throw diskError('EIO')
    }
    void store.settle('anna', 9, 'delivered')
    void store.settle('anna', 1, 'delivered')
    void store.advance('no id', 1)
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', note)
    assert.deepEqual(unhandled, [])
    await store.close()
  })
})

describe('what is pending', () => {
  test('is given from after a number on', async () => {
    const store = await openOn(newDisk(), xoshiro128(2))
    for (let i = 0; i < 3; i++) await store.append('anna', 'a', one)
    const from = async (after?: number) => (await listed(store, 'anna', after)).map(({ n }) => n)
    assert.deepEqual(await from(), [1, 2, 3])
    assert.deepEqual(await from(1), [2, 3])
    assert.deepEqual(await from(3), [])
    await store.close()
  })

  test('is its own copy', async () => {
    const store = await openOn(newDisk(), xoshiro128(2))
    await store.append('anna', 'a', one)
    const [first] = await listed(store)
    first?.payload.fill(0)
    const pages = store.pending('anna')
    const { value } = await pages.next()
    assert.deepEqual(value?.payload, one)
    assert.equal(value.payload.buffer.byteLength, one.length)
    await pages.return(undefined)
    await store.close()
  })

  /** A store with two messages, and a hook that is called once, while the second one is read from the disk. */
  async function midway(during: (store: Store) => unknown) {
    const disk = new SimDisk({ random: xoshiro128(1) })
    const large = new Uint8Array(300 * 1024)
    const store = await openOn(disk, xoshiro128(2))
    await store.append('anna', 'a', large)
    await store.append('anna', 'a', large)
    await store.append('anna', 'a', one)
    const pages = store.pending('anna')
    assert.equal((await pages.next()).value?.n, 1)
    let hooked = false
    disk.before = async ({ kind }) => {
      if (kind !== 'read' || hooked) return
      hooked = true
      await during(store)
    }
    return { disk, store, pages }
  }

  test('leaves out what is settled while it is read', async () => {
    const { store, pages } = await midway((store) => store.settle('anna', 2, 'delivered'))
    assert.equal((await pages.next()).value?.n, 3)
    assert.equal((await pages.next()).done, true)
    await store.close()
  })

  test('minds no failure to read what was settled meanwhile', async () => {
    const { store, pages } = await midway(async (store) => {
      await store.settle('anna', 2, 'delivered')
      throw diskError('EIO')
    })
    assert.equal((await pages.next()).value?.n, 3)
    assert.equal(store.stats().state, 'open')
    await store.close()
  })

  test('ends with CLOSED, not with a failure, when the store is closed meanwhile', async () => {
    const { store, pages } = await midway((store) => {
      void store.close()
      throw diskError('EIO')
    })
    await assert.rejects(pages.next(), { code: 'CLOSED' })
    assert.equal(store.stats().state, 'closed')
    await store.close()
  })

  test('is read where it was moved to, when its old place is gone meanwhile', async () => {
    const disk = newDisk()
    const store = await openOn(disk, xoshiro128(2))
    await store.append('anna', 'a', one)
    let hooked = false
    disk.before = async ({ kind }) => {
      if (kind !== 'read' || hooked) return
      hooked = true
      for (let n = 1; n < 100 && disk.content(nameOf(1)) !== undefined; n++) {
        await store.settle('bert', await store.append('bert', 'a', new Uint8Array(3000)), 'delivered')
        if (n % 6 === 0) await store.append('carl', 'a', new Uint8Array(100))
      }
      throw diskError('EIO')
    }
    const all = await listed(store)
    assert.equal(disk.content(nameOf(1)), undefined)
    assert.deepEqual(all, [{ n: 1, type: 'a', payload: one, at: 1e12, redelivered: false }])
    assert.equal(store.stats().state, 'open')
    await store.close()
  })

  test('fails with the store otherwise', async () => {
    const { store, pages } = await midway(() => {
      throw diskError('EIO')
    })
    await assert.rejects(pages.next(), { code: 'STORE_FAILED' })
    assert.equal(store.stats().state, 'failed')
    await store.close()
  })
})

test('a directory has a name', async () => {
  const platform = still(newDisk(), xoshiro128(1))
  for (const directory of ['', undefined, 7])
    await assert.rejects(Store.open(directory as string, { platform }), {
      ...bad,
      message: /a store lies in a directory/,
    })
})
