import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { RemoteError, SockError, asSockError, errorCodes, fail, printable, reasonOf } from '../src/errors.ts'

describe('SockError', () => {
  test('says what, to whom, what to do, and its code, on one line', () => {
    const cause = new Error('ECONNREFUSED')
    const error = new SockError('CONNECT_FAILED', 'could not connect', {
      address: 'tcp://127.0.0.1:1',
      cause,
    })
    assert.match(
      error.message,
      /^could not connect \(tcp:\/\/127\.0\.0\.1:1\): check that .* \[CONNECT_FAILED\]$/,
    )
    assert.deepEqual(
      [error.name, error.code, error.what],
      ['SockError', 'CONNECT_FAILED', 'could not connect'],
    )
    assert.deepEqual([error.address, error.cause], ['tcp://127.0.0.1:1', cause])
  })

  test('without an address or a cause it has none', () => {
    const error = new SockError('CLOSED', 'over')
    assert.equal(error.address, undefined)
    assert.equal('cause' in error, false)
    assert.match(error.message, /^over: /)
  })

  test('every code has its advice, and looks like a code', () => {
    for (const code of errorCodes) {
      assert.match(code, /^[A-Z]+(_[A-Z]+)*$/)
      assert.match(new SockError(code, 'x').message, /^x: \S.{20,} \[[A-Z_]+\]$/)
    }
  })

  test('what a peer wrote is escaped and cut in it, wherever it stands', () => {
    const error = new SockError('BAD_MESSAGE', '\x1b[2J'.repeat(1000), { address: 'memory:\n' })
    assert.doesNotMatch(error.message + error.what, /\p{Cc}/u)
    assert.ok(error.message.length < 3000, String(error.message.length))
  })

  test('of the far side has its text there, where it has one', () => {
    const told = (text: string): string => new RemoteError({ code: 'FULL', text }, 'memory:a').what
    assert.equal(told('none left'), 'the far side answered FULL: none left')
    assert.equal(told(''), 'the far side answered FULL')
  })

  test('fail throws it', () => {
    assert.throws(() => fail('CLOSED', 'over', { address: 'memory:a' }), {
      code: 'CLOSED',
      address: 'memory:a',
    })
  })

  test('asSockError keeps ours as it is and wraps the rest', () => {
    const ours = new SockError('CLOSED', 'over')
    assert.equal(asSockError(ours, 'HANDLER_FAILED', 'x'), ours)
    for (const thrown of [new Error('boom'), 'boom']) {
      const wrapped = asSockError(thrown, 'HANDLER_FAILED', 'the handler', 'memory:a')
      assert.deepEqual([wrapped.code, wrapped.cause, wrapped.address], ['HANDLER_FAILED', thrown, 'memory:a'])
      assert.match(wrapped.message, /^the handler: boom \(memory:a\)/)
    }
  })

  test('what cannot even be asked what it is can be wrapped', () => {
    const evil = new Proxy({}, { getPrototypeOf: () => fail('CLOSED', 'evil') })
    const wrapped = asSockError(evil, 'HANDLER_FAILED', 'the handler')
    assert.deepEqual(
      [wrapped.code, wrapped.what],
      ['HANDLER_FAILED', 'the handler: a value that cannot be printed'],
    )
  })

  test('the reason of anything thrown is one line of text', () => {
    const table: [unknown, string][] = [
      [new Error('a\nb'), 'a\\u{a}b'],
      [new TypeError(''), 'TypeError'],
      ['text', 'text'],
      [undefined, 'undefined'],
      [null, 'null'],
      [Symbol('s'), 'Symbol(s)'],
      [Object.create(null), 'a value that cannot be printed'],
      [{ toString: () => fail('CLOSED', 'evil') }, 'a value that cannot be printed'],
      [new Proxy({}, { getPrototypeOf: () => fail('CLOSED', 'evil') }), 'a value that cannot be printed'],
    ]
    for (const [thrown, reason] of table) assert.equal(reasonOf(thrown), reason)
    const evil = Object.defineProperty(new Error('x'), 'message', { get: () => fail('CLOSED', 'evil') })
    assert.equal(reasonOf(evil), 'a value that cannot be printed')
  })
})

describe('printable', () => {
  const escaped: [what: string, text: string, shown: string][] = [
    ['ANSI', '\x1b[31mred\x1b[0m', '\\u{1b}[31mred\\u{1b}[0m'],
    ['a C1 control sequence', 'a\x9b2Jb', 'a\\u{9b}2Jb'],
    ['line ends', 'a\r\nb\u2028c\u2029d\x85e', 'a\\u{d}\\u{a}b\\u{2028}c\\u{2029}d\\u{85}e'],
    ['a bell, a backspace, a null, delete', '\x07\x08\0\x7f', '\\u{7}\\u{8}\\u{0}\\u{7f}'],
    ['bidirectional overrides', 'user\u202enimda', 'user\\u{202e}nimda'],
    ['bidirectional isolates', '\u2066a\u2069', '\\u{2066}a\\u{2069}'],
    ['bidirectional marks', 'a\u200f\u061cb', 'a\\u{200f}\\u{61c}b'],
    ['zero width', 'a\u200b\u2060\ufeffb', 'a\\u{200b}\\u{2060}\\u{feff}b'],
    ['a soft hyphen', 'a\u00adb', 'a\\u{ad}b'],
    ['invisible tags', 'a\u{e0041}b', 'a\\u{e0041}b'],
    ['blank letters', 'a\u3164b\u115fc', 'a\\u{3164}b\\u{115f}c'],
    ['half a surrogate pair', 'a\ud800b', 'a\\u{d800}b'],
    ['nothing else:', 'hé 漢字 😀 עברית "quoted" \\', 'hé 漢字 😀 עברית "quoted" \\'],
  ]
  for (const [what, text, shown] of escaped)
    test(`escapes ${what}`, () => assert.equal(printable(text), shown))

  test('cuts long text, and no character in half', () => {
    assert.equal(printable('a'.repeat(256)), 'a'.repeat(256))
    assert.equal(printable('a'.repeat(257)), `${'a'.repeat(256)}…`)
    assert.equal(printable('abcd', 2), 'ab…')
    assert.doesNotMatch(printable('😀'.repeat(300), 3), /\p{Surrogate}/u)
  })

  test('whatever comes in, no control character comes out', () => {
    const characters = fc.integer({ min: 0, max: 0x2fff }).map((code) => String.fromCodePoint(code))
    fc.assert(
      fc.property(fc.string({ unit: characters }), (text) => {
        assert.doesNotMatch(printable(text), /\p{Cc}|\p{Bidi_Control}|\p{Surrogate}|\p{Zl}|\p{Zp}/u)
      }),
    )
  })
})
