import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { z } from 'zod'
import { call, channel, feed, msg } from '../../src/contract/declare.ts'
import { latest, ttl } from '../../src/contract/delivery.ts'
import { compat, fingerprint } from '../../src/index.ts'
import { type Protocol, compile } from '../../src/contract/protocol.ts'
import { bytes, nothing } from '../../src/schema.ts'
import { raw } from '../../src/wire/codec.ts'

const [Text, Count] = [z.string(), z.number()]

describe('compile', () => {
  test('gives every kind the same shape', () => {
    const { types, byName } = compile({
      say: msg(Text, { priority: 'high', maxSize: 10 }),
      count: call(Text, Count, { deadline: 5, errors: { GONE: undefined, FULL: Count } }),
      follow: feed(nothing(), bytes(), { priority: 'bulk' }),
      talk: channel(raw(), Text),
    })
    assert.deepEqual(
      types.map(({ name, kind, index, priority, deadline, maxSize }) => [
        name,
        kind,
        index,
        priority,
        deadline,
        maxSize,
      ]),
      [
        ['count', 'call', 0, 1, 5, undefined],
        ['follow', 'feed', 1, 3, undefined, undefined],
        ['say', 'msg', 2, 0, undefined, 10],
        ['talk', 'channel', 3, 1, undefined, undefined],
      ],
    )
    assert.deepEqual(
      types.map(({ inputBytes, outputBytes }) => [inputBytes, outputBytes]),
      [
        [false, false],
        [false, true],
        [false, false],
        [true, false],
      ],
    )
    assert.deepEqual([types[0]?.input, types[0]?.output], [Text, Count])
    assert.deepEqual([types[2]?.input, types[2]?.output], [Text, undefined])
    assert.deepEqual([types[3]?.output], [Text])
    assert.deepEqual(
      [...(types[0]?.errors ?? [])],
      [
        ['GONE', undefined],
        ['FULL', Count],
      ],
    )
    assert.equal(byName.get('say'), types[2])
    assert.equal(byName.size, 4)
  })

  test('delivery and idempotence are of one side alone: nothing of them is in the fingerprint', () => {
    const plain = { say: msg(Text), at: msg(Text), alarm: msg(Text), ask: call(Text, Text) }
    const told = {
      say: msg(Text, { delivery: 'volatile' }),
      at: msg(Text, { delivery: latest() }),
      alarm: msg(Text, { delivery: ttl(5) }),
      ask: call(Text, Text, { idempotent: true }),
    }
    assert.equal(fingerprint(told), fingerprint(plain))
    assert.deepEqual(compat(plain, told), { verdict: 'ok', findings: [] })
    const { types } = compile(told)
    assert.deepEqual(
      types.map(({ name, delivery, idempotent }) => [name, delivery, idempotent]),
      [
        ['alarm', told.alarm.delivery, false],
        ['ask', undefined, true],
        ['at', told.at.delivery, false],
        ['say', 'volatile', false],
      ],
    )
    assert.equal(compile(plain).byName.get('say')?.delivery, undefined)
  })

  test('sorts by UTF-8 bytes, in which a later plane comes later', () => {
    // By UTF-16 units, the surrogates of U+1F600 would come before U+FFFD.
    const names = ['😀', '\ufffd', 'é', 'z', 'a', 'aa', 'A', '10', '9', 'Z']
    const { types } = compile(Object.fromEntries(names.map((name) => [name, msg(Text)])))
    assert.deepEqual(
      types.map(({ name }) => name),
      ['10', '9', 'A', 'Z', 'a', 'aa', 'z', 'é', '\ufffd', '😀'],
    )
    assert.ok(types.every(({ index }, i) => index === i))
  })

  test('the order of names is that of Buffer.compare, whatever they are', () => {
    const name = fc
      .string({ unit: 'binary', minLength: 1, maxLength: 20 })
      .filter((text) => text !== '__proto__')
    fc.assert(
      fc.property(fc.uniqueArray(name, { maxLength: 20 }), (names) => {
        const { types } = compile(Object.fromEntries(names.map((one) => [one, msg(bytes())])))
        const want = names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
        assert.deepEqual(
          types.map((type) => type.name),
          want,
        )
      }),
    )
  })

  test('names that every object has are names like any other', () => {
    const odd = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'then']
    const protocol = JSON.parse(`{${odd.map((name) => `"${name}":0`).join()}}`) as Record<string, unknown>
    for (const name of odd) Object.defineProperty(protocol, name, { value: msg(Text), enumerable: true })
    const { byName, types } = compile(protocol as unknown as Protocol)
    assert.equal(types.length, odd.length)
    for (const name of odd) assert.equal(byName.get(name)?.name, name)
    assert.equal(compile({}).byName.get('constructor'), undefined)
  })

  test('a protocol may be the namespace of a module, or of another realm', async () => {
    const space = await import('../support/protocol.ts')
    assert.deepEqual([...compile(space).byName.keys()], ['ask', 'say'])
    const foreign = runInNewContext('({ say })', { say: msg(Text) }) as Protocol
    assert.deepEqual([...compile(foreign).byName.keys()], ['say'])
  })

  const full = Object.fromEntries(Array.from({ length: 4096 }, (_, i) => [`t${i}`, msg(Text)]))

  test('takes names of 255 bytes and 4,096 types', () => {
    assert.equal(compile({ ['é'.repeat(127) + 'a']: msg(Text) }).types.length, 1)
    assert.equal(compile(full).types.length, 4096)
  })

  class Chat {
    say = msg(Text)
  }
  const wrong: Record<string, [protocol: unknown, text: RegExp]> = {
    'no object': ['chat', /a protocol is a plain object/],
    null: [null, /a protocol is a plain object/],
    'a list': [[msg(Text)], /a protocol is a plain object/],
    'an instance': [new Chat(), /a protocol is a plain object/],
    'a literal whose __proto__ is no key': [
      { __proto__: msg(Text), say: msg(Text) },
      /a protocol is a plain object/,
    ],
    'a schema in the place of a declaration': [{ say: Text }, /"say" of the protocol is not what msg\(\)/],
    'what looks like one': [{ say: { kind: 'msg' } }, /"say" of the protocol is not what msg\(\)/],
    'another kind': [{ say: { ...msg(Text), kind: 'cast' } }, /"say" of the protocol is not what msg\(\)/],
    undefined: [{ say: undefined }, /"say" of the protocol is not what msg\(\)/],
    'a name of no bytes': [{ '': msg(Text) }, /1 to 255 bytes in UTF-8, and "" has 0/],
    'a name of 256 bytes': [{ ['é'.repeat(128)]: msg(Text) }, /1 to 255 bytes in UTF-8, .* has 256/],
    'half a surrogate pair': [{ 'a\ud800': msg(Text) }, /half a surrogate pair/],
    'too many types': [{ ...full, more: msg(Text) }, /a protocol of 4097 types, and 4096 is the most/],
  }
  for (const [what, [protocol, text]] of Object.entries(wrong)) {
    test(`refuses ${what}`, () => {
      assert.throws(() => compile(protocol as Protocol), { code: 'BAD_OPTION', message: text })
    })
  }
})
