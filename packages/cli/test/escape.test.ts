/** What is printed is harmless to a terminal, in however many pieces it is escaped. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { printable } from 'socktools'
import { forTerminal, jsonLine, payloadPieces, terminalPieces } from '../src/escape.ts'

const PIECE = 16 * 1024
const hard = fc.constantFrom('a', '\t', '\n', '\x1b', '\u200b', '\u{e0041}', '👋', '\u3164', '\ud800', 'é')

describe('escaping', () => {
  test('is what the library has as printable, but for tabs, also where a piece ends', () => {
    fc.assert(
      fc.property(fc.array(hard, { maxLength: 12 }), fc.nat(14), (around, before) => {
        const text = 'x'.repeat(PIECE - 7 + before) + around.join('')
        const want = text
          .split('\t')
          .map((part) => printable(part, Infinity))
          .join('\t')
        assert.equal(forTerminal(text), want)
        assert.deepEqual(JSON.parse(jsonLine({ text })), { text })
        assert.doesNotMatch(jsonLine({ text }), /[\u0000-\u001f\u200b\u{e0041}\u3164]/u)
      }),
    )
  })

  test('much of it comes in many pieces, each short', () => {
    for (const pieces of [
      terminalPieces('\u200b'.repeat(PIECE * 3)),
      payloadPieces(new Uint8Array(PIECE * 3).fill(0xff)),
    ]) {
      const all = [...pieces]
      assert.equal(all.length, 3)
      assert.ok(all.every((piece) => piece.length <= PIECE * 8))
    }
  })

  test('bytes that are no text are whole, in order', () => {
    const bytes = Uint8Array.from({ length: 40_000 }, (_, i) => (i === 7 ? 0xff : 0x30 + (i % 10)))
    const shown = [...payloadPieces(bytes)].join('')
    assert.equal(
      shown.replace('\\xff', '7'),
      Array.from({ length: 40_000 }, (_, i) => String(i % 10)).join(''),
    )
  })
})
