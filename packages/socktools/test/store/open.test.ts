/** How a store is opened: its lock, what is cleared up, and what is left when it cannot be. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readHead } from '../../src/store/head.ts'
import { openFiles } from '../../src/store/open.ts'
import { diskError, type DiskStep, type SimDisk } from '../../src/testing/index.ts'
import { DIR, xoshiro128 } from '../support/store.ts'
import { bytes, diskWith, ID, nameOf, newDisk, saltOf, Written } from './written.ts'

const opened = (disk: SimDisk) => {
  const random = xoshiro128(5)
  const randomBytes = (length: number) => Uint8Array.from({ length }, () => Math.floor(random() * 256))
  return openFiles({ disk, randomBytes }, DIR)
}

const failing = (disk: SimDisk, code: string, at: (step: DiskStep) => boolean): void => {
  disk.before = (step) => {
    if (at(step)) throw diskError(code)
  }
}

describe('opening a store', () => {
  test('makes one where there is none, with an id and a salt of its own', async () => {
    const disk = newDisk()
    const { id, ledger, segments, lock } = await opened(disk)
    assert.match(id, /^[0-9a-f]{32}$/)
    assert.deepEqual([segments.current.number, segments.all.size, ledger.peers.size], [1, 1, 0])
    assert.deepEqual(disk.afterCrash('lost').names(), [nameOf(1)])
    await assert.rejects(opened(disk), (error: Error) => {
      assert.match(error.message, /is open already/)
      assert.equal((error as { code?: string }).code, 'STORE_LOCKED')
      assert.equal((error.cause as { code?: string }).code, 'ELOCKED')
      return true
    })
    const read = readHead(disk.content(nameOf(1)) ?? new Uint8Array(), disk.crc32)
    assert.ok(typeof read !== 'string')
    const { salt } = segments.current
    assert.deepEqual(read.head, { id, number: 1, salt, segments: [], cursors: [], peers: [] })
    await segments.close()
    await lock.release()
    const again = await opened(disk)
    assert.deepEqual([again.id, again.segments.current.salt], [id, salt])
    assert.notEqual(salt, 0)
  })

  test('counts what is pending in each segment, and clears up what is of no use', async () => {
    const first = new Written(1)
    const places = [first.append('anna', 1, 'one'), first.append('bert', 1, 'and one more')]
    const second = new Written(2)
    const peers = [
      { name: 'anna', last: 1, pending: [[1, 1] as const] },
      { name: 'bert', last: 1, pending: [[1, 1] as const] },
    ]
    const kept = [[1, first.end] as const, [2, second.end] as const]
    const fourth = new Written(4, { segments: kept, peers }).mark()
    const last = fourth.append('anna', 2, 'last')
    const disk = diskWith([first, second, new Written(3), fourth])
    disk.put(`${DIR}/next.tmp`, bytes('cut short'))
    disk.put(`${DIR}/reserve.tmp`, bytes('cut short'))
    disk.put(`${DIR}/tmp`, bytes('of somebody'))
    const { id, segments, ledger } = await opened(disk)
    assert.equal(id, ID)
    assert.deepEqual(disk.names().sort(), [nameOf(1), nameOf(4), `${DIR}/tmp`])
    assert.deepEqual(
      [...segments.all.values()].map(({ number, live, liveBytes, salt }) => [number, live, liveBytes, salt]),
      [
        [1, 2, places[0]!.bytes + places[1]!.bytes, saltOf(1)],
        [4, 1, last.bytes, saltOf(4)],
      ],
    )
    assert.equal(ledger.pending, 3)
  })
})

describe('a store that cannot be opened', () => {
  /** Nothing stays open, and the lock is free. */
  async function rejected(disk: SimDisk, error: object): Promise<void> {
    const { before } = disk
    let open = 0
    disk.before = async (step) => {
      await before(step)
      if (step.kind === 'open') open++
      if (step.kind === 'close') open--
    }
    await assert.rejects(opened(disk), error)
    assert.equal(open, 0)
    disk.before = () => undefined
    await (await disk.lock(DIR)).release()
  }

  test('since it is damaged is as it was', async () => {
    const disk = newDisk()
    disk.put(nameOf(1), bytes('no segment'))
    await rejected(disk, { code: 'STORE_CORRUPT' })
    assert.equal(disk.content(nameOf(1))?.length, 10)
  })

  test('since the disk fails says so', async () => {
    const message = /\/outbox cannot be opened/
    for (const kind of ['makeDirectory', 'lock', 'list', 'size', 'read', 'sync', 'syncDirectory']) {
      const disk = diskWith([new Written(1)])
      failing(disk, 'EIO', (step) => step.kind === kind)
      await rejected(disk, { code: 'STORE_FAILED', message })
    }
    const disk = newDisk()
    disk.put(`${DIR}/next.tmp`, bytes('x'))
    failing(disk, 'EIO', ({ kind }) => kind === 'remove')
    await rejected(disk, { code: 'STORE_FAILED', message })
  })

  test('since the disk is full says that', async () => {
    for (const code of ['ENOSPC', 'EDQUOT']) {
      const disk = newDisk()
      failing(disk, code, ({ kind }) => kind === 'makeDirectory' || kind === 'lock')
      await rejected(disk, { code: 'OUTBOX_FULL', message: /the disk is full, and .* cannot be locked/ })
    }
    const disk = newDisk()
    disk.capacity = 10
    await rejected(disk, { code: 'OUTBOX_FULL', message: /full, and there is no store in \/outbox yet/ })
    assert.deepEqual(disk.names(), [])
  })

  test('tells why, and not what fails after that', async () => {
    const disk = diskWith([new Written(1)])
    failing(disk, 'EIO', ({ kind }) => kind === 'sync' || kind === 'close')
    await assert.rejects(opened(disk), (error: Error) => {
      assert.equal((error as { code?: string }).code, 'STORE_FAILED')
      return true
    })
  })
})
