/** The suite over every framing that comes with the library, and what is lines()' own. Lengths: lengths.test.ts. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { lines } from '../../src/wire/lines.ts'
import { builtins } from './builtin.ts'
import { codeOf, decode, frame, latin1, reading, textual, toHex } from './bytes.ts'
import { framingSuite } from './framing-suite.ts'

for (const { name, framing, payloads } of builtins) framingSuite(name, framing, payloads)

describe('lines', () => {
  const ends: [stream: string, lines: string[], partial: number][] = [
    ['a\n', ['a'], 0],
    ['a\r\n', ['a'], 0],
    ['\n\r\n', ['', ''], 0],
    ['a\r\r\n', ['a\r'], 0],
    ['a\rb\n', ['a\rb'], 0],
    ['a\nb', ['a'], 1],
    ['a\nb\r', ['a'], 2],
  ]
  for (const [stream, want, partial] of ends) {
    test(`${JSON.stringify(stream)} is ${JSON.stringify(want)}`, () => {
      const { decoder, got } = reading(lines())
      decoder.push(latin1(stream))
      assert.deepEqual([got, decoder.partial], [want, partial])
    })
  }

  test('a last line without an ending is a line when the sender has finished', () => {
    const { decoder, got } = reading(lines())
    decoder.push(latin1('one\ntwo'))
    decoder.finish?.()
    assert.deepEqual([got, decoder.partial], [['one', 'two'], 0])
    decoder.finish?.()
    assert.deepEqual(got, ['one', 'two'], 'once')
  })

  test('with unterminated: false it stays partial', () => {
    const { decoder, got } = reading(lines({ unterminated: false }))
    decoder.push(latin1('one\ntwo'))
    decoder.finish?.()
    assert.deepEqual([got, decoder.partial], [['one'], 3])
  })

  test('nothing is made up at the end of a stream that ended with its line', () => {
    const { decoder, got } = reading(lines())
    decoder.push(latin1('one\n'))
    decoder.finish?.()
    assert.deepEqual(got, ['one'])
  })

  const limits: [chunks: string[], fits: boolean][] = [
    [['abc\n'], true],
    [['abc\r\n'], true],
    [['abc\r', '\n'], true],
    [['a', 'b', 'c', '\r', '\n'], true],
    [['abcd\n'], false],
    [['abcd'], false],
    [['abc', 'd'], false],
    [['abc\rd'], false],
    [['abc\r', '\r'], false],
    [['abc\r\r\n'], false],
    [['abc\r', '', '\n'], true],
    [['ab\nabc\n'], true],
    [['ab\nabc', '\n'], true],
    [['ab\nabcd'], false],
    [['ab\nabc\r', '\n'], true],
  ]
  for (const [chunks, fits] of limits) {
    test(`${JSON.stringify(chunks)} ${fits ? 'is a line' : 'is too long at once, ending or not,'} when max is 3`, () => {
      assert.equal(decode(lines(), 3, chunks.map(latin1)).refused, fits ? false : 'FRAME_TOO_LARGE')
    })
  }

  test('a last line without an ending is as long as max allows, a CR that ends nothing included', () => {
    const last = (text: string): string[] | string | undefined => {
      const { decoder, got } = reading(lines(), 3)
      return (
        codeOf(() => {
          decoder.push(latin1(text))
          decoder.finish?.()
        }) ?? got
      )
    }
    assert.deepEqual(last('abc'), ['abc'])
    assert.deepEqual(last('ab\r'), ['ab\r'])
    assert.equal(last('abc\r'), 'FRAME_TOO_LARGE')
  })

  test('a line that comes whole is a view of what came', () => {
    const chunk = latin1('one\ntwo\r\n')
    for (const line of decode(lines(), 10, [chunk]).frames) assert.equal(line.buffer, chunk.buffer)
  })

  test('what would not come out as one line is not sent, and nothing is written of it', () => {
    for (const bad of ['a\nb', '\n', 'a\r', '\r', 'a\r\n']) {
      const into = new Uint8Array(16)
      assert.equal(
        codeOf(() => lines().write(into, 0, latin1(bad))),
        'CANNOT_FRAME',
        JSON.stringify(bad),
      )
      assert.equal(
        codeOf(() => lines().around?.check?.(latin1(bad))),
        'CANNOT_FRAME',
        JSON.stringify(bad),
      )
      assert.deepEqual(into, new Uint8Array(16))
    }
  })

  test('max is a number of bytes, 64 KiB if not said', () => {
    for (const max of [-1, 0.5, NaN, Infinity])
      assert.equal(
        codeOf(() => lines({ max })),
        'BAD_OPTION',
      )
    assert.deepEqual([lines().max, lines({ max: 0 }).max, lines().name], [65_536, 0, 'lines'])
    assert.equal(decode(lines(), Infinity, [textual(65_537)]).refused, 'FRAME_TOO_LARGE')
  })

  test('crlf changes what is sent, not what is understood', () => {
    assert.equal(toHex(frame(lines({ crlf: true }), latin1('hi'))), '68690d0a')
    assert.equal(toHex(frame(lines(), latin1('hi'))), '68690a')
    assert.deepEqual(decode(lines({ crlf: true }), 9, [latin1('a\nb\r\n')]).frames.map(toHex), ['61', '62'])
  })
})
