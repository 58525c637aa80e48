/** What a dialed socket reads into, and that what is handed out is the receiver's to keep. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { WideReads } from '../../src/net/wide-reads.ts'
import { pattern } from '../wire/bytes.ts'

const WIDE = 256 * 1024

/** As the system does: fills the memory that is named, then tells how much. */
function read(reads: WideReads, bytes: Uint8Array): Uint8Array {
  reads.memory.set(bytes)
  return reads.take(bytes.length)
}

/** Two sockets of a process that has read nothing yet: they find nothing that another test left. */
function two(): [WideReads, WideReads] {
  const shared = {}
  return [new WideReads(shared), new WideReads(shared)]
}

describe('wide reads', () => {
  test('what was handed out stays as it is, however long it was and whatever is read after it', () => {
    const reads = new WideReads({})
    const sizes = [1, WIDE, WIDE, WIDE / 2, WIDE / 2 - 1, WIDE - 1, 3, WIDE, 0, WIDE]
    const chunks = sizes.map((size, i) => read(reads, pattern(size, i)))
    for (const [i, size] of sizes.entries()) {
      assert.equal(Buffer.compare(chunks[i]!, pattern(size, i)), 0, `read ${i}, of ${size}`)
    }
  })

  test('however two sockets take turns, each has what it read', () => {
    const size = fc.oneof(
      fc.integer({ min: 0, max: 300 }),
      fc.constantFrom(WIDE / 4, WIDE / 2 - 1, WIDE / 2, WIDE / 2 + 15, WIDE),
    )
    const turns = fc.array(fc.tuple(fc.nat(1), size), { minLength: 1, maxLength: 24 })
    fc.assert(
      fc.property(turns, (all) => {
        const sockets = two()
        const chunks = all.map(([who, n], i) => {
          const fits = Math.min(n, sockets[who]!.memory.length)
          return [read(sockets[who]!, pattern(fits, i)), pattern(fits, i)] as const
        })
        for (const [got, sent] of chunks) assert.equal(Buffer.compare(got, sent), 0, 'overwritten')
      }),
      { numRuns: 60 },
    )
  })

  test('two sockets do not see each other’s bytes', () => {
    const [one, other] = two()
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
    const reads = new WideReads({})
    const idle = reads.memory
    assert.equal(read(reads, pattern(10)).buffer.byteLength, 10)
    assert.equal(reads.memory, idle)
    read(reads, pattern(WIDE))
    assert.notEqual(reads.memory, idle)
    assert.equal(read(reads, pattern(WIDE / 2 - 1)).buffer.byteLength, WIDE / 2 - 1)
    assert.equal(reads.memory, idle)
  })

  test('a flood is read into memory that is handed on uncopied', () => {
    const reads = new WideReads({})
    read(reads, pattern(WIDE))
    const { memory } = reads
    assert.equal(read(reads, pattern(WIDE)).buffer, memory.buffer)
    assert.notEqual(reads.memory, memory)
  })

  test('what is left of a block is read into before another is taken, by whoever reads next', () => {
    const [one, other] = two()
    read(one, pattern(WIDE / 2))
    const block = one.memory.buffer
    for (let i = 0; i < 3; i++) assert.equal(read(one, pattern(WIDE / 2)).buffer, block)
    assert.equal(one.memory.buffer, block)
    read(one, pattern(1))
    read(other, pattern(WIDE))
    assert.equal(other.memory.buffer, block)
    const { length } = other.memory
    assert.ok(length < WIDE, 'the rest of the block')
    assert.equal(read(other, pattern(length)).buffer, block, 'which a read that fills it is handed out of')
    assert.notEqual(other.memory.buffer, block)
  })
})
