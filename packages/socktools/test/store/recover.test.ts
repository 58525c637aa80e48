/** What is found of a store, of segments that were written by hand: what counts, what is cut off, what is refused. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Disk } from '../../src/platform/disk.ts'
import { RECORD } from '../../src/store/record.ts'
import { recover, type Recovered } from '../../src/store/recover.ts'
import type { SimDisk } from '../../src/testing/index.ts'
import { DIR } from '../support/store.ts'
import { bytes, diskWith, ID, nameOf, newDisk, openFilesOf, saltOf, Written } from './written.ts'

const FAR = 'f'.repeat(32)

async function found(disk: Disk): Promise<Recovered> {
  const all = await recover(disk, DIR)
  assert.ok(all)
  return all
}

async function refused(disk: SimDisk, message: RegExp): Promise<void> {
  const left = openFilesOf(disk)
  await assert.rejects(recover(disk, DIR), { code: 'STORE_CORRUPT', message })
  assert.equal(left(), 0, 'no file stays open')
}

const listed = ({ ledger }: Recovered, peer = 'anna') => [...(ledger.peers.get(peer)?.pending.values() ?? [])]

/** Two messages to anna in segment 1, and one that is settled; the head of segment 2 tells of it. */
function older(): { first: Written; head: object; places: { offset: number; bytes: number }[] } {
  const first = new Written(1).mark()
  const places = ['one', 'number two', 'three'].map((text, i) => first.append('anna', i + 1, text))
  first.settle('anna', 2, 2)
  const peers = [{ name: 'anna', last: 3, pending: [[1, 1] as const, [3, 3] as const] }]
  return { first, head: { segments: [[1, first.end]], peers }, places }
}

describe('recover', () => {
  test('finds no store where there is no segment', async () => {
    const disk = newDisk()
    for (const name of ['lock', 'reserve', '1.seg', 'x000000000001.seg', '000000000001.seg.tmp'])
      disk.put(`${DIR}/${name}`, bytes('nothing'))
    assert.equal(await recover(disk, DIR), undefined)
  })

  test('finds messages, outcomes and cursors of one segment', async () => {
    const one = new Written(1).mark()
    const places = ['a', 'bb', 'ccc', 'dddd'].map((text, i) => one.append('anna', i + 1, text, 50 + i))
    one.settle('anna', 2, 3).cursor(FAR, 9).cursor(FAR, 4).append('bert', 1, 'else')
    const disk = diskWith([one])
    const left = openFilesOf(disk)
    const all = await found(disk)
    assert.equal(left(), 0)
    assert.equal(all.id, ID)
    assert.deepEqual(listed(all), [
      { n: 1, at: 50, due: undefined, segment: 1, ...places[0] },
      { n: 4, at: 53, due: undefined, segment: 1, ...places[3] },
    ])
    const { ledger } = all
    const [anna, bert] = ledger.peers.values()
    assert.deepEqual([anna?.last, anna?.recovered, bert?.last, bert?.recovered], [4, 4, 1, 1])
    assert.equal(ledger.pending, 3)
    const bytesOf = [...listed(all), ...listed(all, 'bert')].map((entry) => entry.bytes)
    assert.equal(ledger.pendingBytes, bytesOf[0]! + bytesOf[1]! + bytesOf[2]!)
    assert.deepEqual(ledger.cursors, new Map([[FAR, 9]]))
    assert.deepEqual(all.segments, [{ number: 1, salt: saltOf(1), end: one.end, size: one.end }])
    assert.deepEqual([all.tail, all.garbage], ['nothing', []])
  })

  test('an outcome counts for each message of its range, and for none that was never sent', async () => {
    const one = new Written(1).mark()
    for (let n = 1; n <= 5; n++) one.append('anna', n, 'x')
    const all = await found(diskWith([one.settle('anna', 2, 3).settle('anna', 5, 2 ** 50)]))
    assert.deepEqual(
      listed(all).map(({ n }) => n),
      [1, 4],
    )
    assert.equal(all.ledger.peers.get('anna')?.last, 5)
  })

  test('of an older segment only what is pending counts, and where it lies', async () => {
    const { first, head, places } = older()
    const second = new Written(2, { ...head, cursors: [[FAR, 7]] }).mark()
    const all = await found(diskWith([first, second]))
    assert.deepEqual(listed(all), [
      { n: 1, at: 1, due: undefined, segment: 1, ...places[0] },
      { n: 3, at: 3, due: undefined, segment: 1, ...places[2] },
    ])
    assert.equal(all.ledger.pendingBytes, places[0]!.bytes + places[2]!.bytes)
    assert.equal(all.ledger.peers.get('anna')?.recovered, 3)
    assert.equal(all.ledger.cursors.get(FAR), 7)
    assert.deepEqual(
      all.segments.map(({ number, salt, end }) => [number, salt, end]),
      [
        [1, saltOf(1), first.end],
        [2, saltOf(2), second.end],
      ],
    )
  })

  test('of an older segment a message counts only where the head knows its peer', async () => {
    const { first, head } = older()
    first.append('nobody', 1, 'hello')
    const all = await found(diskWith([first, new Written(2, { ...head, segments: [[1, first.end]] })]))
    assert.deepEqual([[...all.ledger.peers.keys()], all.ledger.pending], [['anna'], 2])
  })

  test('goes by the numbers of segments, whatever the order of their names', async () => {
    const nine = new Written(9)
    const place = nine.append('anna', 1, 'old')
    const peers = [{ name: 'anna', last: 1, pending: [[1, 1] as const] }]
    const ten = new Written(10, { segments: [[9, nine.end]], peers })
    const eight = new Written(8)
    const disk = diskWith([eight, ten])
    disk.put(nameOf(9), nine.content)
    const all = await found(disk)
    assert.deepEqual(
      all.segments.map(({ number }) => number),
      [9, 10],
    )
    assert.deepEqual(all.garbage, [8])
    assert.deepEqual([listed(all)[0]?.segment, listed(all)[0]?.offset], [9, place.offset])
  })

  test('a segment that no head knows may be anything', async () => {
    const disk = diskWith([new Written(4)])
    disk.put(nameOf(3), bytes('no segment'))
    assert.deepEqual((await found(disk)).garbage, [3])
  })
})

describe('a message that was moved to the end', () => {
  test('is where it is now, in the place that it had among the others', async () => {
    const { first, head, places } = older()
    const second = new Written(2, head).mark()
    const now = second.append('anna', 1, 'one')
    const all = await found(diskWith([first, second]))
    assert.deepEqual(
      listed(all).map(({ n, segment, offset }) => [n, segment, offset]),
      [
        [1, 2, now.offset],
        [3, 1, places[2]?.offset],
      ],
    )
    assert.equal(all.ledger.pending, 2)
    assert.equal(all.ledger.pendingBytes, now.bytes + places[2]!.bytes)
    assert.equal(all.ledger.peers.get('anna')?.last, 3)
  })

  test('as the last that was sent, too', async () => {
    const { first, head } = older()
    const second = new Written(2, head).mark()
    const now = second.append('anna', 3, 'three')
    const all = await found(diskWith([first, second]))
    assert.deepEqual([listed(all)[1]?.segment, listed(all)[1]?.offset], [2, now.offset])
    assert.equal(all.ledger.peers.get('anna')?.last, 3)
  })

  test('and was settled since does not come back', async () => {
    const { first, head, places } = older()
    const second = new Written(2, head).mark().settle('anna', 1, 1)
    second.append('anna', 1, 'one')
    second.append('anna', 2, 'number two')
    const all = await found(diskWith([first, second]))
    assert.deepEqual(
      listed(all).map(({ n }) => n),
      [3],
    )
    assert.deepEqual([all.ledger.pending, all.ledger.pendingBytes], [1, places[2]?.bytes])
  })

  test('may have its old segment gone', async () => {
    const { head } = older()
    const second = new Written(2, head).mark()
    const three = second.append('anna', 3, 'three')
    const one = second.append('anna', 1, 'one')
    const all = await found(diskWith([second]))
    assert.deepEqual(
      listed(all).map(({ n, offset }) => [n, offset]),
      [
        [1, one.offset],
        [3, three.offset],
      ],
    )
    assert.deepEqual([all.ledger.pending, all.ledger.pendingBytes], [2, one.bytes + three.bytes])
  })

  test('or settled: then nobody misses it', async () => {
    const { head } = older()
    const second = new Written(2, head).mark().settle('anna', 1, 1)
    const three = second.append('anna', 3, 'three')
    const all = await found(diskWith([second]))
    assert.deepEqual(
      listed(all).map(({ n }) => n),
      [3],
    )
    assert.deepEqual([all.ledger.pending, all.ledger.pendingBytes], [1, three.bytes])
    const both = await found(diskWith([new Written(2, head).mark().settle('anna', 1, 3)]))
    assert.deepEqual([listed(both), both.ledger.pending, both.ledger.pendingBytes], [[], 0, 0])
  })
})

describe('what is cut off', () => {
  const one = (): Written => {
    const written = new Written(1).mark()
    written.append('anna', 1, 'whole')
    return written
  }
  /** What a batch would have been. */
  const next = (...texts: string[]): Uint8Array => {
    const written = one()
    const { end } = written
    written.mark()
    for (const [i, text] of texts.entries()) written.append('anna', i + 2, text)
    return written.content.subarray(end)
  }

  test('a write that was cut short, at any of its bytes', async () => {
    const { end } = one()
    const batch = next('two')
    for (let length = 1; length < batch.length; length++) {
      const all = await found(diskWith([one()], batch.subarray(0, length)))
      // Its mark says nothing of what comes after it.
      const counts = length < 25 ? end : end + 25
      const left = batch.subarray(counts - end, length)
      const tail = left.length === 0 ? 'nothing' : left.some((byte) => byte !== 0) ? 'torn' : 'zeros'
      assert.equal(all.tail, tail, `${length} bytes`)
      assert.deepEqual([all.segments[0]?.end, all.segments[0]?.size], [counts, end + length])
      assert.equal(listed(all).length, 1)
    }
  })

  test('of a write whose middle is missing, all that comes after', async () => {
    const batch = next('two', 'three')
    batch.set([255], 40)
    const all = await found(diskWith([one()], batch))
    assert.equal(all.tail, 'torn')
    assert.equal(all.segments[0]?.end, one().end + 25)
    assert.equal(listed(all).length, 1)
  })

  test('zeros are no write', async () => {
    for (const length of [1, 16, 17, 100]) {
      const all = await found(diskWith([one()], new Uint8Array(length)))
      assert.equal(all.tail, 'zeros')
      assert.deepEqual([all.segments[0]?.end, all.segments[0]?.size], [one().end, one().end + length])
    }
    const almost = new Uint8Array(100)
    almost[99] = 1
    assert.equal((await found(diskWith([one()], almost))).tail, 'torn')
  })

  test('what a longer file had before, even whole records with another salt', async () => {
    const other = new Written(2).mark()
    other.append('anna', 2, 'of long ago')
    const left = other.content.subarray(new Written(2).end)
    const all = await found(diskWith([one()], left))
    assert.deepEqual([all.tail, all.segments[0]?.end, listed(all).length], ['torn', one().end, 1])
  })

  test('what has become shorter since it was asked for its size', async () => {
    const disk = diskWith([one()])
    const open: Disk['open'] = async (path, how) => {
      const file = await disk.open(path, how)
      return { ...file, size: async () => (await file.size()) + 100 }
    }
    const { list, crc32 } = disk
    const all = await found({ list, crc32, open } as unknown as Disk)
    assert.deepEqual([all.tail, all.segments[0]?.size], ['nothing', one().end])
  })
})

describe('what is refused', () => {
  test('damage in front of a mark, however near', async () => {
    const written = new Written(1).mark()
    const { offset, bytes: length } = written.append('anna', 1, 'whole')
    const content = written.mark().content
    for (let at = offset; at < offset + length; at++) {
      const damaged = content.slice()
      damaged[at] = (damaged[at] ?? 0) ^ 1
      const disk = newDisk()
      disk.put(nameOf(1), damaged)
      await refused(disk, new RegExp(`0001.seg, at byte ${offset}: a record is damaged, and others`))
    }
    // One byte is all that is damaged: the mark is right behind it.
    const { end } = new Written(1)
    const batch = new Written(1).raw(RECORD.mark, 0, new Uint8Array(8))
    assert.equal(batch.end, end + 25)
    const near = new Uint8Array(end + 1 + 25)
    near.set(new Written(1).content)
    near[end] = 7
    near.set(markAt(end + 1), end + 1)
    const disk = newDisk()
    disk.put(nameOf(1), near)
    await refused(disk, /a record is damaged, and others/)
  })

  test('a head that does not read, that is of another segment, or of another store', async () => {
    const disk = newDisk()
    disk.put(nameOf(1), new Uint8Array(0))
    await refused(disk, /0001.seg, at byte 0: it does not begin/)
    disk.put(nameOf(1), new Written(2).content)
    await refused(disk, /it is segment 2/)
    const { first, head } = older()
    const other = diskWith([first, new Written(2, { ...head, id: 'b2'.repeat(16) })])
    await refused(other, /0001.seg, at byte 0: it is of another store/)
  })

  test('an older segment that is shorter than it was, or damaged, by one byte', async () => {
    const { first, head } = older()
    const second = new Written(2, head)
    const disk = diskWith([first, second])
    // Longer is no harm.
    disk.put(nameOf(1), Uint8Array.from([...first.content, 9, 9, 9]))
    assert.equal(listed(await found(disk)).length, 2)
    const [kept] = (await found(disk)).segments
    assert.deepEqual([kept?.end, kept?.size], [first.end, first.end + 3])
    disk.put(nameOf(1), first.content.subarray(0, -1))
    await refused(disk, new RegExp(`at byte ${first.end - 1}: ${first.end} bytes were written`))
    const damaged = first.content
    damaged.set([0], damaged.length - 1)
    disk.put(nameOf(1), damaged)
    await refused(disk, /0001.seg, at byte \d+: a record is damaged: nothing/)
  })

  test('an older segment of which a part of a record would count', async () => {
    const { first, head } = older()
    const short = new Written(2, { ...head, segments: [[1, first.end - 1]] })
    await refused(diskWith([first, short]), /a record is damaged/)
  })

  test('a message that is pending and nowhere', async () => {
    const { first, head } = older()
    await refused(
      diskWith([new Written(2, head)]),
      /message 1 to anna is pending, and the segment .* is gone/,
    )
    await refused(diskWith([new Written(2, head).settle('anna', 1, 1)]), /message 3 to anna/)
    const moved = new Written(2, head)
    moved.append('anna', 3, 'three')
    await refused(diskWith([moved]), /message 1 to anna/)
    // One more is pending than the older segment has.
    const peers = [{ name: 'anna', last: 4, pending: [[3, 4] as const] }]
    await refused(diskWith([first, new Written(2, { ...head, peers })]), /message 4 to anna/)
  })

  test('a message that leaves one out', async () => {
    const one = new Written(1).mark()
    one.append('anna', 1, 'one')
    const at = one.end
    one.append('anna', 3, 'three')
    await refused(diskWith([one]), new RegExp(`at byte ${at}: after message 1 comes 3`))
    const first = new Written(1)
    first.append('anna', 2, 'two')
    await refused(diskWith([first]), /after message 0 comes 2/)
  })

  test('records whose check is right, and that nobody can have written', async () => {
    const wrong: (readonly [number, Uint8Array, RegExp])[] = [
      [RECORD.append, new Uint8Array(11), /a message cannot be read/],
      [RECORD.settle, new Uint8Array(7), /an outcome cannot be read/],
      [RECORD.cursor, new Uint8Array(15), /a cursor cannot be read/],
      [RECORD.cursor, new Uint8Array(17), /a cursor cannot be read/],
      [RECORD.head, new Uint8Array(1), /nobody knows a record of type 5/],
      [9, new Uint8Array(1), /nobody knows a record of type 9/],
    ]
    for (const [type, payload, message] of wrong)
      await refused(diskWith([new Written(1).raw(type, 1, payload)]), message)
    const first = new Written(1).raw(RECORD.append, 1, new Uint8Array(11))
    await refused(
      diskWith([first, new Written(2, { segments: [[1, first.end]] })]),
      /a message cannot be read/,
    )
  })
})

/** A mark as it stands at this place of segment 1. */
function markAt(position: number): Uint8Array {
  const written = new Written(1)
  const payload = new Uint8Array(8)
  new DataView(payload.buffer).setUint32(4, position)
  return written.raw(RECORD.mark, 0, payload).content.subarray(new Written(1).end)
}
