/** What is written down of outcomes and cursors: as few records as say all of it. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { crc32 } from 'node:zlib'
import { addNotes, AppendJob, type NoteJob } from '../../src/store/jobs.ts'
import { type Account, Ledger } from '../../src/store/ledger.ts'
import { addAppend, Names, readCursor, readSettle } from '../../src/store/payloads.ts'
import { Batch, readRecord, RECORD } from '../../src/store/record.ts'
import { bytes } from './written.ts'

const SALT = 5
const none = (): void => undefined

const settle = (account: Account, n: number): NoteJob => ({
  ...{ kind: 'settle', account, resolve: none, reject: none },
  entry: { n, at: 0, bytes: 1, due: undefined, segment: 1, offset: 0 },
})
const cursor = (id: string, n: number): NoteJob => ({ kind: 'cursor', id, n, resolve: none, reject: none })

function written(notes: readonly NoteJob[]): unknown[] {
  const batch = new Batch(crc32)
  addNotes(batch, notes, new Names(), SALT)
  const all: unknown[] = []
  for (let at = 0; at < batch.length; ) {
    const record = readRecord(batch.bytes, at, SALT, crc32)
    assert.ok(record)
    const settled = record.type === RECORD.settle ? readSettle(record) : undefined
    all.push(settled === undefined ? [readCursor(record), record.n] : [settled.peer, record.n, settled.to])
    at = record.end
  }
  return all
}

describe('notes', () => {
  const ledger = new Ledger()
  const [anna, bert] = [ledger.account('anna'), ledger.account('bert')]
  const [A, B] = ['a'.repeat(32), 'b'.repeat(32)]

  test('of outcomes are ranges of each peer, in whatever order they came', () => {
    const order = [10, 9, 2, 1, 3, 100]
    const notes = [...order.map((n) => settle(anna, n)), settle(bert, 4), settle(anna, 11)]
    assert.deepEqual(written(notes), [
      ['anna', 1, 3],
      ['anna', 9, 11],
      ['anna', 100, 100],
      ['bert', 4, 4],
    ])
  })

  test('of cursors are the highest of each store', () => {
    const notes = [cursor(A, 3), cursor(B, 1), cursor(A, 7), cursor(A, 5), settle(bert, 1)]
    assert.deepEqual(written(notes), [
      [A, 7],
      [B, 1],
      ['bert', 1, 1],
    ])
  })

  test('are none where there are none', () => {
    assert.deepEqual(written([]), [])
  })
})

test('an append counts as queued at first, with the bytes that its record takes', () => {
  const parts = [bytes('çelik'), bytes('say'), bytes('hello')] as const
  const job = new AppendJob('çelik', ...parts, 7, undefined, none, none)
  const batch = new Batch(crc32)
  addAppend(batch, 1, 7, ...parts, SALT)
  assert.equal(job.bytes, batch.length)
  assert.equal(job.waits, true)
})
