/** What is found in data before it is written, to the last one that still fits. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  cannotSend,
  faultIn,
  isBytes,
  refusedOfClass,
  type Rules,
  stepOf,
} from '../../src/wire/plain-data.ts'

const rules = (more: Partial<Rules>): Rules => ({
  ...{ depth: 9, most: 99, tooMuch: 'more' },
  judge: () => 'inside',
  ...more,
})

class Point {
  x = 1
  y: unknown = 2
}

describe('how much there may be', () => {
  const counts: [data: unknown, n: number][] = [
    [[], 1],
    [{}, 1],
    [[1, 'x', null, undefined], 5],
    [{ a: 1, b: 'x', c: null }, 4],
    [{ a: undefined, b: 1, c: undefined }, 2],
    [[[], []], 5],
    [{ a: {}, b: [1] }, 6],
    [Object.assign(Object.create({ inherited: 1 }) as object, { a: 1 }), 2],
    [new Point(), 3],
    [{ toJSON: () => [1, 2] }, 3],
  ]
  for (const [data, n] of counts) {
    test(`${JSON.stringify(data)} counts ${n}`, () => {
      assert.equal(faultIn(data, rules({ most: n })), undefined)
      assert.deepEqual(faultIn(data, rules({ most: n - 1 })), { what: 'more', path: '' })
    })
  }

  test('what is neither an array nor an object counts nothing', () => {
    for (const data of [1, 'x', null, undefined, true])
      assert.equal(faultIn(data, rules({ most: 0 })), undefined)
  })
})

describe('how deep it may nest', () => {
  for (const [what, of] of [
    ['arrays', (inner: unknown) => [0, inner]],
    ['objects', (inner: unknown) => ({ a: inner })],
    ['classes', (inner: unknown) => Object.assign(new Point(), { y: inner })],
    ['what a toJSON says', (inner: unknown) => ({ toJSON: () => [inner] })],
  ] as const) {
    test(`${what} as deep as the rules have it, and no deeper`, () => {
      const three = of(of(of(1)))
      assert.equal(faultIn(three, rules({ depth: 3 })), undefined)
      assert.equal(faultIn(three, rules({ depth: 2 }))?.what, 'what nests deeper than 2, or in a circle,')
    })
  }
})

describe('where it stands', () => {
  const judge: Rules['judge'] = (value) =>
    typeof value === 'bigint'
      ? { what: 'a bigint', instead: 'none' }
      : value instanceof Date
        ? 'fine'
        : 'inside'
  const found: [data: unknown, fault: object | undefined][] = [
    [1n, { what: 'a bigint', instead: 'none', path: '' }],
    [[0, [1n]], { what: 'a bigint', instead: 'none', path: '[1][0]' }],
    [{ a: { 'b c': 1n } }, { what: 'a bigint', instead: 'none', path: '.a["b c"]' }],
    [Object.assign(new Point(), { y: [1n] }), { what: 'a bigint', instead: 'none', path: '.y[0]' }],
    [[() => 1], { what: 'a function', path: '[0]' }],
    [{ a: Symbol('s') }, { what: 'a symbol', path: '.a' }],
    [new Date(0), undefined],
    [{ toJSON: () => 1n }, { what: 'a bigint', instead: 'none', path: '' }],
    [{ toJSON: () => null }, undefined],
    // What it inherits is not sent.
    [Object.create({ a: 1n, b: Symbol('s') }, { c: { value: 1, enumerable: true } }), undefined],
  ]
  for (const [i, [data, fault]] of found.entries())
    test(`${i}: ${JSON.stringify(fault)}`, () => assert.deepEqual(faultIn(data, rules({ judge })), fault))

  test('names are steps as they would be written', () => {
    for (const [name, step] of [
      ['a', '.a'],
      ['$', '.$'],
      ['_1', '._1'],
      ['größe', '.größe'],
      ['a1b', '.a1b'],
      ['1a', '["1a"]'],
      ['', '[""]'],
      ['a-b', '["a-b"]'],
      ['a\n', '["a\\n"]'],
    ] as const)
      assert.equal(stepOf(name), step)
  })

  test('a path of 200 characters is shown, of a longer one the first 200', () => {
    const said = (n: number): string => cannotSend('c', { what: 'it', path: 'x'.repeat(n) })
    assert.equal(said(0), 'c() cannot send it')
    assert.equal(said(200), `c() cannot send it at data${'x'.repeat(200)}`)
    assert.equal(said(201), `c() cannot send it at data${'x'.repeat(200)}…`)
    assert.equal(
      cannotSend('c', { what: 'it', path: '.a', instead: 'no' }),
      'c() cannot send it at data.a: no',
    )
  })
})

describe('what is of a class', () => {
  test('is memory, or is not', () => {
    assert.deepEqual(
      [new ArrayBuffer(1), new DataView(new ArrayBuffer(1)), Buffer.alloc(1), [], {}, 'x', null].map(isBytes),
      [true, true, true, false, false, false, false],
    )
  })

  test('is refused if it is boxed, or hides what it holds', () => {
    const boxed = 'a boxed primitive'
    for (const [value, what] of [
      [new String('x'), boxed],
      [new Number(1), boxed],
      [new Boolean(true), boxed],
      [Object(1n), boxed],
      [new Map(), 'a Map'],
      [new Set(), 'a Set'],
      [new Error('x'), 'an Error'],
      [/x/, 'a RegExp'],
      [Promise.resolve(), 'a promise'],
      [new WeakMap(), 'an object of class WeakMap without properties of its own'],
      [Object.create(Object.create(null)), undefined],
      [Object.create({ constructor: 1 }), 'an object without properties of its own'],
      [new Point(), undefined],
    ] as [object, string | undefined][])
      assert.equal(refusedOfClass(value)?.what, what)
  })
})
