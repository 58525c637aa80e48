import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type } from 'arktype'
import fc from 'fast-check'
import * as v from 'valibot'
import { z } from 'zod'
import { type Verdict, compat } from '../../src/contract/compat.ts'
import { call, channel, feed, msg } from '../../src/contract/declare.ts'
import type { Protocol } from '../../src/contract/protocol.ts'
import { type Schema, bytes, nothing } from '../../src/schema.ts'
import { type Ast, pairs, sample, zodOf } from './schemas.ts'

/** The verdict on a message whose schema changed, and what there is to say of it. */
function change(before: Schema, after: Schema): { verdict: Verdict; what: string[] } {
  const { verdict, findings } = compat({ t: msg(before) }, { t: msg(after) })
  return { verdict, what: findings.map(({ what }) => what) }
}

const o = z.object

const Tree = o({
  name: z.string(),
  get kids() {
    return z.array(Tree)
  },
})
const TaggedTree = o({
  name: z.string(),
  tag: z.string().optional(),
  get kids() {
    return z.array(TaggedTree)
  },
})
const NumberTree = o({
  name: z.number(),
  get kids() {
    return z.array(NumberTree)
  },
})
const join = o({ kind: z.literal('join'), room: z.string() })
const part = o({ kind: z.literal('part') })
const kick = o({ kind: z.literal('kick'), whom: z.string() })

const UNTOLD = 'input: its schema does not tell its structure: give the declaration a version'

/** From, to, and what is found. Nothing found is ok. */
const changes: Record<string, [before: Schema, after: Schema, verdict: Verdict, what?: string[]]> = {
  // Objects.
  'an optional property added': [o({ a: z.string() }), o({ a: z.string(), b: z.int().optional() }), 'ok'],
  'a property with a default added': [
    o({ a: z.string() }),
    o({ a: z.string(), b: z.int().default(1) }),
    'ok',
  ],
  'an optional property removed': [o({ a: z.string(), b: z.int().optional() }), o({ a: z.string() }), 'ok'],
  'an optional property added to a strict object': [
    z.strictObject({ a: z.string() }),
    z.strictObject({ a: z.string(), b: z.int().optional() }),
    'breaking',
    ['input.b: new peers may send it, old peers refuse it'],
  ],
  'a required property added': [
    o({}),
    o({ a: z.string() }),
    'breaking',
    ['input.a: new peers need it, old peers may leave it out'],
  ],
  'a required property removed': [
    o({ a: z.string() }),
    o({}),
    'breaking',
    ['input.a: old peers need it, new peers may leave it out'],
  ],
  'a property made optional': [
    o({ a: z.string() }),
    o({ a: z.string().optional() }),
    'breaking',
    ['input.a: old peers need it, new peers may leave it out'],
  ],
  'a property renamed': [o({ a: z.string() }), o({ b: z.string() }), 'breaking'],
  'a property whose type changed, deep within': [
    o({ rows: z.array(o({ 'the id': z.string() })) }),
    o({ rows: z.array(o({ 'the id': z.number() })) }),
    'breaking',
    [
      'input.rows[]["the id"]: old peers may send a string, new peers take a number',
      'input.rows[]["the id"]: new peers may send a number, old peers take a string',
    ],
  ],
  'a loose object that names one more': [
    z.looseObject({}),
    z.looseObject({ a: z.string().optional() }),
    'unknown',
    ['input.a: old peers may send anything, new peers take a string'],
  ],
  'another type of values': [z.record(z.string(), z.string()), z.record(z.string(), z.int()), 'breaking'],
  'fewer keys': [
    z.partialRecord(z.enum(['a', 'b']), z.int()),
    z.partialRecord(z.enum(['a']), z.int()),
    'breaking',
  ],
  // Values.
  'an enum widened': [
    z.enum(['a', 'b']),
    z.enum(['b', 'c', 'a']),
    'breaking',
    ['input: new peers may send "c", old peers take "a" or "b"'],
  ],
  'an enum narrowed': [
    z.enum(['a', 'b']),
    z.enum(['a']),
    'breaking',
    ['input: old peers may send "b", new peers take "a"'],
  ],
  'an enum in another order': [z.enum(['a', 'b']), z.enum(['b', 'a']), 'ok'],
  'an enum opened to any text': [
    z.enum(['a', 'b']),
    z.string(),
    'breaking',
    ['input: new peers may send a string, old peers take "a" or "b"'],
  ],
  'a boolean as two literals': [z.boolean(), z.union([z.literal(true), z.literal(false)]), 'ok'],
  'null allowed': [
    z.string(),
    z.string().nullable(),
    'breaking',
    ['input: new peers may send null, old peers take a string'],
  ],
  'numbers made whole': [z.number(), z.int(), 'breaking'],
  'a least length': [
    z.string(),
    z.string().min(3),
    'breaking',
    ['input: old peers may send texts of lengths from 0, new peers take from 3'],
  ],
  'a greatest number': [
    z.number().max(9),
    z.number().lt(9),
    'breaking',
    ['input: old peers may send numbers up to 9, new peers take up to 9 (without)'],
  ],
  'the same bound of whole numbers': [z.int().min(1), z.int().gt(0), 'ok'],
  'steps made finer': [z.int().multipleOf(4), z.int().multipleOf(2), 'breaking'],
  'a format': [z.string(), z.email(), 'breaking'],
  'another pattern': [z.string().regex(/a/), z.string().regex(/b/), 'unknown'],
  'values out of a range': [z.literal([1, 5]), z.int().min(1).max(4), 'breaking'],
  'any data narrowed': [z.unknown(), z.string(), 'breaking'],
  // Lists.
  'an item more': [z.tuple([z.string()]), z.tuple([z.string(), z.int()]), 'breaking'],
  'items that may be missing': [z.tuple([z.string()]), z.tuple([z.string(), z.int().optional()]), 'breaking'],
  'a tuple as a list': [z.tuple([z.string(), z.string()]), z.array(z.string()).length(2), 'ok'],
  'a longer list': [z.array(z.int()).max(3), z.array(z.int()).max(4), 'breaking'],
  // Unions.
  'a member added': [
    z.discriminatedUnion('kind', [join, part]),
    z.discriminatedUnion('kind', [join, part, kick]),
    'breaking',
    ['input: new peers may send an object of kind: "kick", old peers take one of several forms'],
  ],
  'members in another order': [z.union([join, part]), z.union([part, join]), 'ok'],
  'a member that changed': [
    z.discriminatedUnion('kind', [part, join]),
    z.discriminatedUnion('kind', [part, join.extend({ room: z.number() })]),
    'breaking',
    [
      'input.room: old peers may send a string, new peers take a number',
      'input.room: new peers may send a number, old peers take a string',
    ],
  ],
  'a member that gained an optional property': [
    z.discriminatedUnion('kind', [part, join]),
    z.discriminatedUnion('kind', [part, join.extend({ as: z.string().optional() })]),
    'ok',
  ],
  'members that types tell apart': [
    z.union([o({ a: z.int() }), o({ a: z.string() })]),
    z.union([o({ a: z.int() }), o({ a: z.boolean() })]),
    'breaking',
  ],
  'members that nothing tells apart': [
    z.union([o({ a: z.int().min(0) }), o({ a: z.int().min(5) })]),
    z.union([o({ a: z.int().min(1) }), o({ a: z.int().min(4) })]),
    'unknown',
  ],
  // Recursion.
  'a tree that gained an optional property': [Tree, TaggedTree, 'ok'],
  'a tree of something else': [Tree, NumberTree, 'breaking'],
  'a tree of another name': [
    type.module({ node: { v: 'string', 'next?': 'node' } }).node,
    type.module({ link: { v: 'string', 'next?': 'link' } }).link,
    'ok',
  ],
  // What JSON Schema does not tell.
  'data that may be missing': [
    z.string(),
    z.string().optional(),
    'breaking',
    ['input: new peers may send no data, old peers need some'],
  ],
  'data where there were none': [nothing(), z.string().optional(), 'breaking'],
  'bytes where there was text': [
    z.string(),
    bytes(),
    'breaking',
    [
      'input: old peers send data of a schema, new peers take bytes',
      'input: new peers send bytes, old peers take data of a schema',
    ],
  ],
  'bytes where nobody knows': [v.string(), bytes(), 'breaking'],
  'another library': [
    o({ a: z.string(), b: z.array(z.number()) }),
    type({ a: 'string', b: 'number[]' }),
    'ok',
  ],
  'a library that tells nothing': [v.string(), v.number(), 'unknown', [UNTOLD]],
  'the same schema of such a library': [v.string(), v.string(), 'unknown', [UNTOLD]],
  'a date': [z.date(), type('Date'), 'unknown', [UNTOLD]],
}

describe('compat of data', () => {
  for (const [name, [before, after, verdict, what]] of Object.entries(changes)) {
    test(`${name}: ${verdict}`, () => {
      const found = change(before, after)
      assert.equal(found.verdict, verdict, found.what.join('; '))
      if (what !== undefined) assert.deepEqual(found.what, what)
      assert.equal(found.what.length === 0, verdict === 'ok', 'what is not ok is told')
    })
  }

  test('both ways are looked at: the verdict is the same the other way round', () => {
    for (const [name, [before, after, verdict]] of Object.entries(changes)) {
      assert.equal(change(after, before).verdict, verdict, name)
    }
  })

  const asked = (schema: Schema, jsonSchema: object): Schema =>
    ({
      '~standard': {
        ...schema['~standard'],
        validate: () => ({ issues: [] }),
        jsonSchema: { input: () => jsonSchema },
      },
    }) as unknown as Schema
  const given = (jsonSchema: object): Schema => asked(z.string(), jsonSchema)

  const opaque: Record<string, [before: object, after: object]> = {
    'a word that is not known': [{ type: 'string' }, { type: 'string', contentEncoding: 'base64' }],
    not: [{ type: 'string' }, { type: 'string', not: { enum: ['a'] } }],
    allOf: [{ type: 'string' }, { allOf: [{ type: 'string' }, { minLength: 1 }] }],
    'anyOf beside more': [
      { type: 'string' },
      { type: 'string', anyOf: [{ minLength: 1 }, { pattern: 'a' }] },
    ],
    patternProperties: [
      { type: 'object' },
      { type: 'object', patternProperties: { '^a': { type: 'string' } } },
    ],
    'no type': [{ type: 'number' }, { minimum: 1 }],
    'a reference that leads nowhere': [{ type: 'string' }, { $ref: '#/properties/a' }],
    'references in a circle': [
      { type: 'string' },
      { $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/a' } } },
    ],
    'exactly one of two that both fit': [
      {
        anyOf: [
          { type: 'number', minimum: 0 },
          { type: 'number', minimum: 1 },
        ],
      },
      {
        oneOf: [
          { type: 'number', minimum: 0 },
          { type: 'number', minimum: 1 },
        ],
      },
    ],
  }
  for (const [name, [before, after]] of Object.entries(opaque)) {
    test(`what cannot be judged is unknown: ${name}`, () => {
      assert.equal(change(given(before), given(after)).verdict, 'unknown')
      assert.equal(change(given(after), given(after)).verdict, 'ok', 'unless nothing changed')
    })
  }

  test('references of the same name that lead elsewhere are not the same', () => {
    const to = (a: object): Schema =>
      given({ type: 'array', items: { not: { $ref: '#/$defs/a' } }, $defs: { a } })
    assert.equal(change(to({ type: 'string' }), to({ type: 'number' })).verdict, 'unknown')
  })

  test('a schema too intricate is given up, not waited for', () => {
    const many = (extra: object): Schema =>
      z.union(Array.from({ length: 300 }, (_, i) => o({ [`p${i}`]: z.int().optional(), ...extra })))
    const [one, two] = [many({}), many({ more: z.string().optional() })]
    const { verdict, what } = change(one, two)
    assert.equal(verdict, 'unknown')
    assert.match(what[0] ?? '', /too intricate/)
  })
})

describe('compat of protocols', () => {
  const base = (): Protocol => ({
    say: msg(z.string()),
    ask: call(z.string(), z.int(), { errors: { FULL: o({ free: z.int() }) } }),
    follow: feed(nothing(), z.string()),
    talk: channel(bytes(), z.string()),
  })
  const against = (after: Protocol): [Verdict, string[]] => {
    const { verdict, findings } = compat(base(), after)
    return [verdict, findings.map((finding) => `${finding.type} ${finding.verdict}: ${finding.what}`)]
  }

  test('the same: ok, and nothing to say', () => {
    assert.deepEqual(against(base()), ['ok', []])
  })

  test('a type added is ok, one removed breaks, and both are told', () => {
    const { say, ...rest } = base()
    assert.deepEqual(against({ ...rest, shout: say! }), [
      'breaking',
      ['say breaking: removed: old peers still use it', 'shout ok: added: old peers do not have it'],
    ])
    assert.equal(against({ ...base(), shout: say! })[0], 'ok')
  })

  test('another kind breaks', () => {
    const told = ['ask breaking: it was a call and is a feed']
    assert.deepEqual(against({ ...base(), ask: feed(z.string(), z.int()) }), ['breaking', told])
  })

  test('answers, items and both ways of a channel count as well', () => {
    const table: [Protocol, RegExp][] = [
      [
        { ask: call(z.string(), z.string(), { errors: { FULL: o({ free: z.int() }) } }) },
        /^ask breaking: output: /,
      ],
      [{ follow: feed(nothing(), z.int()) }, /^follow breaking: output: /],
      [{ talk: channel(bytes(), bytes()) }, /^talk breaking: output: /],
      [{ talk: channel(z.string(), z.string()) }, /^talk breaking: input: /],
    ]
    for (const [changed, want] of table) {
      const [verdict, told] = against({ ...base(), ...changed })
      assert.equal(verdict, 'breaking')
      assert.match(told[0] ?? '', want)
    }
  })

  test('declared errors: other data break; more and fewer of them do not', () => {
    const ask = (errors: Record<string, Schema | undefined>): [Verdict, string[]] =>
      against({ ...base(), ask: call(z.string(), z.int(), { errors }) })
    assert.deepEqual(ask({ FULL: o({ free: z.string() }) })[0], 'breaking')
    assert.match(ask({ FULL: o({ free: z.string() }) })[1][0] ?? '', /^ask breaking: error FULL\.free: /)
    assert.deepEqual(ask({ FULL: undefined })[0], 'breaking')
    assert.deepEqual(ask({ FULL: o({ free: z.int() }), GONE: undefined }), [
      'ok',
      ['ask ok: error GONE added: to old peers it is a failure like any other, without its data'],
    ])
    assert.deepEqual(ask({})[0], 'ok')
  })

  test('versions stand for what schemas do not tell', () => {
    const say = (schema: Schema, version?: number): Protocol => ({
      say: msg(schema, version === undefined ? {} : { version }),
    })
    const table: [Protocol, Protocol, Verdict][] = [
      [say(v.string(), 1), say(v.string(), 1), 'ok'],
      [say(v.string(), 1), say(v.string(), 2), 'unknown'],
      [say(v.string()), say(v.string(), 1), 'unknown'],
      [say(v.string(), 1), say(z.string(), 1), 'ok'],
      // Where schemas tell, they count; a version that changed says that there is more.
      [say(z.string(), 1), say(z.int(), 1), 'breaking'],
      [say(z.string(), 1), say(z.string(), 2), 'unknown'],
      [say(z.string()), say(z.string(), 1), 'ok'],
    ]
    for (const [i, [before, after, verdict]] of table.entries()) {
      assert.equal(compat(before, after).verdict, verdict, String(i))
    }
  })

  test('another maxSize is unknown; priority and deadline are nobody else’s', () => {
    const after = { ...base(), say: msg(z.string(), { maxSize: 10 }) }
    assert.deepEqual(against(after)[0], 'unknown')
    const mine = { ...base(), say: msg(z.string(), { priority: 'high' }) }
    assert.deepEqual(against(mine), ['ok', []])
  })

  test('what is no protocol is BAD_OPTION', () => {
    assert.throws(() => compat({}, { say: z.string() } as never), { code: 'BAD_OPTION' })
  })
})

describe('compat of schemas of all sorts', () => {
  const verdictOn = (a: Ast, b: Ast): Verdict => change(zodOf(a), zodOf(b)).verdict

  test('nothing changed: ok', () => {
    fc.assert(
      fc.property(pairs(), ({ a }) => {
        assert.equal(verdictOn(a, a), 'ok')
      }),
      { numRuns: 300 },
    )
  })

  test('ok is never said where one side refuses what the other sends', () => {
    const seen = { ok: 0, breaking: 0, unknown: 0 }
    fc.assert(
      fc.property(pairs(), fc.nat(), ({ a, b }, seed) => {
        const verdict = verdictOn(a, b)
        if (JSON.stringify(a) !== JSON.stringify(b)) seen[verdict]++
        if (verdict !== 'ok') return
        for (const [from, to] of [
          [a, b],
          [b, a],
        ] as const) {
          const schema = zodOf(to)
          for (const data of fc.sample(sample(from), { numRuns: 20, seed })) {
            assert.ok(schema.safeParse(data).success, JSON.stringify({ from, to, data }))
          }
        }
      }),
      { numRuns: 1000 },
    )
    // Otherwise this showed nothing.
    assert.ok(seen.ok > 100 && seen.breaking > 100 && seen.unknown < 500, JSON.stringify(seen))
  })
})
