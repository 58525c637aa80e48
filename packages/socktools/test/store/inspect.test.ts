/** What is told of a store that nobody has to have closed. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from '../../src/store/index.ts'
import { diskError, type SimDisk } from '../../src/testing/index.ts'
import { DIR } from '../support/store.ts'
import { bytes, diskWith, ID, nameOf, newDisk, openFilesOf, Written } from './written.ts'

const FAR = 'f'.repeat(32)

/** Two segments: one message to anna and one to bert in the older one, and two more. */
function written() {
  const first = new Written(1)
  const places = { bert: first.append('bert', 1, 'of bert'), anna: first.append('anna', 1, 'one', 50) }
  const peers = [
    { name: 'bert', last: 1, pending: [[1, 1] as const] },
    { name: 'anna', last: 1, pending: [[1, 1] as const] },
  ]
  const second = new Written(2, { segments: [[1, first.end]], peers, cursors: [[FAR, 8]] }).mark()
  const two = second.append('anna', 2, 'number two', 51)
  const three = second.append('carl', 1, '')
  return { first, second, places: { ...places, two, three } }
}

describe('inspect', () => {
  test('tells what is pending, by peer and by segment', async () => {
    const { first, second, places } = written()
    second.settle('carl', 1, 1)
    const disk = diskWith([first, second])
    const left = openFilesOf(disk)
    const found = await inspect(DIR, { disk })
    assert.equal(left(), 0)
    assert.equal(found.id, ID)
    assert.deepEqual(found.peers, [
      { peer: 'anna', pending: 2, pendingBytes: places.anna.bytes + places.two.bytes, last: 2 },
      { peer: 'bert', pending: 1, pendingBytes: places.bert.bytes, last: 1 },
      { peer: 'carl', pending: 0, pendingBytes: 0, last: 1 },
    ])
    assert.deepEqual(found.cursors, new Map([[FAR, 8]]))
    assert.deepEqual(found.segments, [
      { name: '000000000001.seg', bytes: first.end, size: first.end, pending: 2 },
      { name: '000000000002.seg', bytes: second.end, size: second.end, pending: 1 },
    ])
    assert.equal(found.torn, 0)
  })

  test('tells of a segment in which nothing is pending', async () => {
    const found = await inspect(DIR, { disk: diskWith([new Written(1)]) })
    assert.deepEqual([found.peers, found.segments[0]?.pending], [[], 0])
  })

  test('gives what is pending for a peer, in order, from whichever segment', async () => {
    const { first, second } = written()
    const disk = diskWith([first, second], Uint8Array.of(1, 2, 3))
    const left = openFilesOf(disk)
    const found = await inspect(DIR, { disk })
    const all = []
    for await (const one of found.pending('anna')) all.push(one)
    assert.deepEqual(all, [
      { n: 1, type: 'say', payload: bytes('one'), at: 50, redelivered: true },
      { n: 2, type: 'say', payload: bytes('number two'), at: 51, redelivered: true },
    ])
    assert.deepEqual(
      all.map(({ payload }) => payload.buffer.byteLength),
      [3, 10],
      'each is its own',
    )
    for await (const one of found.pending('nobody')) assert.fail(String(one.n))
    assert.equal(left(), 0)
  })

  test('says what a write that was cut short left, and not what is there for later', async () => {
    const { first, second } = written()
    const torn = await inspect(DIR, { disk: diskWith([first, second], Uint8Array.of(0, 0, 3)) })
    assert.equal(torn.torn, 3)
    assert.equal((await inspect(DIR, { disk: diskWith([new Written(1)], Uint8Array.of(1)) })).torn, 1)
    const zeros = await inspect(DIR, { disk: diskWith([first, second], new Uint8Array(3)) })
    assert.equal(zeros.torn, 0)
    assert.deepEqual([zeros.segments[1]?.bytes, zeros.segments[1]?.size], [second.end, second.end + 3])
  })

  test('gives no message that was damaged since', async () => {
    const { first, second, places } = written()
    const disk = diskWith([first, second])
    const found = await inspect(DIR, { disk })
    const content = first.content
    content.set([0xff], places.anna.offset + 20)
    disk.put(nameOf(1), content)
    const left = openFilesOf(disk)
    await assert.rejects(found.pending('anna').next(), { code: 'STORE_CORRUPT' })
    // Shorter than it was, too.
    disk.put(nameOf(1), first.content.subarray(0, -1))
    await assert.rejects(found.pending('anna').next(), { code: 'STORE_CORRUPT' })
    assert.equal(left(), 0)
  })
})

describe('inspect of a store that is written to', () => {
  /** Calls back at each look at the directory, with its number. */
  const looks = (disk: SimDisk, look: (number: number) => void): (() => number) => {
    let number = 0
    disk.before = ({ kind }) => {
      if (kind === 'list') look(++number)
    }
    return () => number
  }

  test('looks again when a file is gone', async () => {
    const disk = diskWith([new Written(1)])
    let left = 2
    disk.before = ({ kind }) => {
      if (kind === 'open' && left-- > 0) throw diskError('ENOENT')
    }
    assert.equal((await inspect(DIR, { disk })).id, ID)
  })

  test('but not for ever', async () => {
    const disk = diskWith([new Written(1)])
    let opens = 0
    disk.before = ({ kind }) => {
      if (kind !== 'open') return
      opens++
      throw diskError('ENOENT')
    }
    await assert.rejects(inspect(DIR, { disk }), { code: 'STORE_FAILED', message: /\/outbox cannot be read/ })
    assert.equal(opens, 6)
  })

  test('does not when the system refuses otherwise, or there is no directory', async () => {
    const disk = diskWith([new Written(1)])
    const seen = looks(disk, () => {
      throw diskError('EACCES')
    })
    await assert.rejects(inspect(DIR, { disk }), (error: Error) => {
      assert.equal((error as { code?: string }).code, 'STORE_FAILED')
      assert.match(error.message, /cannot be read/)
      assert.equal((error.cause as { code?: string }).code, 'EACCES')
      return true
    })
    assert.equal(seen(), 1)
    const none = newDisk()
    const asked = looks(none, () => undefined)
    await assert.rejects(inspect(DIR, { disk: none }), { code: 'STORE_FAILED', message: /cannot be read/ })
    // Once for the store, once for the directory.
    assert.equal(asked(), 2)
  })

  test('takes what looks damaged for damaged when it looks the same twice', async () => {
    const good = new Written(1)
    const damaged = (at: number): Uint8Array => {
      const one = new Written(1).mark()
      for (let n = 1; n <= 7; n++) one.append('anna', n, 'hello')
      const content = one.mark().content
      content.set([0xff], content.length - 25 - 10 - 40 * at)
      return content
    }
    const disk = newDisk()
    disk.put(nameOf(1), damaged(0))
    const seen = looks(disk, () => undefined)
    await assert.rejects(inspect(DIR, { disk }), { code: 'STORE_CORRUPT' })
    assert.equal(seen(), 2)
    for (const bad of [5, 6]) {
      disk.put(nameOf(1), damaged(0))
      const looked = looks(disk, (number) => {
        disk.put(nameOf(1), number > bad ? good.content : damaged(number))
      })
      if (bad === 5) assert.equal((await inspect(DIR, { disk })).id, ID)
      else await assert.rejects(inspect(DIR, { disk }), { code: 'STORE_CORRUPT' })
      assert.equal(looked(), 6)
    }
  })

  test('says that there is no store where there is only a directory', async () => {
    const disk = newDisk()
    await disk.makeDirectory(DIR)
    await assert.rejects(inspect(DIR, { disk }), {
      code: 'STORE_FAILED',
      message: /there is no store in \/outbox/,
    })
  })
})
