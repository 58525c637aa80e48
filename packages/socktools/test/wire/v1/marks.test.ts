/** The keys of the header slot that are the wire's own. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { marksOf, needOwnKeys, withMarks, withoutMarks } from '../../../src/wire/v1/marks.ts'
import { decodePrefix, encodePrefix, prefixFlags } from '../../../src/wire/v1/bodies.ts'
import { HEADER } from '../../../src/wire/v1/frame.ts'
import { codeOf } from '../bytes.ts'
import { SimPlatform } from '../../../src/testing/sim-platform.ts'
import { type Place, judge, LONGEST, MOST_PLACES, placesOf, withPlaces } from '../../../src/wire/v1/resent.ts'
import { casesOf, said } from './vectors.ts'

const STORE = '00112233445566778899aabbccddeeff'

test('marks come through the slot beside the headers of the application', () => {
  for (const done of ['processed', 'durable'] as const) {
    for (const id of [
      undefined,
      { store: STORE, n: 1, redelivered: false },
      { store: STORE, n: Number.MAX_SAFE_INTEGER, redelivered: true },
    ]) {
      const slot = withMarks({ trace: 'abc' }, { done, id })
      const payload = Buffer.concat([Buffer.alloc(HEADER), encodePrefix(undefined, slot), Buffer.from('x')])
      const { headers } = decodePrefix(payload, prefixFlags(undefined, slot))
      assert.ok(headers !== undefined)
      assert.deepEqual(marksOf(headers), { done, id })
      assert.deepEqual({ ...withoutMarks(headers) }, { trace: 'abc' })
    }
  }
})

test('a message without marks has none; other keys of the wire are kept from the application', () => {
  assert.equal(marksOf({ trace: 'abc' }), undefined)
  assert.equal(marksOf({ '-later': 'x' }), undefined)
  assert.deepEqual({ ...withoutMarks({ '-later': 'x', a: 'b' }) }, { a: 'b' })
})

test('what an application may call its headers', () => {
  assert.equal(
    codeOf(() => needOwnKeys(undefined)),
    undefined,
  )
  assert.equal(
    codeOf(() => needOwnKeys({ 'a-b': 'x' })),
    undefined,
  )
  assert.equal(
    codeOf(() => needOwnKeys({ '-a': 'x' })),
    'BAD_OPTION',
  )
})

for (const one of casesOf('marks')) {
  test(`${one.id}: ${one.what}`, () => {
    const headers = one['headers'] as Record<string, string>
    let got: unknown
    assert.equal(
      codeOf(() => (got = marksOf(headers))),
      one.error,
    )
    if (one.error === undefined) assert.deepEqual(said(got ?? null), one['means'])
    if (one.error === undefined && got !== undefined)
      assert.deepEqual(withMarks({ ...withoutMarks(headers) }, got as never), headers)
  })
}

for (const one of casesOf('resent')) {
  test(`${one.id}: ${one.what}`, () => {
    const headers = one['headers'] as Record<string, string>
    let got: readonly Place[] | undefined
    assert.equal(
      codeOf(() => (got = placesOf(headers))),
      one.error,
    )
    if (one.error !== undefined) return
    assert.deepEqual(got ?? null, one['means'])
    const { '-resent': _, ...others } = headers
    assert.deepEqual(withPlaces(others, got ?? []), headers)
  })
}

test('the longest mark fits the slot, beside headers of an application', () => {
  const slot = withPlaces({ trace: 'x'.repeat(7000) }, LONGEST)
  assert.equal(LONGEST.length, MOST_PLACES)
  assert.deepEqual(placesOf(slot ?? {}), LONGEST)
  assert.ok(encodePrefix(undefined, slot).length < 8192)
})

test('what is known of a message that was sent before', () => {
  const at = (...places: [session: string, seq: number][]): ReturnType<typeof judge> =>
    judge(
      places.map(([session, seq]) => ({ session, seq })),
      (session) => ({ a: 5, b: 0 })[session],
    )
  assert.equal(at(['a', 5]), 'taken')
  assert.equal(at(['a', 6]), 'new')
  assert.equal(at(['b', 1], ['a', 6]), 'new')
  assert.equal(at(['b', 1], ['a', 1]), 'taken')
  assert.equal(at(['c', 1]), 'unknown')
  assert.equal(at(['c', 1], ['a', 5]), 'taken')
  assert.equal(at(['a', 6], ['c', 1]), 'unknown')
})

test('any text under the keys of the wire is a mark, and the same one when written again, or a PROTOCOL_ERROR', () => {
  const { random } = new SimPlatform(1)
  const pick = <T>(...from: readonly T[]): T => from[Math.floor(from.length * random())] as T
  const part = (): string =>
    pick(STORE, STORE, STORE, STORE.slice(1), '', ' ', '/') +
    pick('/', '/', '/', ' ', '') +
    pick('1', '42', '9007199254740991', '0', '01', '9007199254740992', '', '-1', '1.5', '٣') +
    pick('', '', '', '/again', ' ', '\n')
  const seen = { resent: 0, id: 0, bad: 0 }
  for (let i = 0; i < 20_000; i++) {
    const text = Array.from({ length: 1 + Math.floor(10 * random() ** 3) }, part).join(
      pick(' ', ' ', '  ', ','),
    )
    let places: readonly Place[] | undefined
    const code = codeOf(() => (places = placesOf({ '-resent': text })))
    if (places === undefined) assert.equal(code, 'PROTOCOL_ERROR')
    else assert.deepEqual(withPlaces({}, places), { '-resent': text })
    let marks: ReturnType<typeof marksOf>
    const also = codeOf(() => (marks = marksOf({ '-done': 'durable', '-id': text })))
    if (marks === undefined) assert.equal(also, 'PROTOCOL_ERROR')
    else assert.deepEqual(withMarks({}, marks), { '-done': 'durable', '-id': text })
    if (places !== undefined) seen.resent++
    if (marks !== undefined) seen.id++
    if (code !== undefined && also !== undefined) seen.bad++
  }
  for (const [what, count] of Object.entries(seen)) assert.ok(count > 200, `${what}: ${count}`)
})
