/** What a log writes, and when: each bound from both sides. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { appendSize } from '../../src/store/payloads.ts'
import { MARK_BYTES } from '../../src/store/record.ts'
import { recover } from '../../src/store/recover.ts'
import { diskError } from '../../src/testing/index.ts'
import { DIR } from '../support/store.ts'
import { RESERVE, world } from './logs.ts'
import { bytes } from './written.ts'

const MIB = 1024 * 1024

describe('a log', () => {
  test('counts what waits, until it is told', async () => {
    const { log, append, appendRecord } = await world()
    const all = [append(10), appendRecord(77)]
    assert.equal(log.queued, 2)
    assert.equal(log.queuedBytes, 77 + appendSize(bytes('anna'), bytes('x'), new Uint8Array(10)))
    await Promise.all(all)
    assert.deepEqual([log.queued, log.queuedBytes, log.commits, log.full], [0, 0, 1, false])
  })

  test('counts what is pending in a segment, until that is durable no longer', async () => {
    const { segments, appendRecord, settle } = await world()
    await Promise.all([appendRecord(70), appendRecord(80)])
    assert.deepEqual([segments.current.live, segments.current.liveBytes], [2, 150])
    const settled = settle(1)
    assert.deepEqual([segments.current.live, segments.current.liveBytes], [2, 150])
    await settled
    assert.deepEqual([segments.current.live, segments.current.liveBytes], [1, 80])
  })

  test('gives each peer its own numbers, however they alternate', async () => {
    const { append } = await world()
    assert.equal(await append(1, 'bert'), 1)
    const order = ['anna', 'bert', 'anna', 'anna', 'bert', 'carl', 'bert']
    assert.deepEqual(await Promise.all(order.map((peer) => append(1, peer))), [1, 2, 2, 3, 3, 1, 4])
    assert.deepEqual(await Promise.all([append(1), append(1, 'bert')]), [4, 5])
  })

  test('tells how many were accepted, and when the first of them is due', async () => {
    const { append, accepted } = await world()
    await Promise.all([append(1), append(1, 'anna', 50), append(1, 'bert', 20), append(1, 'anna', 30)])
    await append(1)
    assert.deepEqual(accepted, [
      [4, 20],
      [1, Infinity],
    ])
  })

  test('writes no more at once than it may, but for one that is larger', async () => {
    const two = await world(64 * MIB)
    assert.equal(two.log.full, false)
    await Promise.all([two.appendRecord(3 * MIB), two.appendRecord(5 * MIB)])
    assert.equal(two.log.commits, 1, '8 MiB')
    await two.append(1)
    assert.deepEqual([...two.ledger.account('anna').pending.keys()], [1, 2, 3])
    const noted = [two.settle(1), two.appendRecord(5 * MIB), two.appendRecord(3 * MIB + 1), two.append(1)]
    assert.deepEqual(await Promise.all(noted), [undefined, 4, 5, 6])
    assert.equal(two.log.commits, 4, 'one byte too many')
    assert.deepEqual(await Promise.all([two.appendRecord(9 * MIB), two.append(1)]), [7, 8])
    assert.equal(two.log.commits, 6, 'one that is too large goes alone')
  })

  test('begins a segment when the last one has its size, and not a byte earlier', async () => {
    for (const short of [0, 1]) {
      const { appendRecord, append, segments } = await world()
      await appendRecord(16 * 1024 - segments.current.end - MARK_BYTES - short)
      assert.deepEqual([segments.current.number, segments.current.end], [1, 16 * 1024 - short])
      await append(1)
      assert.equal(segments.current.number, 2 - short)
    }
  })

  test('holds back a quarter of a segment, at the most 64 KiB, and room for two heads', async () => {
    for (const [segmentBytes, bare] of [
      [16 * 1024, 4096],
      [MIB, 64 * 1024],
    ] as const) {
      const { append, disk, segments } = await world(segmentBytes)
      await append(segmentBytes)
      assert.equal(disk.content(RESERVE)?.length, bare)
      await append(1)
      assert.equal(segments.current.number, 2)
      const head =
        segments.current.end - MARK_BYTES - appendSize(bytes('anna'), bytes('x'), new Uint8Array(1))
      assert.equal(disk.content(RESERVE)?.length, bare + 2 * head)
    }
  })

  test('holds back nothing for what is no message', async () => {
    const { log, disk } = await world()
    await new Promise<void>((resolve, reject) => {
      log.push({ kind: 'cursor', id: 'f'.repeat(32), n: 1, resolve, reject })
    })
    assert.equal(disk.content(RESERVE), undefined)
  })

  test('is sealed with a mark, unless there is no room for it', async () => {
    const { log, segments, append, disk, failures } = await world()
    await append(10)
    const { end } = segments.current
    await log.seal()
    assert.equal(segments.current.end, end + MARK_BYTES)
    const all = (await recover(disk.afterCrash('lost'), DIR))?.segments[0]
    assert.deepEqual([all?.end, all?.size], [end + MARK_BYTES, end + MARK_BYTES])
    disk.capacity = disk.used
    await log.seal()
    assert.deepEqual([segments.current.end, log.failed, failures], [end + MARK_BYTES, undefined, []])
  })
})

describe('a log that failed', () => {
  const failing = { code: 'STORE_FAILED', message: /the disk failed: EIO/ }

  test('rejects all that waits and all that comes, is told once, and writes nothing more', async () => {
    const { log, append, settle, disk, failures, segments } = await world()
    await append(1)
    const second = append(1)
    disk.before = () => {
      throw diskError('EIO')
    }
    const more = [second, settle(1), append(2)]
    for (const one of await Promise.allSettled(more)) assert.equal(one.status, 'rejected')
    await assert.rejects(second, failing)
    await log.idle()
    assert.deepEqual([failures.length, log.queued, log.queuedBytes], [1, 0, 0])
    assert.equal(log.fail(new Error('another')), failures[0])
    assert.equal(log.failed, failures[0])
    disk.before = () => undefined
    const { end } = segments.current
    await assert.rejects(append(1), failing)
    assert.equal(log.queued, 0)
    await log.seal()
    assert.deepEqual([failures.length, segments.current.end], [1, end])
  })

  test('while a batch is on its way rejects those that wait behind it', async () => {
    const { log, append, disk } = await world()
    let next: Promise<number> | undefined
    disk.before = ({ kind }) => {
      if (kind !== 'sync' || next !== undefined) return
      next = append(1)
      log.fail(diskError('EIO'))
    }
    await append(1)
    assert.ok(next)
    await assert.rejects(next, failing)
    await log.idle()
    assert.deepEqual([log.queued, log.commits], [0, 1])
  })

  test('in clearing up has still told what was accepted, once', async () => {
    const { log, append, settle, segments, disk, failures } = await world()
    await append(16 * 1024)
    const last = [append(1), settle(1)]
    disk.before = ({ kind }) => {
      if (kind === 'remove') throw diskError('EIO')
    }
    await Promise.all(last)
    await log.idle()
    assert.equal(segments.current.number, 2)
    assert.deepEqual([failures.length, log.queued, log.queuedBytes], [1, 0, 0])
  })

  test('in its seal tells it', async () => {
    const { log, failures, disk } = await world()
    disk.before = () => {
      throw diskError('EIO')
    }
    await log.seal()
    assert.deepEqual([failures.length, log.failed], [1, failures[0]])
  })
})
