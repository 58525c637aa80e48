import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  EVENT,
  EVENT_LANES,
  Header,
  HEADER,
  HEADERS,
  ITEM,
  MAX_CHUNK,
  MAX_U53,
  MORE,
  nameOfKind,
  readU64,
  REQUEST,
  SEND_CHUNK,
  writeHeader,
  writeU64,
} from '../../../src/wire/v1/frame.ts'
import { MIN_WINDOW } from '../../../src/wire/v1/hello.ts'
import { hex, toHex } from '../bytes.ts'

const u53 = fc.oneof(
  fc.maxSafeNat(),
  fc.constantFrom(0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 33 - 1, MAX_U53 - 1, MAX_U53),
)
const u32 = fc.oneof(fc.nat(2 ** 32 - 1), fc.constantFrom(0, 2 ** 31, 2 ** 32 - 1))

const fieldsOf = ({ kind, flags, type, lane, seq, ack }: Header) => ({ kind, flags, type, lane, seq, ack })

describe('a header', () => {
  test('comes out as it went in, wherever in a buffer it stands', () => {
    const fields = fc.record({ type: fc.nat(0xffff), lane: u32, seq: u53, ack: u53, at: fc.nat(40) })
    fc.assert(
      fc.property(fields, ({ type, lane, seq, ack, at }) => {
        const into = new Uint8Array(at + HEADER + 3).fill(0xee)
        const kind = lane < EVENT_LANES ? EVENT : REQUEST
        const end = writeHeader(into, at, kind, 0, type, lane, Math.max(1, seq), ack)
        assert.equal(end, at + HEADER)
        assert.ok([...into.subarray(0, at), ...into.subarray(end)].every((byte) => byte === 0xee))
        const header = new Header()
        header.read(into.subarray(at))
        assert.deepEqual(fieldsOf(header), { kind, flags: 0, type, lane, seq: Math.max(1, seq), ack })
      }),
      { numRuns: 2000 },
    )
  })

  test('is read into again and again: nothing of the last one stays', () => {
    const header = new Header()
    header.read(hex('02 06 ffff ffffffff 001fffffffffffff 001fffffffffffff 00000001 0000'))
    header.read(hex('10 00 0000 00000000 0000000000000000 0000000000000000'))
    assert.deepEqual(fieldsOf(header), { kind: 0x10, flags: 0, type: 0, lane: 0, seq: 0, ack: 0 })
  })

  test('what is wrong is told with its numbers', () => {
    const wrong: [payload: string, what: RegExp][] = [
      ['01', /^a frame of 1 bytes, and the header alone has 24$/],
      ['08 00 0000 00000005 0000000000000000 0000000000000000', /^RESET: no seq$/],
      ['10 00 0000 00000000 0000000000000009 0000000000000000', /^ACK: the seq 9, and it takes none$/],
      ['01 08 0000 00000000 0000000000000001 0000000000000000', /^EVENT: the flags 0x08, and 0x03 are all/],
      ['01 00 0000 00000004 0000000000000001 0000000000000000', /^EVENT: the lane 4, and it takes 0 to 3$/],
      ['10 00 0007 00000000 0000000000000000 0000000000000000', /^ACK: the type 7, and it takes none$/],
      ['18 00 0000 00000000 0000000000000000 0000000000000000', /^PING: a body of 0 bytes, and it has 12$/],
      [
        '0a 00 0000 00000000 0000000000000001 0000000000000000',
        /^DONE: a body of 0 bytes, and it has 9 to 264/,
      ],
      ['33 00 0000 00000000 0000000000000000 0000000000000000', /^a frame of the unknown kind 0x33$/],
      [
        '01 00 0000 00000000 0020000000000000 0000000000000000',
        /^EVENT: a seq or ack above 9007199254740991$/,
      ],
    ]
    for (const [payload, what] of wrong) {
      assert.throws(
        () => new Header().read(hex(payload)),
        (error: any) => error.code === 'PROTOCOL_ERROR' && what.test(error.what),
        payload,
      )
    }
  })

  test('a kind has a name, and one that is unknown its number', () => {
    assert.deepEqual([nameOfKind(ITEM), nameOfKind(0x77), nameOfKind(5)], ['ITEM', '0x77', 'OPEN'])
    const names = Array.from({ length: 256 }, (_, kind) => nameOfKind(kind)).filter(
      (name) => !name.startsWith('0x'),
    )
    assert.equal(
      names.join(' '),
      'EVENT REQUEST REPLY ERROR OPEN ITEM END RESET CANCEL DONE ACK CREDIT TABLE PING PONG GOAWAY GOODBYE VOLATILE',
    )
  })

  test('a header slot has 8,192 bytes at most', () => {
    const chunk = new Uint8Array(HEADER + MAX_CHUNK)
    writeHeader(chunk, 0, EVENT, HEADERS, 0, 0, 1, 0)
    const slot = (bytes: number) => () => {
      chunk.set([bytes >> 8, bytes & 255], HEADER)
      new Header().read(chunk)
    }
    assert.doesNotThrow(slot(8192))
    assert.throws(slot(8193), { code: 'PROTOCOL_ERROR', what: /slot of 8193 bytes, and 8192 is the most/ })
  })
})

test('u64: any of 53 bits comes back, any of more is NaN', () => {
  const bytes = new Uint8Array(8)
  fc.assert(
    fc.property(u53, (n) => {
      assert.equal(writeU64(bytes, 0, n), 8)
      assert.equal(readU64(bytes, 0), n)
      assert.equal(toHex(bytes), n.toString(16).padStart(16, '0'))
    }),
    { numRuns: 1000 },
  )
  fc.assert(
    fc.property(fc.bigInt(2n ** 53n, 2n ** 64n - 1n), (n) => {
      assert.ok(Number.isNaN(readU64(hex(n.toString(16).padStart(16, '0')), 0)))
    }),
  )
})

test('a chunk as it is cut here fits into the smallest window, and one may be longer', () => {
  assert.ok(HEADER + SEND_CHUNK <= MIN_WINDOW)
  const chunk = new Uint8Array(HEADER + MAX_CHUNK)
  writeHeader(chunk, 0, ITEM, MORE, 0, 5, 1, 0)
  assert.doesNotThrow(() => new Header().read(chunk))
})
