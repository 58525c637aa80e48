/** What a store promises, one thing at a time; and what it answers to misuse. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect, Store, type Stored } from '../../src/store/index.ts'
import { SimDisk } from '../../src/testing/index.ts'
import { CHANGES, DIR, FAR, openOn, still, xoshiro128 } from '../support/store.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const newDisk = (): SimDisk => new SimDisk({ random: xoshiro128(1), wallClock: () => 1e12 })

async function listed(store: Store, peer = 'anna', after = 0): Promise<Stored[]> {
  const all: Stored[] = []
  for await (const one of store.pending(peer, { after })) all.push(one)
  return all
}

describe('a store', () => {
  test('gives what it was given, in order, with its numbers', async () => {
    const disk = newDisk()
    const store = await openOn(disk, xoshiro128(2))
    assert.match(store.id, /^[0-9a-f]{32}$/)
    assert.equal(await store.append('anna', 'say', bytes('one')), 1)
    assert.equal(await store.append('bert', 'say', bytes('else')), 1)
    assert.equal(await store.append('anna', 'ask', bytes(''), { at: 5 }), 2)
    const want = [
      { n: 1, type: 'say', payload: bytes('one'), at: 1e12, redelivered: false },
      { n: 2, type: 'ask', payload: bytes(''), at: 5, redelivered: false },
    ]
    assert.deepEqual(await listed(store), want)
    assert.deepEqual(await listed(store, 'anna', 1), want.slice(1))
    assert.deepEqual(await listed(store, 'nobody'), [])
    await store.close()
    const again = await openOn(disk, xoshiro128(3))
    assert.equal(again.id, store.id)
    assert.equal(await again.append('anna', 'say', bytes('new')), 3)
    assert.deepEqual(
      (await listed(again)).map(({ n, redelivered }) => [n, redelivered]),
      [
        [1, true],
        [2, true],
        [3, false],
      ],
    )
    await again.close()
  })

  test('makes all of a turn durable with one sync', async () => {
    const disk = newDisk()
    const store = await openOn(disk, xoshiro128(2))
    await store.append('anna', 'say', bytes('first'))
    const steps: string[] = []
    disk.before = ({ kind }) => (CHANGES.includes(kind) ? steps.push(kind) : 0)
    const all = Array.from({ length: 100 }, (_, i) => store.append('anna', 'say', bytes(String(i))))
    void store.settle('anna', 1, 'delivered')
    void store.advance(FAR, 4)
    assert.deepEqual(
      await Promise.all(all),
      Array.from({ length: 100 }, (_, i) => i + 2),
    )
    assert.deepEqual(steps, ['write', 'sync'])
    assert.equal(store.stats().commits, 2)
    await store.close()
  })

  test('accepts nothing before its sync', async () => {
    const disk = newDisk()
    const store = await openOn(disk, xoshiro128(2))
    const steps: string[] = []
    disk.before = ({ kind }) => void steps.push(kind)
    await store.append('anna', 'say', bytes('one')).then(() => steps.push('accepted'))
    assert.deepEqual(steps.slice(-3), ['write', 'sync', 'accepted'])
    await store.close()
  })

  test('is true at once about an outcome, and does not mind being told twice', async () => {
    const store = await openOn(newDisk(), xoshiro128(2))
    for (const text of ['a', 'b', 'c']) await store.append('anna', 'say', bytes(text))
    const settled = store.settle('anna', 2, 'unknown')
    assert.deepEqual(
      (await listed(store)).map(({ n }) => n),
      [1, 3],
    )
    await settled
    await store.settle('anna', 2, 'delivered')
    assert.deepEqual(store.stats().settled, { delivered: 0, 'not-delivered': 0, unknown: 1, expired: 0 })
    const seen: number[] = []
    for await (const { n } of store.pending('anna')) {
      seen.push(n)
      await store.settle('anna', 3, 'delivered')
      await store.append('anna', 'say', bytes('late'))
    }
    assert.deepEqual(seen, [1], 'neither what was settled meanwhile nor what came')
    await store.close()
  })

  test('keeps a cursor for each sender, that only goes forward', async () => {
    const disk = newDisk()
    const store = await openOn(disk, xoshiro128(2))
    assert.equal(store.cursor(FAR), 0)
    await store.advance(FAR, 0)
    const told = store.advance(FAR, 9)
    assert.equal(store.cursor(FAR), 9)
    await told
    await store.advance(FAR, 3)
    assert.equal(store.cursor(FAR), 9)
    disk.kill()
    const again = await openOn(disk.afterCrash('lost'), xoshiro128(3))
    assert.equal(again.cursor(FAR), 9)
    assert.equal(again.cursor('0'.repeat(32)), 0)
    await again.close()
  })

  test('says what is wrong with what it is given', async () => {
    const store = await openOn(newDisk(), xoshiro128(2))
    const one = bytes('one')
    await store.append('anna', 'say', one)
    const wrong: Promise<unknown>[] = [
      store.append('', 'say', one),
      store.append('x'.repeat(1025), 'say', one),
      store.append('anna', 7 as never, one),
      store.append('anna', 'say', 'text' as never),
      store.append('anna', 'say', one, { at: NaN }),
      store.settle('anna', 2, 'delivered'),
      store.settle('anna', 0, 'delivered'),
      store.settle('bert', 1, 'delivered'),
      store.settle('anna', 1, 'toString' as never),
      store.advance('me', 1),
      store.advance(FAR, 1.5),
      store.advance(FAR, -1),
    ]
    for (const promise of wrong) await assert.rejects(promise, { code: 'BAD_OPTION' })
    assert.equal(store.stats().pending, 1)
    await store.close()
    const platform = still(newDisk(), xoshiro128(1))
    for (const options of [
      { maxBytes: 1 },
      { maxBytes: '1' as never },
      { maxAge: 0 },
      { maxAge: NaN },
      { whenFull: 'drop' as never },
      { segmentBytes: 1e12 },
      { nothing: 1 } as never,
    ])
      await assert.rejects(Store.open(DIR, { ...(options as object), platform }), { code: 'BAD_OPTION' })
  })

  test('is closed with what was on its way written; after that it says CLOSED', async () => {
    const disk = newDisk()
    const store = await openOn(disk, xoshiro128(2))
    const accepted = store.append('anna', 'say', bytes('one'))
    const pages = store.pending('anna')
    await Promise.all([store.close(), store.close()])
    assert.equal(await accepted, 1)
    assert.equal(store.stats().state, 'closed')
    await assert.rejects(store.append('anna', 'say', bytes('two')), { code: 'CLOSED' })
    await assert.rejects(store.settle('anna', 1, 'delivered'), { code: 'CLOSED' })
    await assert.rejects(store.advance(FAR, 1), { code: 'CLOSED' })
    await assert.rejects(pages.next(), { code: 'CLOSED' })
    const again = await openOn(disk, xoshiro128(3))
    assert.equal((await listed(again)).length, 1)
    await again[Symbol.asyncDispose]()
    assert.equal(again.stats().state, 'closed')
  })

  test('contains a listener that throws', async () => {
    const reports: Error[] = []
    const platform = {
      ...still(newDisk(), xoshiro128(2)),
      report: (error: Error) => void reports.push(error),
    }
    const store = await Store.open(DIR, { platform, maxBytes: 4096, whenFull: 'expire' })
    store.on('expired', () => {
      throw new Error('boom')
    })
    for (let i = 0; i < 3; i++) await store.append('anna', 'say', new Uint8Array(3000))
    assert.equal(reports.length, 2)
    const [{ message, cause } = new Error()] = reports
    assert.match(message, /a listener of "expired" threw/)
    assert.equal((cause as Error).message, 'boom')
    await store.close()
  })
})

describe('inspect', () => {
  test('tells of a store that is open what is there, and changes nothing', async () => {
    const disk = newDisk()
    const store = await openOn(disk, xoshiro128(2))
    for (const text of ['a', 'b']) await store.append('anna', 'say', bytes(text))
    await store.settle('anna', 1, 'delivered')
    await store.advance(FAR, 3)
    const steps: string[] = []
    disk.before = ({ kind }) => void steps.push(kind)
    const found = await inspect(DIR, { disk })
    assert.equal(found.id, store.id)
    assert.deepEqual(found.cursors, new Map([[FAR, 3]]))
    assert.deepEqual(
      found.peers.map(({ peer, pending, last }) => [peer, pending, last]),
      [['anna', 1, 2]],
    )
    const all: Stored[] = []
    for await (const one of found.pending('anna')) all.push(one)
    assert.deepEqual(
      all.map(({ n, payload }) => [n, payload]),
      [[2, bytes('b')]],
    )
    assert.ok(!steps.some((kind) => ['write', 'sync', 'rename', 'remove', 'lock', 'truncate'].includes(kind)))
    await store.close()
  })

  test('of what is no store fails', async () => {
    const disk = newDisk()
    await assert.rejects(inspect(DIR, { disk }), { code: 'STORE_FAILED' })
    await disk.makeDirectory(DIR)
    await assert.rejects(inspect(DIR, { disk }), { code: 'STORE_FAILED' })
  })

  test('that a later version wrote is not called damaged, and is left as it is', async () => {
    const disk = newDisk()
    await (await openOn(disk, xoshiro128(2))).close()
    const path = disk.names().find((name) => name.endsWith('.seg')) ?? ''
    const later = disk.content(path)?.slice() ?? new Uint8Array()
    // After the magic and the head of its record; the check of the record is made anew.
    later[8 + 17] = 2
    const view = new DataView(later.buffer)
    view.setUint32(12, disk.crc32(later.subarray(16, 16 + view.getUint32(8)), 0))
    disk.put(path, later)
    const wrote = { code: 'UNSUPPORTED', message: /version 2 of its form, and this reads 1/ }
    await assert.rejects(openOn(disk, xoshiro128(3)), wrote)
    await assert.rejects(inspect(DIR, { disk }), wrote)
    assert.deepEqual(disk.content(path), later)
  })
})
