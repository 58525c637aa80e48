import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type } from 'arktype'
import fc from 'fast-check'
import * as v from 'valibot'
import { z } from 'zod'
import { canonicalSchema } from '../../src/contract/canonical.ts'
import { call, channel, feed, msg } from '../../src/contract/declare.ts'
import { fingerprint, fingerprintInput, structureHash } from '../../src/contract/fingerprint.ts'
import { type Protocol, compile } from '../../src/contract/protocol.ts'
import { nodePlatform } from '../../src/platform/node.ts'
import { type Schema, bytes, nothing } from '../../src/schema.ts'

const structureOf = (schema: Schema, options = {}): string | undefined =>
  compile({ t: msg(schema, options) }).types[0]?.structure

/** A schema whose JSON Schema is given. */
const giving = (
  input: () => unknown,
  validate: (value: unknown) => unknown = () => ({ issues: [] }),
): Schema =>
  ({ '~standard': { version: 1, vendor: 'custom', validate, jsonSchema: { input } } }) as unknown as Schema

describe('canonicalSchema', () => {
  test('keys are sorted, annotations are gone, const is enum', () => {
    const schema = {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: ['object'],
      title: 'T',
      properties: {
        title: { type: 'string', description: 'a property, no annotation', examples: ['x'], default: 'y' },
        b: { const: { z: 1, a: -0 } },
        a: { enum: ['z', 'a', 1] },
      },
      required: ['title', 'a'],
      additionalProperties: false,
    }
    assert.equal(
      canonicalSchema(schema),
      '{"additionalProperties":false,"properties":{"a":{"enum":["a","z",1]},"b":{"enum":[{"a":0,"z":1}]},' +
        '"title":{"type":"string"}},"required":["a","title"],"type":"object"}',
    )
  })

  test('the order of alternatives is none, that of items of a tuple is', () => {
    const [a, b] = [{ type: 'string' }, { type: 'number' }]
    for (const key of ['anyOf', 'oneOf', 'allOf', 'enum', 'required', 'type']) {
      assert.equal(canonicalSchema({ [key]: [a, b] }), canonicalSchema({ [key]: [b, a] }), key)
    }
    assert.notEqual(canonicalSchema({ prefixItems: [a, b] }), canonicalSchema({ prefixItems: [b, a] }))
  })

  test('definitions are named by where they are first used; those that are not used are gone', () => {
    const node = (name: string): object => ({
      $ref: `#/$defs/${name}`,
      $defs: {
        unused: { type: 'null' },
        [name]: {
          type: 'object',
          properties: { next: { $ref: `#/$defs/${name}` }, at: { $ref: '#/$defs/a~1b' } },
        },
        'a/b': { type: 'string' },
      },
    })
    const want =
      '{"$defs":{"0":{"properties":{"at":{"$ref":"#/$defs/1"},"next":{"$ref":"#/$defs/0"}},"type":"object"},' +
      '"1":{"type":"string"}},"$ref":"#/$defs/0"}'
    assert.equal(canonicalSchema(node('Node')), want)
    assert.equal(canonicalSchema(node('intersection267')), want)
  })

  test('is the same whatever the order of keys', () => {
    const shuffled = (value: unknown, order: () => number): unknown => {
      if (Array.isArray(value)) return value.map((item) => shuffled(item, order))
      if (typeof value !== 'object' || value === null) return value
      const entries = Object.entries(value).map(([key, item]) => ({ key, item, at: order() }))
      entries.sort((a, b) => a.at - b.at)
      // Not by assignment: `__proto__` is a key here.
      return Object.fromEntries(entries.map(({ key, item }) => [key, shuffled(item, order)]))
    }
    fc.assert(
      fc.property(schemas(), fc.infiniteStream(fc.nat()), (schema, order) => {
        const again = shuffled(schema, () => order.next().value ?? 0)
        assert.equal(canonicalSchema(again), canonicalSchema(schema))
        // What it says is JSON, and canonical itself.
        assert.equal(canonicalSchema(JSON.parse(canonicalSchema(schema))), canonicalSchema(schema))
      }),
    )
  })
})

function schemas(): fc.Arbitrary<unknown> {
  const name = fc.oneof(
    fc.string({ maxLength: 3 }),
    fc.constantFrom('title', '__proto__', '$ref', 'enum', 'properties'),
  )
  return fc.letrec((tie) => ({
    schema: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom({ type: 'string' }, { type: ['null', 'number'] }, true, {}),
      fc.record({ enum: fc.array(fc.jsonValue()), description: fc.string() }, { requiredKeys: ['enum'] }),
      fc.record({
        type: fc.constant('object'),
        properties: fc.dictionary(name, tie('schema')),
        required: fc.array(name),
        additionalProperties: tie('schema'),
      }),
      fc.record({ anyOf: fc.array(tie('schema'), { minLength: 1, maxLength: 3 }) }),
      fc.record({
        type: fc.constant('array'),
        prefixItems: fc.array(tie('schema'), { maxLength: 3 }),
        items: tie('schema'),
      }),
    ),
  })).schema
}

describe('structures', () => {
  test('are the same in zod and in arktype where the schemas are', () => {
    const table: [Schema, Schema][] = [
      [z.object({ a: z.string(), b: z.number().optional() }), type({ 'b?': 'number', a: 'string' })],
      [z.array(z.string()), type('string[]')],
      [z.strictObject({ a: z.string() }), type({ '+': 'reject', a: 'string' })],
    ]
    for (const [one, other] of table) assert.equal(structureOf(one), structureOf(other))
  })

  test('are of what is sent, not of what becomes of it', () => {
    assert.equal(structureOf(z.string().transform(Number)), structureOf(z.string()))
    assert.equal(
      structureOf(z.object({ a: z.int().default(1) })),
      structureOf(z.object({ a: z.int().optional() })),
    )
  })

  test('tell what JSON Schema does not: bytes, nothing, and that undefined may be sent', () => {
    const all = [bytes(), nothing(), z.string(), z.string().optional()].map((schema) => structureOf(schema))
    assert.equal(new Set(all).size, 4)
    assert.ok(all.every((text) => text !== undefined))
  })

  test('are unknown where the library cannot tell, unless a version stands for them', () => {
    const without: Schema[] = [
      v.string(),
      z.date(),
      z.object({ at: z.date() }),
      z.bigint(),
      type('Date'),
      type({ at: 'Date' }),
      type('bigint'),
      type('string | undefined'),
      giving(() => {
        throw new Error('no')
      }),
      giving(() => 'text'),
      giving(() => ({ enum: [1n] })),
      giving(() => ({ anyOf: {} })),
    ]
    for (const schema of without) {
      assert.equal(structureOf(schema), undefined)
      const [one, two] = [structureOf(schema, { version: 1 }), structureOf(schema, { version: '1' })]
      assert.ok(one !== undefined && two !== undefined)
      assert.notEqual(one, two)
    }
    const circle: Record<string, unknown> = { type: 'array' }
    circle.items = circle
    assert.equal(structureOf(giving(() => circle)), undefined)
  })

  test('a schema that throws or needs time when asked for undefined does no harm', async () => {
    const string = (): unknown => ({ type: 'string' })
    const rejecting = giving(string, async () => Promise.reject(new Error('later')))
    assert.equal(structureOf(rejecting), structureOf(giving(string)))
    const throwing = giving(string, () => {
      throw new Error('now')
    })
    assert.equal(structureOf(throwing), structureOf(giving(string)))
    await new Promise((resolve) => setImmediate(resolve)) // an unhandled rejection would end the test here
  })
})

describe('fingerprint', () => {
  const of = (protocol: Protocol): string =>
    Buffer.from(fingerprint(compile(protocol), nodePlatform.hash)).toString('hex')
  const base = (): Protocol => ({
    say: msg(z.object({ a: z.string(), b: z.number() })),
    ask: call(z.string(), z.number(), { errors: { GONE: undefined } }),
    follow: feed(nothing(), z.string()),
    talk: channel(bytes(), z.string()),
  })

  test('is 16 bytes, of canonical text', () => {
    assert.equal(fingerprint(compile(base()), nodePlatform.hash).length, 16)
    assert.equal(
      fingerprintInput(compile({ b: msg(v.string()), a: call(nothing(), bytes()) })),
      '[["a","call","{\\"errors\\":{},\\"input\\":\\"nothing\\",\\"output\\":\\"bytes\\"}"],["b","msg",null]]',
    )
  })

  test('is the same for what means the same', () => {
    const { say, ...rest } = base()
    const moved = {
      ...rest,
      say: msg(z.object({ b: z.number().describe('b'), a: z.string() }), { priority: 'low' }),
    }
    assert.notEqual(say, undefined)
    assert.equal(of(moved), of(base()))
  })

  test('differs with every difference', () => {
    const all = [
      base(),
      { ...base(), more: msg(z.string()) },
      { ...base(), say: msg(z.object({ a: z.string() })) },
      { ...base(), say: msg(z.object({ a: z.string(), b: z.number().optional() })) },
      { ...base(), ask: call(z.string(), z.number()) },
      { ...base(), ask: call(z.string(), z.number(), { errors: { GONE: z.string() } }) },
      { ...base(), ask: feed(z.string(), z.number(), { errors: { GONE: undefined } }) },
      { ...base(), ask: call(z.number(), z.string(), { errors: { GONE: undefined } }) },
      { ...base(), talk: channel(z.string(), bytes()) },
      { ...base(), talk: channel(bytes(), z.string(), { version: 2 }) },
    ]
    assert.equal(new Set(all.map(of)).size, all.length)
  })

  test('of one structure: 8 bytes, zeros where it is unknown', () => {
    const { types } = compile({
      a: msg(v.string()),
      b: msg(z.string()),
      c: msg(z.string()),
      d: msg(z.number()),
    })
    const [a, b, c, d] = types.map((type) =>
      Buffer.from(structureHash(type, nodePlatform.hash)).toString('hex'),
    )
    assert.equal(a, '0000000000000000')
    assert.match(b ?? '', /^(?!0{16})[\da-f]{16}$/)
    assert.equal(b, c)
    assert.notEqual(b, d)
  })
})
