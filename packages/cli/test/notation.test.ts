/** What lines stand for, without a process. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { InvalidArgumentError } from 'commander'
import { FRAMINGS, framingNamed } from '../src/framing-names.ts'
import { notationOf } from '../src/notation.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const joined = (pieces: Iterable<string>): string => [...pieces].join('')

/** A payload of one byte as a framing writes it. */
function written(name: string): string {
  const framing = framingNamed(name)(1000)
  const into = new Uint8Array(framing.size(1))
  framing.write(into, 0, Uint8Array.of(0x41))
  return Buffer.from(into).toString('hex')
}

describe('a framing by name', () => {
  const known: Record<string, string> = {
    u8: '0141',
    u16be: '000141',
    u16le: '010041',
    u32be: '0000000141',
    u32le: '0100000041',
    u64be: '000000000000000141',
    u64le: '010000000000000041',
    varint: '0141',
    lines: '410a',
    crlf: '410d0a',
    'u8,inclusive': '0241',
    'u16be,inclusive': '000341',
    'u32le,inclusive': '0500000041',
  }
  for (const [name, hex] of Object.entries(known)) {
    test(name, () => {
      assert.equal(written(name), hex)
    })
  }

  test('carries no more than its length can say, nor than is allowed', () => {
    assert.equal(framingNamed('u8')(1000).max, 255)
    assert.equal(framingNamed('u8,inclusive')(1000).max, 254)
    assert.equal(framingNamed('u16le')(1000).max, 1000)
    assert.equal(framingNamed('lines')(1000).max, 1000)
  })

  for (const name of ['', 'u8be', 'u16', 'u24be', 'U16BE', 'u16be,', 'lines,inclusive', 'varint,inclusive']) {
    test(`"${name}" is none, and the error lists them`, () => {
      assert.throws(
        () => framingNamed(name),
        (error) => error instanceof InvalidArgumentError && error.message.includes(FRAMINGS),
      )
    })
  }
})

describe('--hex', async () => {
  const hex = await notationOf({ hex: true })

  test('reads two digits a byte, blanks between them, either case', () => {
    for (const [line, data] of [
      ['68 69', 'hi'],
      ['6869', 'hi'],
      [' 4A\t4a ', 'JJ'],
      ['', ''],
    ] as const) {
      assert.deepEqual(hex.read(bytes(line)), { type: 0, data: Buffer.from(data) })
    }
  })

  test('refuses anything else', () => {
    for (const line of ['6', '68 6', '0x68', 'hi', '68,69', '\u0661\u0661'])
      assert.throws(() => hex.read(bytes(line)), /^Error: is not hex: write two digits/)
    assert.throws(() => hex.read(Uint8Array.of(0xff)), /is not hex/)
  })

  test('prints it', () => {
    const message = { type: 0, data: Uint8Array.of(0x1b, 0xff) }
    assert.equal(joined(hex.text(message)), '1bff')
    assert.deepEqual(hex.facts(message), { hex: '1bff' })
  })
})

describe('--codec', async () => {
  const json = await notationOf({ codec: 'json' })
  const msgpack = await notationOf({ codec: 'msgpack' })

  test('a line is [type, data]', () => {
    for (const notation of [json, msgpack]) {
      assert.deepEqual(notation.read(bytes('["say", {"a": [1, null]}]')), {
        type: 'say',
        data: { a: [1, null] },
      })
      assert.deepEqual(notation.read(bytes('[7,"x"]')), { type: 7, data: 'x' })
    }
  })

  test('anything else is refused', () => {
    for (const line of [
      '',
      'hi',
      '{}',
      '["a"]',
      '["a",1,2]',
      '[null,1]',
      '[true,1]',
      '["a",1',
      '["a",undefined]',
    ])
      assert.throws(
        () => json.read(bytes(line)),
        /^Error: is not a message: write \[type, data\] as JSON/,
        line,
      )
    assert.throws(() => json.read(Uint8Array.of(0xff)), /is not a message/)
  })

  test('json sends an object with base64 as it is, msgpack the bytes', () => {
    const line = bytes('["a",{"base64":"aGk="}]')
    assert.deepEqual(json.read(line).data, { base64: 'aGk=' })
    assert.deepEqual(msgpack.read(line).data, Buffer.from('hi'))
    assert.deepEqual(msgpack.read(bytes('["a",{"base64":"aGk=","b":1}]')).data, { base64: 'aGk=', b: 1 })
    assert.throws(() => msgpack.read(bytes('["a",{"base64":"a!"}]')), /^Error: has a "base64" that is none/)
  })

  test('bytes and bigints are printed as JSON can say them, at any depth', () => {
    const message = { type: 'a', data: { b: [Uint8Array.of(0xff)], n: 2n ** 60n, d: new Date(0) } }
    const shown = { b: [{ base64: '/w==' }], n: '1152921504606846976', d: '1970-01-01T00:00:00.000Z' }
    assert.equal(joined(msgpack.text(message)), `a ${JSON.stringify(shown)}`)
    assert.deepEqual(JSON.parse(JSON.stringify(msgpack.facts(message))), { type: 'a', data: shown })
    assert.equal(joined(msgpack.text({ type: 'b', data: 2n ** 63n })), `b "${2n ** 63n}"`)
  })

  test('types and texts are harmless to a terminal', () => {
    assert.equal(
      joined(json.text({ type: '\x1b[2J\n', data: ['\u202e', { '\u009b': 1 }] })),
      '\\u{1b}[2J\\u{a} ["\\u{202e}",{"\\u{9b}":1}]',
    )
  })

  test('json takes 1 MiB, and more only if it is told to', () => {
    const long = 'x'.repeat(2 * 2 ** 20)
    assert.throws(() => json.codec().encode('a', long), { code: 'CANNOT_ENCODE' })
    assert.ok(json.codec(4 * 2 ** 20).encode('a', long).length > long.length)
  })
})
