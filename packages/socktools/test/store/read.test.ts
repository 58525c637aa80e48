/** Messages read back through a window of the file. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { crc32 } from 'node:zlib'
import { MessageReader } from '../../src/store/read.ts'
import { RECORD } from '../../src/store/record.ts'
import { saltOf, Written } from './written.ts'

const WINDOW = 256 * 1024

/** A reader of these segments, and what it asked for. */
function reading(...segments: Uint8Array[]) {
  const asked: [segment: number, offset: number, length: number][] = []
  const reader = new MessageReader((segment, offset, length) => {
    asked.push([segment, offset, length])
    return Promise.resolve((segments[segment - 1] ?? new Uint8Array(0)).subarray(offset, offset + length))
  }, crc32)
  const text = async (n: number, place: { offset: number; bytes: number }, segment = 1): Promise<string> => {
    const { peer, payload } = await reader.message('anna', n, { segment, ...place }, saltOf(segment))
    assert.equal(peer, 'anna')
    return new TextDecoder().decode(payload)
  }
  return { reader, asked, text }
}

describe('a reader of messages', () => {
  test('asks once for what fits into a window', async () => {
    const one = new Written(1).mark()
    const places = ['a', 'b', 'c'].map((what, i) => one.append('anna', i + 1, what))
    const { text, asked } = reading(one.content)
    for (const [i, place] of places.entries()) assert.equal(await text(i + 1, place), 'abc'[i])
    assert.equal(await text(1, places[0]!), 'a')
    assert.deepEqual(asked, [[1, places[0]?.offset, WINDOW]])
  })

  test('asks again for what lies before its window', async () => {
    const one = new Written(1)
    const [first, second] = [one.append('anna', 1, 'a'), one.append('anna', 2, 'b')]
    const { text, asked } = reading(one.content)
    assert.equal(await text(2, second), 'b')
    assert.equal(await text(1, first), 'a')
    assert.deepEqual(
      asked.map(([, offset]) => offset),
      [second.offset, first.offset],
    )
  })

  test('asks again for what ends behind its window, by one byte, and not for what ends with it', async () => {
    for (const more of [0, 1]) {
      const one = new Written(1)
      const first = one.append('anna', 1, 'x')
      const head = one.append('anna', 2, '').bytes
      const bare = new Written(1)
      bare.append('anna', 1, 'x')
      const second = bare.append('anna', 2, 'y'.repeat(WINDOW - first.bytes - head + more))
      bare.append('anna', 3, 'z')
      const { text, asked } = reading(bare.content)
      assert.equal(await text(1, first), 'x')
      assert.equal((await text(2, second)).length, WINDOW - first.bytes - head + more)
      assert.equal(asked.length, 1 + more)
    }
  })

  test('asks for all of what is longer than a window', async () => {
    const one = new Written(1)
    const place = one.append('anna', 1, 'x'.repeat(WINDOW))
    const { text, asked } = reading(one.content)
    assert.equal((await text(1, place)).length, WINDOW)
    assert.deepEqual(asked, [[1, place.offset, place.bytes]])
  })

  test('asks again in another segment, though the place is the same', async () => {
    const [one, two] = [new Written(1), new Written(2)]
    const place = one.append('anna', 1, 'a')
    assert.deepEqual(two.append('anna', 2, 'b'), place)
    const { text, asked } = reading(one.content, two.content)
    assert.equal(await text(1, place), 'a')
    assert.equal(await text(2, place, 2), 'b')
    assert.equal(asked.length, 2)
  })

  test('gives nothing but that message, whole', async () => {
    const one = new Written(1)
    const place = one.append('anna', 5, 'hello')
    one.settle('anna', 5, 5)
    const settle = {
      segment: 1,
      offset: place.offset + place.bytes,
      bytes: one.end - place.offset - place.bytes,
    }
    const { reader } = reading(one.content)
    const at = { segment: 1, ...place }
    const corrupt = { code: 'STORE_CORRUPT' }
    await assert.rejects(reader.message('bert', 5, at, saltOf(1)), corrupt)
    await assert.rejects(reader.message('anna', 6, at, saltOf(1)), corrupt)
    await assert.rejects(reader.message('anna', 5, at, saltOf(2)), corrupt)
    await assert.rejects(reader.message('anna', 5, { ...at, bytes: at.bytes - 1 }, saltOf(1)), corrupt)
    await assert.rejects(reader.message('anna', 5, { ...at, offset: at.offset + 1 }, saltOf(1)), corrupt)
    await assert.rejects(reader.message('anna', 5, settle, saltOf(1)), corrupt)
    assert.equal((await reader.message('anna', 5, at, saltOf(1))).at, 5)
  })

  test('takes no other record for a message, whatever it holds', async () => {
    const like = new Written(1)
    const place = like.append('anna', 1, 'hello')
    const payload = like.content.subarray(place.offset + 17)
    const { text } = reading(new Written(1).raw(RECORD.settle, 1, payload).content)
    await assert.rejects(text(1, place), { code: 'STORE_CORRUPT' })
    const { text: same } = reading(new Written(1).raw(RECORD.append, 1, payload).content)
    assert.equal(await same(1, place), 'hello')
  })
})
