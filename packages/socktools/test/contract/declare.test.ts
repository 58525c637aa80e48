import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type } from 'arktype'
import * as v from 'valibot'
import { z } from 'zod'
import { call, channel, feed, msg } from '../../src/contract/declare.ts'
import { latest, ttl } from '../../src/contract/delivery.ts'
import { errorCodes } from '../../src/errors.ts'
import { bytes, nothing } from '../../src/schema.ts'

const [Line, Room] = [z.string(), v.string()]
const defaults = { priority: 'normal', maxSize: undefined, version: undefined }

describe('declarations', () => {
  test('are frozen plain objects', () => {
    const full = type('number')
    const made = [
      msg(Line),
      msg(Room, { delivery: ttl(5) }),
      call(Room, Line, { deadline: 1000, errors: { FULL: full, GONE: undefined } }),
      feed(Room, Line, { priority: 'low', maxSize: 100, version: 'b' }),
      channel(bytes(), nothing(), { version: 3 }),
    ]
    assert.deepEqual(made, [
      { kind: 'msg', schema: Line, delivery: 'reliable', ack: undefined, ...defaults },
      { kind: 'msg', schema: Room, delivery: { kind: 'ttl', ms: 5 }, ack: undefined, ...defaults },
      {
        ...{
          kind: 'call',
          input: Room,
          output: Line,
          errors: { FULL: full, GONE: undefined },
          deadline: 1000,
          idempotent: false,
        },
        ...defaults,
      },
      { kind: 'feed', input: Room, item: Line, errors: {}, priority: 'low', maxSize: 100, version: 'b' },
      { kind: 'channel', incoming: bytes(), outgoing: nothing(), errors: {}, ...defaults, version: 3 },
    ])
    for (const one of made) {
      assert.ok(Object.isFrozen(one))
      assert.ok(!('errors' in one) || Object.isFrozen(one.errors))
      assert.equal(Object.getPrototypeOf(one), Object.prototype)
    }
  })

  test('do not change when what they were made of does', () => {
    const errors: Record<string, undefined> = { GONE: undefined }
    const { errors: kept } = call(Line, Line, { errors })
    errors.LATE = undefined
    assert.deepEqual(kept, { GONE: undefined })
  })

  /** As a caller without types. */
  const wrong: Record<string, [make: (...args: any[]) => unknown, args: unknown[], text: RegExp]> = {
    'no schema': [
      msg,
      [],
      /^msg\(schema\) takes a schema of a Standard Schema library .*bytes\(\) or nothing\(\)/,
    ],
    'a type in its place': [call, [String, Line], /^call\(input, …\) takes a schema/],
    'no output': [call, [Line], /^call\(…, output\) takes a schema/],
    'no item': [feed, [Line], /^feed\(…, item\) takes a schema/],
    'no outgoing': [channel, [Line], /^channel\(…, outgoing\) takes a schema/],
    'a second schema': [msg, [Line, Line], /^msg\(\) takes an object of options last/],
    'null for options': [msg, [Line, null], /^msg\(\) takes an object of options last/],
    'an option that is none': [
      msg,
      [Line, { prio: 'high' }],
      /^msg\(\) has no "prio"; it has priority, maxSize, version/,
    ],
    'a deadline of a message': [msg, [Line, { deadline: 1 }], /^msg\(\) has no "deadline"/],
    'a deadline of a feed': [feed, [Line, Line, { deadline: 1 }], /^feed\(\) has no "deadline"/],
    'errors of a message': [msg, [Line, { errors: {} }], /^msg\(\) has no "errors"/],
    'a priority misspelt': [msg, [Line, { priority: 'hihg' }], /as priority one of high, normal, low, bulk/],
    'a priority that all objects have': [msg, [Line, { priority: 'toString' }], /as priority one of/],
    'no whole deadline': [
      call,
      [Line, Line, { deadline: 0.5 }],
      /a whole number of milliseconds from 1 to 4294967295/,
    ],
    'a deadline of zero': [call, [Line, Line, { deadline: 0 }], /a whole number of milliseconds/],
    'a deadline past u32': [call, [Line, Line, { deadline: 2 ** 32 }], /a whole number of milliseconds/],
    'an idempotence that is text': [
      call,
      [Line, Line, { idempotent: 'yes' }],
      /^call\(\{ idempotent \}\) is true/,
    ],
    'an idempotent message': [msg, [Line, { idempotent: true }], /^msg\(\) has no "idempotent"/],
    'a delivery of a call': [call, [Line, Line, { delivery: 'volatile' }], /^call\(\) has no "delivery"/],
    'a delivery misspelt': [
      msg,
      [Line, { delivery: 'latest' }],
      /as delivery 'reliable', 'volatile', latest\(key\)/,
    ],
    'latest itself as delivery': [msg, [Line, { delivery: latest }], /as delivery 'reliable'/],
    'no delivery at all': [msg, [Line, { delivery: null }], /as delivery 'reliable'/],
    'a ttl that was made by hand': [
      msg,
      [Line, { delivery: { kind: 'ttl', ms: 0 } }],
      /as delivery 'reliable'/,
    ],
    'a key that is no function': [latest, ['id'], /^latest\(key\) takes a function of the data/],
    'a ttl of zero': [ttl, [0], /^ttl\(ms\) takes a whole number of milliseconds from 1 to 4294967295/],
    'a ttl that is text': [ttl, ['1s'], /^ttl\(ms\) takes a whole number/],
    'a size that is text': [msg, [Line, { maxSize: '1k' }], /\{ maxSize \} takes a whole number of bytes/],
    'an empty version': [msg, [Line, { version: '' }], /as version a text or a number/],
    'a version that is no number': [msg, [Line, { version: NaN }], /as version a text or a number/],
    'errors as a list': [
      call,
      [Line, Line, { errors: ['GONE'] }],
      /declares the error "0": write it like NOT_FOUND/,
    ],
    'a code in small letters': [
      call,
      [Line, Line, { errors: { gone: undefined } }],
      /"gone": write it like NOT_FOUND/,
    ],
    'a code too long': [
      call,
      [Line, Line, { errors: { [`A${'B'.repeat(255)}`]: undefined } }],
      /255 characters/,
    ],
    'an error that is no schema': [
      call,
      [Line, Line, { errors: { GONE: 'gone' } }],
      /"GONE" what is no schema: undefined stands for/,
    ],
    'errors that are a schema': [call, [Line, Line, { errors: Line }], /takes as errors an object/],
    'errors of null': [call, [Line, Line, { errors: null }], /takes as errors an object/],
  }
  for (const [what, [make, args, text]] of Object.entries(wrong)) {
    test(`refuses ${what}`, () => {
      assert.throws(() => make(...args), { code: 'BAD_OPTION', message: text })
    })
  }

  test('declares no error with a code that socktools has', () => {
    for (const code of errorCodes) {
      assert.throws(() => feed(Line, Line, { errors: { [code]: undefined } }), {
        code: 'BAD_OPTION',
        message: /is one of socktools itself: rename yours/,
      })
    }
  })
})
