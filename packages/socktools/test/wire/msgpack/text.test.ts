/** Text as msgpack() reads it, judged by what the platform makes of the same bytes. */
import assert from 'node:assert/strict'
import { isUtf8 } from 'node:buffer'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { readText } from '../../../src/wire/msgpack/text.ts'
import { toHex } from '../bytes.ts'

describe('text', () => {
  /** What is read of it, and whether that is right. */
  const check = (bytes: Uint8Array, from = 0, to = bytes.length): void => {
    const part = bytes.subarray(from, to)
    const want = isUtf8(part) ? Buffer.from(part).toString() : undefined
    const got = readText(bytes, from, to)
    if (got !== want) assert.fail(`${toHex(part)} ${want === undefined ? 'is' : 'is not'} read`)
  }

  test('is read if it is UTF-8, of any length, whole or damaged', () => {
    const text = fc.string({ unit: 'binary', minLength: 10, maxLength: 60 }).map((one) => Buffer.from(one))
    fc.assert(
      fc.property(text, fc.nat(), fc.nat(255), (bytes, at, byte) => {
        check(bytes)
        bytes[at % bytes.length] = byte
        check(bytes)
      }),
      { numRuns: 2000 },
    )
  })

  test('that is ASCII is read at every length, and refused with a stray byte anywhere', () => {
    for (let n = 0; n < 70; n++) {
      const bytes = Uint8Array.from({ length: n + 2 }, (_, i) => 32 + ((i * 7) % 95))
      check(bytes, 1, n + 1)
      for (let at = 1; at <= n; at++) check(bytes.with(at, 0xff), 1, n + 1)
      check(bytes.with(0, 0xff).with(n + 1, 0xff), 1, n + 1)
    }
  })

  test('is judged by every sequence of up to four bytes of note', () => {
    const edges = [
      0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed,
      0xee,
    ]
    edges.push(0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff)
    const last = [0x41, 0x7f, 0x80, 0xbf, 0xc0]
    const bytes = Uint8Array.of(0x80, 0, 0, 0, 0, 0x80)
    const each = (from: number, bytesOfNote: readonly number[], then?: () => void): void => {
      for (const byte of bytesOfNote) {
        bytes[from] = byte
        check(bytes, 1, from + 1)
        then?.()
      }
    }
    each(1, edges, () => each(2, edges, () => each(3, edges, () => each(4, last))))
  })
})
