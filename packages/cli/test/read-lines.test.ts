import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { describe, test } from 'node:test'
import { readLines } from '../src/read-lines.ts'

async function linesOf(chunks: string[], max = 100): Promise<string[]> {
  const lines: string[] = []
  for await (const batch of readLines(Readable.from(chunks.map((chunk) => Buffer.from(chunk))), max)) {
    lines.push(...batch.map((line) => Buffer.from(line).toString()))
  }
  return lines
}

describe('lines of stdin', () => {
  test('come whole wherever the chunks are cut', async () => {
    assert.deepEqual(await linesOf(['on', 'e\ntw', 'o\n', '\nthree\n']), ['one', 'two', '', 'three'])
  })

  test('may end with CR LF, cut in the middle too', async () => {
    assert.deepEqual(await linesOf(['one\r', '\ntwo\r\n']), ['one', 'two'])
  })

  test('need no ending at the end', async () => {
    assert.deepEqual(await linesOf(['one\nlast']), ['one', 'last'])
    assert.deepEqual(await linesOf([]), [])
  })

  test('that are too long are an error, after those before them', async () => {
    const got: string[] = []
    const read = async () => {
      for await (const batch of readLines(Readable.from([Buffer.from('ok\n12345')]), 4)) {
        got.push(...batch.map(String))
      }
    }
    await assert.rejects(read, /longer than 4 bytes: split it, or raise --max-frame/)
    assert.equal(got.length, 1)
  })

  test('are read no faster than they are taken', async () => {
    let read = 0
    const endless = new Readable({
      highWaterMark: 1,
      read() {
        read++
        this.push('line\n')
      },
    })
    const batches = readLines(endless, 100)
    for (let i = 0; i < 10; i++) await batches.next()
    assert.ok(read < 20, `${read} chunks were read for 10`)
    await batches.return()
    assert.equal(endless.destroyed, true)
  })
})
