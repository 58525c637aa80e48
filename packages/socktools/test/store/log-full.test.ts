/** What a log does where there is no room: on a full disk, and in files of which little counts. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { appendSize } from '../../src/store/payloads.ts'
import { MARK_BYTES } from '../../src/store/record.ts'
import { diskError } from '../../src/testing/index.ts'
import { afterCrash, RESERVE, type World, world } from './logs.ts'
import { bytes } from './written.ts'

const full = { code: 'OUTBOX_FULL' }

/** A log whose current segment ends here, of which only the last `live` bytes are pending; the disk has no more room. */
async function filled(end: number, live: number): Promise<World> {
  const all = await world()
  const { appendRecord, segments, settle, disk } = all
  const MIN = 100
  await appendRecord(MIN)
  await settle(1)
  let n = 1
  if (live > 0) {
    await appendRecord(live)
    n++
  }
  // The outcome of the last one is part of what no longer counts.
  const settled = segments.current.end
  await appendRecord(MIN)
  await settle(n + 1)
  const outcome = segments.current.end - settled - MARK_BYTES - MIN
  await appendRecord(end - segments.current.end - MARK_BYTES - outcome)
  await settle(n + 2)
  assert.equal(segments.current.end, end)
  assert.equal(segments.current.liveBytes, live)
  disk.capacity = disk.used
  return all
}

describe('a log on a full disk', () => {
  test('refuses appends, says so until one is taken, and keeps what is held back', async () => {
    const all = await filled(3000, 500)
    const { log, append, settle, disk, segments, ledger } = all
    const reserved = disk.content(RESERVE)?.length
    await assert.rejects(append(100), full)
    assert.deepEqual([log.full, log.queued, log.queuedBytes, log.failed], [true, 0, 0, undefined])
    assert.deepEqual([segments.all.size, disk.content(RESERVE)?.length], [1, reserved])
    disk.capacity += 60
    await settle(2)
    assert.deepEqual([segments.all.size, log.full], [1, true])
    disk.capacity = Infinity
    const { last } = ledger.account('anna')
    assert.equal(await append(100), last + 1)
    assert.equal(log.full, false)
  })

  test('writes outcomes in what is held back; that is no word on appends, and moves nothing', async () => {
    const all = await filled(3000, 500)
    const { log, settle, segments, ledger, append, disk } = all
    disk.capacity += 600
    await append(100)
    disk.capacity = disk.used
    await settle(2)
    assert.deepEqual([segments.all.size, segments.current.number, log.full], [2, 2, false])
    assert.deepEqual(await afterCrash(all), [...ledger.account('anna').pending.keys()])
    assert.equal(segments.all.get(1)?.live, 1)
  })

  test('takes an outcome and an append of one turn as far as it can', async () => {
    const all = await filled(3000, 500)
    const { log, settle, append } = all
    const [settled, refused] = [settle(2), append(5000)]
    await settled
    await assert.rejects(refused, full)
    assert.equal(log.full, true)
    assert.deepEqual(await afterCrash(all), [])
  })

  test('with nothing held back keeps outcomes in mind, and writes them with what comes next', async () => {
    const all = await world()
    const { append, settle, disk, segments, log } = all
    for (let i = 0; i < 4; i++) await append(10)
    disk.before = ({ kind }) => {
      if (kind === 'write') throw diskError('ENOSPC')
    }
    await assert.rejects(settle(1), full)
    // As many as are owed already.
    await assert.rejects(settle(2), full)
    assert.deepEqual([segments.current.live, log.full], [4, false])
    assert.deepEqual(await afterCrash(all), [1, 2, 3, 4])
    disk.before = () => undefined
    await append(10)
    assert.deepEqual(await afterCrash(all), [3, 4, 5])
    assert.equal(segments.current.live, 3)
    await settle(3)
    assert.equal(segments.current.live, 2)
  })

  test('writes what is owed before it asks for room', async () => {
    const all = await world()
    const { append, settle, disk, segments } = all
    await append(10)
    await append(10)
    let refusing = true
    disk.before = ({ kind }) => {
      if (kind === 'write' && refusing) throw diskError('ENOSPC')
    }
    await assert.rejects(settle(1), full)
    refusing = false
    disk.capacity = disk.used
    await assert.rejects(append(5000), full)
    assert.deepEqual(await afterCrash(all), [2])
    assert.deepEqual([[...segments.all.keys()], segments.current.live], [[2], 1])
  })

  test('makes room where more than twice what is held back no longer counts, and by one byte not', async () => {
    for (const more of [0, 1]) {
      const { append, segments, ledger, log } = await filled(2 * 4096 + 500 + more, 500)
      if (more === 0) {
        await assert.rejects(append(100), full)
        assert.deepEqual([segments.current.number, log.full], [1, true])
      } else {
        const { last } = ledger.account('anna')
        assert.equal(await append(100), last + 1)
        assert.deepEqual([...segments.all.keys()], [2], 'what is pending was moved')
        assert.equal(log.full, false)
      }
      assert.ok(ledger.account('anna').pending.has(2))
    }
  })

  test('makes none where most of it counts', async () => {
    const { append, segments } = await filled(12_000, 8000)
    await assert.rejects(append(100), full)
    assert.equal(segments.current.number, 1)
  })

  test('takes an append when all before it is settled', async () => {
    const { append, segments, ledger } = await filled(12_000, 0)
    const { last } = ledger.account('anna')
    assert.equal(await append(100), last + 1)
    assert.deepEqual([...segments.all.keys()], [2])
  })
})

describe('a log of which little counts', () => {
  /** Segments of 16 KiB, each with one record that stays, and the rest settled. */
  async function spread(all: World, count: number, kept: number): Promise<void> {
    const { append, settle, segments, ledger } = all
    for (let i = 0; i < count; i++) {
      await append(kept)
      const { number } = segments.current
      while (segments.current.end < 16 * 1024 && segments.current.number === number) {
        await append(3000)
        await settle(ledger.account('anna').last)
      }
    }
  }

  test('moves what is left of the emptiest, beyond twice what is pending and four segments', async () => {
    const all = await world()
    const { segments, ledger, append } = all
    await spread(all, 2, 100)
    assert.ok(segments.all.size > 1 && segments.all.has(1), 'not yet')
    await spread(all, 7, 100)
    assert.ok(segments.diskBytes <= 2 * ledger.pendingBytes + 6 * 16 * 1024, `${segments.diskBytes}`)
    assert.ok(!segments.all.has(1))
    assert.equal(ledger.account('anna').pending.get(1)?.n, 1)
    assert.deepEqual(await afterCrash(all), [...ledger.account('anna').pending.keys()])
    await append(1)
  })

  test('at that bound moves nothing, and a byte beyond it does', async () => {
    for (const more of [0, 1]) {
      const all = await world()
      const { segments, ledger, append, log } = all
      await spread(all, 2, 100)
      await append(1)
      await log.idle()
      const numbers = [...segments.all.keys()]
      const bound = 2 * ledger.pendingBytes + 4 * 16 * 1024
      const record = appendSize(bytes('anna'), bytes('x'), new Uint8Array(0))
      assert.ok(segments.diskBytes < bound, 'below it')
      // Of a record each byte is there once, and counts twice.
      const [first] = segments.all.values()
      assert.ok(first)
      const after = bound + 2 * (record + 1) - (segments.diskBytes + MARK_BYTES + record + 1)
      first.size += after + more
      await append(1)
      await log.idle()
      assert.equal([...segments.all.keys()].includes(numbers[0] ?? 0), more === 0, `${more}`)
    }
  })
})
