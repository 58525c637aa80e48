/** The bytes of a store: records, heads, marks, and what is known of messages. Each bound, from both sides. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { crc32 } from 'node:zlib'
import { type Head, headOf, newSalt, readHead, writeHead } from '../../src/store/head.ts'
import { Ledger, rangesOf } from '../../src/store/ledger.ts'
import {
  addAppend,
  addCursor,
  addSettle,
  appendSize,
  idBytes,
  Names,
  readAppend,
  readCursor,
  readSettle,
} from '../../src/store/payloads.ts'
import {
  addMark,
  Batch,
  getU64,
  hasMark,
  HEAD_BYTES,
  MARK_BYTES,
  type RawRecord,
  readRecord,
  RECORD,
} from '../../src/store/record.ts'

const SALT = 0x0badcafe
const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

function record(type: number, n: number, payload: Uint8Array, salt = SALT): Uint8Array {
  const batch = new Batch(crc32)
  batch.memory.set(payload, batch.begin(type, n, payload.length))
  batch.end(salt)
  return batch.bytes.slice()
}

const read = (bytes: Uint8Array, at = 0): RawRecord | undefined => readRecord(bytes, at, SALT, crc32)

function joined(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]))
}

/** A record with this length and a crc that is right. */
function claiming(len: number, bytes: number): Uint8Array {
  const whole = new Uint8Array(8 + bytes)
  const view = new DataView(whole.buffer)
  view.setUint32(0, len)
  view.setUint32(4, crc32(whole.subarray(8, 8 + len), SALT))
  return whole
}

describe('a record', () => {
  test('has its length, crc, type and n in front of its payload', () => {
    const bytes = record(RECORD.settle, 2 ** 32 + 5, encode('abc'))
    const text = Buffer.from(bytes).toString('hex')
    assert.equal(text.slice(0, 8), '0000000c')
    assert.equal(text.slice(16), '02' + '0000000100000005' + '616263')
    assert.equal(Number.parseInt(text.slice(8, 16), 16), crc32(bytes.subarray(8), SALT))
    assert.deepEqual(read(bytes), { type: 2, n: 2 ** 32 + 5, payload: encode('abc'), at: 0, end: 20 })
  })

  test('is read where it begins, and ends where the next one does', () => {
    const bytes = joined(encode('xyz'), record(1, 1, encode('one')), record(1, 2, new Uint8Array(0)))
    const first = read(bytes, 3)
    assert.deepEqual([first?.n, first?.at, first?.end], [1, 3, 23])
    const second = read(bytes, 23)
    assert.deepEqual([second?.n, second?.payload.length, second?.end], [2, 0, 23 + HEAD_BYTES])
    assert.equal(read(bytes, 40), undefined)
    // What it is read from may be part of larger memory.
    assert.equal(read(bytes.subarray(3))?.n, 1)
  })

  test('is none if it is cut anywhere, damaged, or of another segment', () => {
    const bytes = record(1, 7, encode('payload'))
    for (let length = 0; length < bytes.length; length++)
      assert.equal(read(bytes.subarray(0, length)), undefined)
    for (let at = 0; at < bytes.length; at++) {
      const damaged = bytes.slice()
      damaged[at] = (damaged[at] ?? 0) ^ 1
      assert.equal(read(damaged), undefined, `byte ${at}`)
    }
    assert.equal(readRecord(bytes, 0, SALT + 1, crc32), undefined)
  })

  test('is none whose length is less than a type and an n, or whose n is no number of 53 bits', () => {
    assert.equal(read(claiming(8, 20)), undefined)
    assert.notEqual(read(claiming(9, 20)), undefined)
    assert.notEqual(read(claiming(20, 20)), undefined)
    assert.equal(read(claiming(21, 20)), undefined)
    const most = record(1, Number.MAX_SAFE_INTEGER, encode('')).slice()
    assert.equal(read(most)?.n, Number.MAX_SAFE_INTEGER)
    const view = new DataView(most.buffer)
    view.setUint32(9, 2 ** 21)
    view.setUint32(13, 0)
    view.setUint32(4, crc32(most.subarray(8), SALT))
    assert.equal(read(most), undefined)
  })
})

describe('a batch', () => {
  test('holds more than its memory had, and begins anew when it is cleared', () => {
    const batch = new Batch(crc32)
    const sizes = [10, 64 * 1024, 300_000, 1, 64 * 1024 - 17]
    for (const [i, size] of sizes.entries()) {
      const at = batch.begin(RECORD.append, i + 1, size)
      batch.memory.fill(i + 1, at, at + size)
      batch.end(SALT)
    }
    assert.equal(
      batch.length,
      sizes.reduce((sum, size) => sum + size + HEAD_BYTES, 0),
    )
    let at = 0
    for (const [i, size] of sizes.entries()) {
      const found = read(batch.bytes, at)
      assert.deepEqual([found?.n, found?.payload.length], [i + 1, size])
      assert.ok(found?.payload.every((byte) => byte === i + 1))
      at = found?.end ?? Infinity
    }
    assert.equal(batch.bytes.length, batch.length)
    batch.clear()
    assert.deepEqual([batch.length, batch.bytes.length], [0, 0])
    batch.begin(RECORD.append, 9, 0)
    batch.end(SALT)
    assert.equal(read(batch.bytes)?.n, 9)
  })

  test('keeps its memory until that is full, and then has twice as much or what is needed', () => {
    const batch = new Batch(crc32)
    const { memory } = batch
    assert.equal(memory.length, 64 * 1024)
    batch.begin(RECORD.append, 1, 64 * 1024 - HEAD_BYTES)
    assert.equal(batch.memory, memory)
    batch.begin(RECORD.append, 2, 0)
    assert.equal(batch.memory.length, 128 * 1024)
    batch.begin(RECORD.append, 3, 1_000_000)
    assert.equal(batch.memory.length, batch.length)
  })
})

describe('a mark', () => {
  const marked = (from: Uint8Array, position = from.length, salt = SALT): Uint8Array => {
    const batch = new Batch(crc32)
    addMark(batch, position, salt)
    return joined(from, batch.bytes)
  }
  const has = (bytes: Uint8Array, from = 0): boolean => hasMark(bytes, from, SALT, crc32)

  test('is found wherever it stands, at the beginning and at the end too', () => {
    assert.equal(marked(new Uint8Array(0)).length, MARK_BYTES)
    for (const before of [0, 1, 7, 100]) {
      const bytes = marked(new Uint8Array(before).fill(0xaa))
      assert.equal(has(bytes), true)
      assert.equal(has(bytes, before), true)
      assert.equal(has(bytes, before + 1), false)
      assert.equal(has(joined(bytes, encode('more'))), true)
      assert.equal(has(bytes.subarray(0, -1)), false)
      const held = joined(encode('..'), bytes).subarray(2)
      assert.equal(has(held), true)
    }
  })

  test('is one only with its type, its length, its place and its crc', () => {
    const before = new Uint8Array(30)
    assert.equal(has(marked(before, 29)), false)
    assert.equal(has(marked(before, 30, SALT + 1)), false)
    const at = new Uint8Array(8)
    at[7] = 30
    assert.equal(has(joined(before, record(RECORD.mark, 0, at))), true)
    assert.equal(has(joined(before, record(RECORD.cursor, 0, at))), false)
    assert.equal(has(joined(before, record(RECORD.mark, 0, joined(at, at)))), false)
    assert.equal(has(new Uint8Array(10)), false)
  })
})

test('a message, outcomes and a cursor come back from their records', () => {
  const [peer, type, payload] = [encode('çelik'), encode('say'), encode('hello')]
  const batch = new Batch(crc32)
  addAppend(batch, 3, 1e12 + 0.5, peer, type, payload, SALT)
  assert.equal(batch.length, appendSize(peer, type, payload))
  const append = read(batch.bytes) as RawRecord
  assert.deepEqual(readAppend(append), { at: 1e12 + 0.5, peer: 'çelik', type: 'say', payload })
  assert.deepEqual([append.type, append.n], [RECORD.append, 3])
  for (let length = 0; length < 12 + peer.length + type.length; length++)
    assert.equal(
      readAppend({ ...append, payload: append.payload.subarray(0, length) }),
      undefined,
      `${length}`,
    )
  const least = append.payload.subarray(0, 12 + peer.length + type.length)
  assert.equal(readAppend({ ...append, payload: least })?.payload.length, 0)
  batch.clear()
  addAppend(batch, 1, 0, new Uint8Array(0), new Uint8Array(0), new Uint8Array(0), SALT)
  assert.deepEqual(readAppend(read(batch.bytes) as RawRecord), {
    at: 0,
    peer: '',
    type: '',
    payload: new Uint8Array(0),
  })

  batch.clear()
  addSettle(batch, peer, 4, 2 ** 40, SALT)
  const settle = read(batch.bytes) as RawRecord
  assert.deepEqual(
    [settle.type, settle.n, readSettle(settle)],
    [RECORD.settle, 4, { to: 2 ** 40, peer: 'çelik' }],
  )
  assert.deepEqual(readSettle({ ...settle, payload: new Uint8Array(8) }), { to: 0, peer: '' })
  assert.equal(readSettle({ ...settle, payload: new Uint8Array(7) }), undefined)

  batch.clear()
  const id = '000102030405060708090a0b0c0d0eff'
  addCursor(batch, id, 5, SALT)
  const cursor = read(batch.bytes) as RawRecord
  assert.deepEqual([cursor.type, cursor.n, readCursor(cursor)], [RECORD.cursor, 5, id])
  assert.equal(readCursor({ ...cursor, payload: new Uint8Array(15) }), undefined)
  assert.equal(Buffer.from(idBytes(id)).toString('hex'), id)
})

test('names are encoded once, until 4,096 of them are known', () => {
  const names = new Names()
  const first = names.bytes('çelik')
  assert.deepEqual(first, encode('çelik'))
  for (let i = 1; i < 4096; i++) names.bytes(String(i))
  assert.equal(names.bytes('çelik'), first)
  const last = names.bytes('last')
  assert.notEqual(names.bytes('çelik'), first)
  assert.equal(names.bytes('last'), last)
})

describe('a head', () => {
  const head: Head = {
    id: '0f'.repeat(16),
    number: 12,
    salt: 0xfedcba98,
    segments: [
      [3, 2 ** 33],
      [4, 100],
    ],
    cursors: [
      ['01'.repeat(16), 2 ** 32 + 1],
      ['02'.repeat(16), 0],
    ],
    peers: [
      {
        name: 'çelik',
        last: 9,
        pending: [
          [1, 3],
          [7, 7],
        ],
      },
      { name: '', last: 0, pending: [] },
    ],
  }

  test('comes back as it was written, and tells where it ends', () => {
    const bytes = writeHead(head, crc32)
    assert.deepEqual(readHead(joined(bytes, encode('records')), crc32), { head, end: bytes.length })
    assert.equal(new TextDecoder().decode(bytes.subarray(0, 8)), 'sockstor')
    const empty = { id: '00'.repeat(16), number: 1, salt: 0, segments: [], cursors: [], peers: [] }
    assert.deepEqual((readHead(writeHead(empty, crc32), crc32) as { head: unknown }).head, empty)
  })

  test('may be long', () => {
    const peers = Array.from({ length: 3000 }, (_, i) => ({
      name: `peer ${i}`,
      last: i,
      pending: [[1, i]] as Head['peers'][number]['pending'],
    }))
    const long = { ...head, peers }
    assert.deepEqual((readHead(writeHead(long, crc32), crc32) as { head: unknown }).head, long)
  })

  test('that does not read is told from one of another version', () => {
    const bytes = writeHead(head, crc32)
    for (let at = 0; at < bytes.length; at++) {
      const damaged = bytes.slice()
      damaged[at] = (damaged[at] ?? 0) ^ 1
      assert.match(readHead(damaged, crc32) as string, at < 8 ? /does not begin/ : /is damaged/)
    }
    assert.match(readHead(bytes.subarray(0, -1), crc32) as string, /is damaged/)
    assert.match(readHead(bytes.subarray(0, 7), crc32) as string, /does not begin/)
    const other = joined(encode('sockstor'), record(RECORD.mark, 12, bytes.subarray(8 + HEAD_BYTES), 0))
    assert.match(readHead(other, crc32) as string, /is damaged/)
    const payload = bytes.slice(8 + HEAD_BYTES)
    payload[0] = 2
    const newer = joined(encode('sockstor'), record(RECORD.head, 12, payload, 0))
    assert.throws(() => readHead(newer, crc32), { code: 'UNSUPPORTED', what: /version 2 .* reads 1/ })
  })

  test('its salt is of four bytes, wherever they lie in memory', () => {
    const bytes = Uint8Array.of(9, 9, 1, 2, 3, 4, 9).subarray(2, 6)
    assert.equal(
      newSalt(() => bytes),
      0x01020304,
    )
  })
})

describe('what is known', () => {
  const entry = (n: number, bytes: number) => ({ n, at: 0, bytes, due: undefined, segment: 1, offset: 0 })

  test('counts what is not settled, and settles once', () => {
    const ledger = new Ledger()
    const anna = ledger.account('anna')
    assert.equal(ledger.account('anna'), anna)
    assert.deepEqual(anna, { name: 'anna', last: 0, recovered: 0, pending: new Map() })
    ledger.add(anna, entry(5, 100))
    ledger.add(anna, entry(3, 10))
    assert.deepEqual([anna.last, ledger.pending, ledger.pendingBytes], [5, 2, 110])
    assert.equal(ledger.settle(anna, 5)?.bytes, 100)
    assert.equal(ledger.settle(anna, 5), undefined)
    assert.deepEqual(
      [anna.last, ledger.pending, ledger.pendingBytes, [...anna.pending.keys()]],
      [5, 1, 10, [3]],
    )
  })

  test('a cursor never goes back', () => {
    const ledger = new Ledger()
    ledger.advance('a', 0)
    assert.equal(ledger.cursors.has('a'), false)
    for (const n of [2, 1, 2, 3]) ledger.advance('a', n)
    assert.equal(ledger.cursors.get('a'), 3)
  })

  test('numbers as ranges', () => {
    assert.deepEqual(rangesOf([]), [])
    assert.deepEqual(rangesOf([1, 2, 3, 5, 7, 8]), [
      [1, 3],
      [5, 5],
      [7, 8],
    ])
  })

  test('is what a head says', () => {
    const ledger = new Ledger()
    const anna = ledger.account('anna')
    for (const n of [1, 2, 3, 5]) ledger.add(anna, entry(n, 10))
    ledger.advance('0f'.repeat(16), 4)
    const facts = { id: '00'.repeat(16), number: 2, salt: 3 }
    assert.deepEqual(headOf(ledger, [[1, 100]], facts), {
      ...facts,
      segments: [[1, 100]],
      cursors: [['0f'.repeat(16), 4]],
      peers: [
        {
          name: 'anna',
          last: 5,
          pending: [
            [1, 3],
            [5, 5],
          ],
        },
      ],
    })
  })

  test('a u64 is read from where it stands', () => {
    assert.equal(getU64(new DataView(Uint8Array.of(9, 0, 0, 0, 2, 0, 0, 0, 3).buffer), 1), 2 ** 33 + 3)
  })
})
