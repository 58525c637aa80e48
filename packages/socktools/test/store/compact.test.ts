/** Messages that wait for long move to the end: which ones, and what is known of them then. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { crc32 } from 'node:zlib'
import { emptiest, moveOut } from '../../src/store/compact.ts'
import { Names } from '../../src/store/payloads.ts'
import { Batch, MARK_BYTES, readRecord, RECORD } from '../../src/store/record.ts'
import { recover } from '../../src/store/recover.ts'
import { DiskFull, Segments } from '../../src/store/segments.ts'
import type { SimDisk } from '../../src/testing/index.ts'
import { DIR } from '../support/store.ts'
import { diskWith, nameOf, newDisk, saltOf, Written } from './written.ts'

describe('the emptiest segment', () => {
  /** Segments of 100 bytes with so many that count; the last one is written to. */
  async function of(...live: number[]): Promise<number | undefined> {
    const disk = newDisk()
    await disk.makeDirectory(DIR)
    const segments = new Segments(disk, DIR)
    for (const [i, liveBytes] of live.entries()) {
      await segments.begin(i + 1, 1, new Uint8Array(100))
      segments.current.liveBytes = liveBytes
    }
    return emptiest(segments)?.number
  }

  test('is none of which half counts, and not the last one', async () => {
    assert.equal(await of(50, 100, 0), undefined)
    assert.equal(await of(49, 100, 0), 1)
    assert.equal(await of(0), undefined)
  })

  test('is the one of which the least counts, for its size', async () => {
    assert.equal(await of(30, 10, 20, 0), 2)
    assert.equal(await of(10, 20, 30, 0), 1)
    assert.equal(await of(30, 20, 10, 0), 3)
    const disk = newDisk()
    await disk.makeDirectory(DIR)
    const segments = new Segments(disk, DIR)
    for (const [number, size, live] of [
      [1, 100, 40],
      [2, 1000, 100],
      [3, 100, 20],
      [4, 100, 0],
    ] as const) {
      await segments.begin(number, 1, new Uint8Array(size))
      segments.current.liveBytes = live
    }
    assert.equal(emptiest(segments)?.number, 2)
  })
})

/** Segment 1 with messages to two peers, of which some are pending; segment 2 has one more. */
async function world(alter: (disk: SimDisk, offset: number) => void = () => undefined) {
  const first = new Written(1).mark()
  first.append('anna', 1, 'settled')
  const anna = first.append('anna', 2, 'of anna', 1234.5)
  first.append('bert', 1, 'of bert')
  first.append('anna', 3, '')
  const peers = [
    { name: 'anna', last: 3, pending: [[2, 3] as const] },
    { name: 'bert', last: 1, pending: [[1, 1] as const] },
  ]
  const second = new Written(2, { segments: [[1, first.end]], peers }).mark()
  second.append('bert', 2, 'new')
  const disk = diskWith([first, second])
  const found = await recover(disk, DIR)
  assert.ok(found)
  const { ledger } = found
  const segments = new Segments(disk, DIR)
  await segments.takeOver(found.segments, found.tail)
  for (const { pending } of ledger.peers.values()) {
    for (const { segment, bytes } of pending.values()) {
      const own = segments.all.get(segment)
      assert.ok(own)
      own.live++
      own.liveBytes += bytes
    }
  }
  alter(disk, anna.offset)
  const [from, to] = segments.all.values()
  assert.ok(from && to)
  const batch = new Batch(crc32)
  // Something is left from before.
  batch.begin(RECORD.mark, 0, 8)
  const parts = { segments, ledger, names: new Names(), platform: { disk } }
  return { disk, ledger, segments, from, to, end: second.end, move: () => moveOut(from, parts, batch) }
}

describe('what moves out of a segment', () => {
  test('is all that waits in it, as it was, with one write and one sync behind a mark', async () => {
    const { disk, ledger, segments, from, to, end, move } = await world()
    const before = new Map([...ledger.peers].map(([peer, { pending }]) => [peer, [...pending.keys()]]))
    const [bytes, own] = [from.liveBytes, to.liveBytes]
    const steps: string[] = []
    disk.before = ({ kind, path }) => void steps.push(`${kind} ${path}`)
    await move()
    assert.deepEqual(
      steps.filter((step) => !step.startsWith('read') && !step.startsWith('open')),
      [`write ${nameOf(2)}`, `sync ${nameOf(2)}`],
    )
    assert.deepEqual([from.live, from.liveBytes, to.live, to.liveBytes], [0, 0, 4, own + bytes])
    assert.equal(segments.current.end, end + MARK_BYTES + bytes)
    const content = disk.content(nameOf(2)) ?? new Uint8Array()
    assert.equal(readRecord(content, end, saltOf(2), crc32)?.type, RECORD.mark)
    // The old one is not needed: what is found without it is what is known.
    await segments.sweep()
    assert.deepEqual(disk.names(), [nameOf(2)])
    const again = await recover(disk.afterCrash('lost'), DIR)
    assert.ok(again)
    for (const [peer, account] of ledger.peers) {
      assert.deepEqual([...account.pending.keys()], before.get(peer))
      const found = again.ledger.peers.get(peer)
      assert.deepEqual([...(found?.pending ?? [])], [...account.pending])
      assert.equal(found?.last, account.last)
    }
    assert.equal(ledger.peers.get('anna')?.pending.get(2)?.at, 1234.5)
  })

  test('is nothing where one of them was damaged', async () => {
    const { move, ledger, to, end } = await world((disk, offset) => {
      const content = disk.content(nameOf(1))
      assert.ok(content)
      content.set([0xff], offset + 20)
      disk.put(nameOf(1), content)
    })
    // A file that is open stays what it was.
    await assert.rejects(move(), { code: 'STORE_CORRUPT', message: /message 2 was damaged/ })
    assert.equal(to.end, end)
    assert.deepEqual(
      [...(ledger.peers.get('anna')?.pending.values() ?? [])].map(({ segment }) => segment),
      [1, 1],
    )
  })

  test('is nothing on a full disk', async () => {
    const { disk, move, from, to, end } = await world()
    disk.capacity = disk.used
    const before = { ...from }
    await assert.rejects(move(), DiskFull)
    assert.deepEqual([from, to.end, to.live], [before, end, 1])
  })

  test('is a message only: another record with a right check is damage', async () => {
    const { move, ledger } = await world()
    const entry = ledger.peers.get('anna')?.pending.get(2)
    assert.ok(entry)
    // Where the mark stands.
    entry.offset = new Written(1).end
    await assert.rejects(move(), { code: 'STORE_CORRUPT' })
  })
})
