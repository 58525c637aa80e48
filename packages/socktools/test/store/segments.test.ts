/** The files of a store, step by step: what is written where, what a full disk leaves, what a crash leaves. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Disk } from '../../src/platform/disk.ts'
import { codeOf, DiskFull, isFull, Segments, unlessFull } from '../../src/store/segments.ts'
import { diskError, type DiskStep, type SimDisk } from '../../src/testing/index.ts'
import { DIR } from '../support/store.ts'
import { bytes, nameOf, newDisk } from './written.ts'

const HEAD = bytes('a head of 20 bytes..')
const RESERVE = `${DIR}/reserve`

/** Two segments, the second one current, and what is done to the disk from then on. */
async function world() {
  const disk = newDisk()
  await disk.makeDirectory(DIR)
  const segments = new Segments(disk, DIR)
  await segments.begin(1, 11, HEAD)
  await segments.begin(2, 12, HEAD)
  const steps: string[] = []
  /** At such a step it fails. */
  const failing: { at?: (step: DiskStep) => boolean; code: string } = { code: 'EIO' }
  disk.before = (step) => {
    steps.push(`${step.kind} ${step.path.slice(DIR.length + 1)}`.trim())
    if (failing.at?.(step) === true) throw diskError(failing.code)
  }
  return { disk, segments, steps, failing }
}

const text = (disk: SimDisk, path: string): string | undefined => {
  const content = disk.content(path)
  return content === undefined ? undefined : new TextDecoder().decode(content)
}

const openNow = (steps: readonly string[]): number =>
  steps.filter((step) => step.startsWith('open')).length -
  steps.filter((step) => step.startsWith('close')).length

/** A handle has the name by which the file was opened: what began here was `next.tmp`. */
const BEGUN = 'next.tmp'
const SEGMENT = '000000000002.seg'

describe('segments', () => {
  test('have none at first', () => {
    const segments = new Segments(newDisk(), DIR)
    assert.throws(() => segments.current)
    assert.equal(segments.diskBytes, 0)
  })

  test('one that begins has its name when it is durable', async () => {
    const { disk, segments, steps } = await world()
    await segments.begin(3, 13, HEAD)
    const third = '000000000003.seg'
    assert.deepEqual(steps, [
      ...['open next.tmp', 'write next.tmp', 'sync next.tmp', 'rename next.tmp', 'syncDirectory'],
    ])
    assert.deepEqual(segments.current, { number: 3, salt: 13, end: 20, size: 20, live: 0, liveBytes: 0 })
    assert.deepEqual([...segments.all.keys()], [1, 2, 3])
    assert.equal(segments.diskBytes, 60)
    const after = disk.afterCrash('lost')
    assert.deepEqual(after.names().sort(), [nameOf(1), nameOf(2), `${DIR}/${third}`])
    assert.equal(text(after, nameOf(3)), text(disk, nameOf(1)))
  })

  test('what is added stands at the end, durably, and counts', async () => {
    const { disk, segments, steps } = await world()
    await segments.append(bytes('one'))
    await segments.append(bytes('more'))
    assert.deepEqual(steps, [`write ${BEGUN}`, `sync ${BEGUN}`, `write ${BEGUN}`, `sync ${BEGUN}`])
    assert.deepEqual([segments.current.end, segments.current.size], [27, 27])
    assert.equal(text(disk.afterCrash('lost'), nameOf(2)), `${new TextDecoder().decode(HEAD)}onemore`)
  })

  test('what fails otherwise is no full disk, and is not tried again', async () => {
    const { segments, steps, failing } = await world()
    failing.at = ({ kind }) => kind === 'write'
    await assert.rejects(segments.append(bytes('one')), { code: 'EIO' })
    assert.deepEqual(steps, [`write ${BEGUN}`])
    failing.at = ({ kind }) => kind === 'sync'
    await assert.rejects(segments.append(bytes('one')), { code: 'EIO' })
    assert.deepEqual([segments.current.end, segments.current.size], [20, 20])
    failing.at = ({ kind }) => kind === 'write'
    await assert.rejects(segments.begin(3, 13, HEAD), { code: 'EIO' })
    failing.at = ({ kind }) => kind === 'open'
    await assert.rejects(segments.begin(3, 13, HEAD), { code: 'EIO' })
    await assert.rejects(segments.holdBack(100), { code: 'EIO' })
    assert.equal(segments.current.number, 2)
    assert.equal(segments.diskBytes, 40)
    assert.equal(openNow(steps.filter((step) => step !== 'open next.tmp' && step !== 'open reserve.tmp')), -1)
  })
})

describe('segments on a full disk', () => {
  test('take nothing of what does not fit, durably', async () => {
    const { disk, segments } = await world()
    await segments.append(bytes('one'))
    disk.capacity = disk.used + 2
    await assert.rejects(segments.append(bytes('more')), DiskFull)
    assert.deepEqual([segments.current.end, segments.current.size], [23, 23])
    for (const how of ['lost', 'kept'] as const)
      assert.equal(disk.afterCrash(how).content(nameOf(2))?.length, 23)
    disk.capacity = Infinity
    await segments.append(bytes('next'))
    assert.equal(text(disk, nameOf(2))?.slice(20), 'onenext')
  })

  test('have no more behind the end than before', async () => {
    const { disk, segments } = await world()
    await segments.holdBack(100)
    await segments.beginInReserve(3, 13, HEAD)
    assert.deepEqual([segments.current.end, segments.current.size], [20, 100])
    disk.capacity = disk.used
    await assert.rejects(segments.append(new Uint8Array(81)), DiskFull)
    assert.deepEqual([segments.current.end, segments.current.size], [20, 20])
    await segments.append(new Uint8Array(80))
    assert.deepEqual([segments.current.end, segments.current.size], [100, 100])
  })

  test('begin none, and leave nothing behind of it', async () => {
    for (const code of ['ENOSPC', 'EDQUOT']) {
      for (const kind of ['open', 'write']) {
        const { disk, segments, steps, failing } = await world()
        Object.assign(failing, { code, at: (step: DiskStep) => step.kind === kind })
        await assert.rejects(segments.begin(3, 13, HEAD), DiskFull)
        await assert.rejects(segments.holdBack(100), DiskFull)
        assert.deepEqual(disk.names(), [nameOf(1), nameOf(2)])
        assert.equal(openNow(steps), kind === 'open' ? 2 : 0)
        assert.deepEqual([segments.current.number, segments.diskBytes], [2, 40])
      }
    }
  })

  test('and that fails in clearing up is no full disk', async () => {
    const { segments, failing } = await world()
    failing.at = ({ kind }) => {
      if (kind === 'remove') throw diskError('EACCES')
      return kind === 'write'
    }
    await assert.rejects(segments.begin(3, 13, HEAD), { code: 'EACCES' })
  })
})

describe('space held back', () => {
  test('is there, is not taken twice, and grows when it is too little', async () => {
    const { disk, segments, steps } = await world()
    await segments.holdBack(100)
    assert.equal(disk.afterCrash('lost').content(RESERVE)?.length, 100)
    assert.equal(segments.diskBytes, 140)
    assert.equal(openNow(steps), 0)
    const { length } = steps
    await segments.holdBack(100)
    await segments.holdBack(99)
    assert.equal(steps.length, length)
    await segments.holdBack(101)
    assert.equal(disk.content(RESERVE)?.length, 101)
    assert.equal(segments.diskBytes, 141)
  })

  test('becomes a segment that needs none', async () => {
    const { disk, segments, steps } = await world()
    await segments.holdBack(100)
    disk.capacity = disk.used
    steps.length = 0
    await segments.beginInReserve(3, 13, HEAD)
    assert.deepEqual(steps, [
      'open reserve',
      'write reserve',
      'sync reserve',
      'rename reserve',
      'syncDirectory',
    ])
    assert.deepEqual(segments.current, { number: 3, salt: 13, end: 20, size: 100, live: 0, liveBytes: 0 })
    assert.equal(segments.diskBytes, 140)
    await segments.append(new Uint8Array(80))
    assert.equal(segments.current.size, 100)
    assert.equal(openNow(steps), 1)
    const after = disk.afterCrash('lost')
    assert.deepEqual([after.content(nameOf(3))?.length, after.content(RESERVE)], [100, undefined])
    await assert.rejects(segments.beginInReserve(4, 14, HEAD), DiskFull)
  })

  test('is enough for a head that just fits, and for none that is longer', async () => {
    const { segments, steps } = await world()
    await segments.holdBack(20)
    steps.length = 0
    await assert.rejects(segments.beginInReserve(3, 13, new Uint8Array(21)), DiskFull)
    assert.deepEqual(steps, [])
    await segments.beginInReserve(3, 13, HEAD)
    assert.equal(segments.current.number, 3)
  })

  test('that cannot be written to is as good as none', async () => {
    const { segments, steps, failing } = await world()
    await segments.holdBack(100)
    failing.at = ({ kind }) => kind === 'write'
    await assert.rejects(segments.beginInReserve(3, 13, HEAD), { code: 'EIO' })
    failing.code = 'ENOSPC'
    await assert.rejects(segments.beginInReserve(3, 13, HEAD), DiskFull)
    assert.equal(openNow(steps), 0)
    assert.deepEqual([segments.current.number, segments.diskBytes], [2, 140])
  })
})

describe('old segments', () => {
  test('go when nothing in them is pending, with one sync, never the current one', async () => {
    const { disk, segments, steps } = await world()
    const [first] = segments.all.values()
    assert.ok(first)
    first.live = 1
    await segments.sweep()
    assert.deepEqual(steps, [])
    await segments.begin(3, 13, HEAD)
    first.live = 0
    steps.length = 0
    await segments.sweep()
    assert.deepEqual(steps, [
      `close ${BEGUN}`,
      'remove 000000000001.seg',
      `close ${BEGUN}`,
      'remove 000000000002.seg',
      'syncDirectory',
    ])
    assert.deepEqual([...segments.all.keys()], [3])
    assert.equal(segments.diskBytes, 20)
    assert.deepEqual(disk.afterCrash('lost').names(), [nameOf(3)])
    await segments.remove([])
    assert.equal(steps.length, 5)
  })

  test('that are gone already are no failure; what cannot be removed is', async () => {
    const { disk, segments, failing } = await world()
    await segments.begin(3, 13, HEAD)
    disk.put(nameOf(1), undefined)
    await segments.remove([1])
    failing.at = ({ kind }) => kind === 'remove'
    await assert.rejects(segments.remove([2]), { code: 'EIO' })
  })

  test('are read up to where they count', async () => {
    const { segments, steps } = await world()
    await segments.append(bytes('0123456789'))
    const read = async (offset: number, length: number, number = 2): Promise<string> =>
      new TextDecoder().decode(await segments.read(number, offset, length))
    assert.equal(await read(22, 3), '234')
    assert.equal(await read(28, 100), '89')
    assert.equal(await read(30, 100), '')
    assert.equal(await read(0, 6, 1), 'a head')
    assert.ok(!steps.some((step) => step.startsWith('open')), 'they are open')
    segments.current.end += 5
    assert.equal(await read(28, 100), '89', 'no more than there is')
  })

  test('are not read beyond that, though there is more', async () => {
    const { segments } = await world()
    await segments.holdBack(100)
    await segments.beginInReserve(3, 13, HEAD)
    assert.equal((await segments.read(3, 18, 100)).length, 2)
    await assert.rejects(segments.read(9, 18, 100), { code: 'ENOENT' })
  })

  test('are closed, each of them once', async () => {
    const { segments, steps } = await world()
    await segments.close()
    await segments.close()
    assert.deepEqual(steps, [`close ${BEGUN}`, `close ${BEGUN}`])
  })
})

describe('segments that were found', () => {
  const FOUND = [
    { number: 1, salt: 11, end: 20, size: 20 },
    { number: 2, salt: 12, end: 20, size: 33 },
  ]

  async function over(
    tail: 'nothing' | 'zeros' | 'torn',
    prepare: (disk: SimDisk) => void = () => undefined,
  ) {
    const disk = newDisk()
    disk.put(nameOf(1), HEAD)
    disk.put(nameOf(2), Uint8Array.from([...HEAD, ...new Uint8Array(13).fill(tail === 'torn' ? 1 : 0)]))
    prepare(disk)
    const steps: string[] = []
    disk.before = ({ kind, path }) => void steps.push(`${kind} ${path.slice(DIR.length + 1)}`.trim())
    const how: string[] = []
    const { rename, remove, list, syncDirectory } = disk
    const open: Disk['open'] = (path, as) => {
      how.push(`${path.slice(DIR.length + 1)} ${as}`)
      return disk.open(path, as)
    }
    const segments = new Segments({ open, rename, remove, list, syncDirectory } as unknown as Disk, DIR)
    await segments.takeOver(FOUND, tail)
    return { disk, segments, steps, how }
  }

  test('are made durable, the last one without what is torn', async () => {
    const { disk, segments, steps, how } = await over('torn')
    assert.deepEqual(steps.slice(0, 4), [
      ...[`open ${SEGMENT}`, `truncate ${SEGMENT}`, `sync ${SEGMENT}`, 'syncDirectory'],
    ])
    assert.deepEqual(segments.current, { number: 2, salt: 12, end: 20, size: 20, live: 0, liveBytes: 0 })
    assert.equal(segments.diskBytes, 40)
    assert.equal(disk.afterCrash('lost').content(nameOf(2))?.length, 20)
    await segments.read(1, 0, 20)
    assert.deepEqual(how, [`${SEGMENT} write`, 'reserve read', '000000000001.seg read'])
  })

  test('keep the space that was put there for later', async () => {
    const { disk, segments, steps } = await over('zeros')
    assert.ok(!steps.some((step) => step.startsWith('truncate')))
    assert.deepEqual([segments.current.end, segments.current.size], [20, 33])
    await segments.append(bytes('one'))
    assert.deepEqual([segments.current.end, segments.current.size], [23, 33])
    assert.equal(text(disk, nameOf(2))?.slice(18, 24), '..one\0')
  })

  test('come with the space held back', async () => {
    const { segments, steps } = await over('nothing', (disk) => disk.put(RESERVE, new Uint8Array(70)))
    assert.equal(segments.diskBytes, 123)
    assert.deepEqual(steps.slice(-3), ['open reserve', 'size reserve', 'close reserve'])
  })

  test('whose space held back cannot be looked at are no store', async () => {
    const disk = newDisk()
    disk.put(nameOf(1), HEAD)
    disk.before = ({ path }) => {
      if (path === RESERVE) throw diskError('EIO')
    }
    await assert.rejects(new Segments(disk, DIR).takeOver(FOUND.slice(0, 1), 'nothing'), { code: 'EIO' })
  })
})

test('a full disk is told from other failures', async () => {
  assert.deepEqual(
    ['ENOSPC', 'EDQUOT', 'EIO', ''].map((code) => isFull({ code })),
    [true, true, false, false],
  )
  assert.deepEqual(
    [isFull(undefined), isFull(null), codeOf(null), codeOf('x')],
    [false, false, undefined, undefined],
  )
  assert.equal(await unlessFull(Promise.resolve()), true)
  assert.equal(await unlessFull(Promise.reject(new DiskFull())), false)
  await assert.rejects(unlessFull(Promise.reject(diskError('ENOSPC'))), { code: 'ENOSPC' })
})
