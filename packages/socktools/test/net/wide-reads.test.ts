/** What a dialed socket reads into, and that what is handed out is the receiver's to keep. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { WideReads } from '../../src/net/wide-reads.ts'
import { pattern } from '../wire/bytes.ts'

const WIDE = 256 * 1024

/** As the system does: fills the memory that is named, then tells how much. */
function read(reads: WideReads, bytes: Uint8Array): Uint8Array {
  reads.memory.set(bytes)
  return reads.take(bytes.length)
}

describe('wide reads', () => {
  test('what was handed out stays as it is, however long it was and whatever is read after it', () => {
    const reads = new WideReads()
    const sizes = [1, WIDE, WIDE, WIDE / 2, WIDE / 2 - 1, WIDE - 1, 3, WIDE, 0, WIDE]
    const chunks = sizes.map((size, i) => read(reads, pattern(size, i)))
    for (const [i, size] of sizes.entries()) {
      assert.equal(Buffer.compare(chunks[i]!, pattern(size, i)), 0, `read ${i}, of ${size}`)
    }
  })

  test('two sockets do not see each other’s bytes', () => {
    const [one, other] = [new WideReads(), new WideReads()]
    const chunks = [1, WIDE, WIDE, 1].map((size, i) => [
      read(one, pattern(size, i)),
      read(other, pattern(size, 99 - i)),
    ])
    for (const [i, [mine, theirs]] of chunks.entries()) {
      assert.equal(Buffer.compare(mine!, pattern(mine!.length, i)), 0)
      assert.equal(Buffer.compare(theirs!, pattern(theirs!.length, 99 - i)), 0)
    }
  })

  test('short reads keep no more than their bytes; after one, a socket holds no memory of its own', () => {
    const reads = new WideReads()
    const idle = reads.memory
    assert.equal(read(reads, pattern(10)).buffer.byteLength, 10)
    assert.equal(reads.memory, idle)
    read(reads, pattern(WIDE))
    assert.notEqual(reads.memory, idle)
    assert.equal(read(reads, pattern(WIDE / 2 - 1)).buffer.byteLength, WIDE / 2 - 1)
    assert.equal(reads.memory, idle)
  })

  test('a flood is read into memory that is handed on uncopied', () => {
    const reads = new WideReads()
    read(reads, pattern(WIDE))
    const { memory } = reads
    assert.equal(read(reads, pattern(WIDE)).buffer, memory.buffer)
    assert.notEqual(reads.memory, memory)
  })
})
