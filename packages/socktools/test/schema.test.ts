import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type } from 'arktype'
import * as v from 'valibot'
import { z } from 'zod'
import { SockError } from '../src/errors.ts'
import { type Schema, bytes, isBytes, isNothing, isSchema, nothing, validate } from '../src/schema.ts'
import { raw } from '../src/wire/codec.ts'

/** What `validate` has to say of data that do not fit. */
function refusal(schema: Schema, data: unknown): string {
  try {
    validate(schema, data)
  } catch (thrown) {
    assert.ok(thrown instanceof SockError)
    assert.equal(thrown.code, 'BAD_MESSAGE')
    return thrown.what.replace('not what the schema takes: ', '')
  }
  return 'no refusal'
}

/** A schema by hand, as any library may have it. */
const custom = (answer: (value: unknown) => unknown, vendor = 'custom'): Schema =>
  ({ '~standard': { version: 1, vendor, validate: answer } }) as Schema

/** The same schema in three libraries, and a transform: text in, its length out. */
const libraries: Record<string, { room: Schema; length: Schema; later: Schema }> = {
  zod: {
    room: z.object({ room: z.object({ lines: z.array(z.string()) }), 'a b': z.number().optional() }),
    length: z.string().transform((text) => text.length),
    later: z.string().refine(async (text) => Promise.resolve(text !== 'secret')),
  },
  valibot: {
    room: v.object({ room: v.object({ lines: v.array(v.string()) }), 'a b': v.optional(v.number()) }),
    length: v.pipe(
      v.string(),
      v.transform((text) => text.length),
    ),
    later: v.pipeAsync(
      v.string(),
      v.checkAsync(async (text) => Promise.resolve(text !== 'secret')),
    ),
  },
  arktype: {
    room: type({ room: { lines: 'string[]' }, 'a b?': 'number' }),
    length: type('string').pipe((text) => text.length),
    later: custom(async (value) =>
      Promise.resolve(value === 'secret' ? { issues: [{ message: 'secret' }] } : { value }),
    ),
  },
}

for (const [name, { room, length, later }] of Object.entries(libraries)) {
  describe(`validate with ${name}`, () => {
    test('gives the output, at once where the schema answers at once', () => {
      assert.deepEqual(validate(room, { room: { lines: ['a'] } }), { room: { lines: ['a'] } })
      assert.equal(validate(length, 'four'), 4)
    })

    test('tells where, and what was expected', () => {
      const text = refusal(room, { room: { lines: ['a', 'b', 'c', 42] } })
      assert.match(text, /^room\.lines\[3\]: expected (a )?string$/)
      assert.match(refusal(room, { room: { lines: [] }, 'a b': 'x' }), /^\["a b"\]: expected (a )?number$/)
      assert.match(refusal(length, 42), /^the data: expected (a )?string$/)
    })

    test('a schema that needs time gives a promise, which rejects with the same code', async () => {
      assert.equal(await validate(later, 'fine'), 'fine')
      const bad = validate(later, 'secret')
      assert.ok(bad instanceof Promise)
      await assert.rejects(bad, { code: 'BAD_MESSAGE' })
    })
  })
}

describe('what validate tells', () => {
  const SECRET = 'hunter2'
  const secretive: Record<string, Schema> = {
    'zod enum': z.object({ a: z.enum(['x', 'y']) }),
    'zod literal': z.object({ a: z.literal('x') }),
    'zod union': z.object({ a: z.union([z.number(), z.boolean()]) }),
    'zod message': z.object({
      a: z.string().refine(() => false, { error: ({ input }) => `not ${String(input)}` }),
    }),
    'zod email': z.object({ a: z.email() }),
    'valibot picklist': v.object({ a: v.picklist(['x', 'y']) }),
    'valibot literal': v.object({ a: v.literal('x') }),
    'valibot union': v.object({ a: v.union([v.number(), v.boolean()]) }),
    'valibot regex': v.object({ a: v.pipe(v.string(), v.regex(/^\d+$/)) }),
    'valibot check': v.object({
      a: v.pipe(
        v.string(),
        v.check(
          () => false,
          (issue) => `not ${issue.input}`,
        ),
      ),
    }),
    'arktype union': type({ a: "'x'|'y'" }),
    'arktype union of kinds': type({ a: 'number|boolean' }),
    'arktype unit': type({ a: "'x'" }),
    'arktype email': type({ a: 'string.email' }),
    'arktype many': type({ a: type('string<3').and('string.email') }),
    'of another library': custom((value) => ({
      issues: [{ message: JSON.stringify(value), expected: JSON.stringify(value), path: ['a'] }],
    })),
  }
  for (const [name, schema] of Object.entries(secretive)) {
    test(`never shows the data: ${name}`, () => {
      const text = refusal(schema, { a: SECRET })
      assert.match(text, /^a: \S/)
      assert.doesNotMatch(text, new RegExp(SECRET))
    })
  }

  test('no more than three issues, and how many there are', () => {
    const shape = Object.fromEntries(Array.from('abcdef', (name) => [name, z.string()]))
    assert.equal(
      refusal(z.object(shape), {}),
      'a: expected string; b: expected string; c: expected string; and 3 more',
    )
  })

  test('is short and harmless, whatever the keys are', () => {
    const text = refusal(z.record(z.string(), z.number()), { ['\x1b[2J\u202e'.repeat(1000)]: 'x' })
    assert.ok(text.length < 400, String(text.length))
    assert.doesNotMatch(text, /\p{Cc}|\p{Bidi_Control}/u)
    const deep = { issues: [{ message: '', path: new Array(100_000).fill('a') }] }
    assert.ok(
      refusal(
        custom(() => deep),
        0,
      ).length < 400,
    )
  })

  test('paths of all sorts', () => {
    const at = (...path: unknown[]): string =>
      refusal(
        custom(() => ({ issues: [{ message: '', path }] })),
        0,
      )
    const table: [path: unknown[], shown: string][] = [
      [[], 'the data'],
      [['a', 'b', 0, 'c'], 'a.b[0].c'],
      [[{ key: 'a' }, { key: 1 }], 'a[1]'],
      [['0', 'x.y', '__proto__'], '["0"]["x.y"].__proto__'],
      [[Symbol('secret')], '[…]'],
      [[{ key: new Map() }], '[…]'],
    ]
    for (const [path, shown] of table) assert.equal(at(...path), `${shown}: not as expected`)
  })

  test('a schema that fails itself is told apart, with its error as the cause', async () => {
    const boom = new Error('hunter2')
    const failing = custom(() => {
      throw boom
    })
    const rejecting = custom(async () => Promise.reject(boom))
    const want = { code: 'BAD_MESSAGE', what: 'the schema itself failed', cause: boom }
    assert.throws(() => validate(failing, 0), want)
    await assert.rejects(async () => validate(rejecting, 0), want)
  })

  test('a schema that answers nonsense fails, and nothing else breaks', () => {
    for (const answer of [undefined, null, 7, 'text', { issues: null }, { issues: 5 }, { issues: [null] }]) {
      assert.throws(
        () =>
          validate(
            custom(() => answer),
            0,
          ),
        { code: 'BAD_MESSAGE' },
        JSON.stringify(answer),
      )
    }
  })
})

describe('schemas of our own', () => {
  test('bytes() takes bytes, and hands them on as they are', () => {
    const data = Uint8Array.of(1, 2)
    assert.equal(validate(bytes(), data), data)
    assert.equal(refusal(bytes(), 'hunter2'), 'the data: expected bytes')
    assert.equal(isBytes(bytes()), true)
    for (const schema of [nothing(), z.string(), type('string'), v.string()])
      assert.equal(isBytes(schema), false)
  })

  test('nothing() takes undefined alone', () => {
    assert.equal(validate(nothing(), undefined), undefined)
    for (const data of [null, 0, '', {}]) assert.equal(refusal(nothing(), data), 'the data: expected no data')
    assert.deepEqual([isNothing(nothing()), isNothing(bytes())], [true, false])
  })

  test('raw() in the place of a schema is bytes()', () => {
    assert.ok(isSchema(raw()))
    assert.equal(isBytes(raw()), true)
    const data = Uint8Array.of(7)
    assert.equal(validate(raw(), data), data)
    assert.equal(refusal(raw(), 'text'), 'the data: expected bytes')
    assert.deepEqual(raw().decode(raw().encode(0, data)), { type: 0, data })
  })

  test('what is a schema', () => {
    for (const schema of [z.string(), v.string(), type('string'), bytes(), nothing(), raw()])
      assert.ok(isSchema(schema))
    const not = [
      null,
      undefined,
      'string',
      {},
      () => 0,
      { '~standard': 1 },
      { '~standard': { version: 2 } },
      String,
    ]
    for (const value of not) assert.equal(isSchema(value), false)
  })
})
