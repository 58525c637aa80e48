/** The codec of custom-codec.ts: what holds of every codec, its bytes, and two socks that use it. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { codeOf, hex, toHex } from '../packages/socktools/test/wire/bytes.ts'
import { codecSuite } from '../packages/socktools/test/wire/codec-suite.ts'
import { type State, gameState } from './custom-codec.ts'

const uint = (bits: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: 2 ** bits - 1 })
const plain = { noNullPrototype: true }
const players = fc.array(fc.record({ id: uint(16), x: fc.float(), y: fc.float() }, plain))
const states: fc.Arbitrary<State> = fc.record({ tick: uint(32), players }, plain)

codecSuite('gameState()', gameState(), states, { types: uint(8) })

describe('gameState', () => {
  const two = { tick: 42, players: [{ id: 7, x: 1.5, y: -2.25 }] }
  const bytes = '01 0000002a | 0007 3fc00000 c0100000'

  test('is laid out as it says', () => {
    assert.equal(toHex(gameState().encode(1, two)), toHex(hex(bytes)))
    assert.deepEqual(gameState().decode(hex(bytes)), { type: 1, data: two })
  })

  test('reads what lies within something larger', () => {
    const within = hex(`ffff | ${bytes} | ffff`)
    assert.deepEqual(gameState().decode(within.subarray(2, -2)), { type: 1, data: two })
  })

  test('refuses what would not come out as it went in', () => {
    const bad: [type: number | string, state: unknown][] = [
      ['moved', two],
      [256, two],
      [1, { ...two, tick: -1 }],
      [1, { ...two, tick: 2 ** 32 }],
      [1, { tick: 1 }],
      [1, { tick: 1, players: [null] }],
      [1, { tick: 1, players: [{ id: 65_536, x: 0, y: 0 }] }],
      [1, { tick: 1, players: [{ id: 1, x: '0', y: 0 }] }],
    ]
    for (const [type, state] of bad)
      assert.equal(
        codeOf(() => gameState().encode(type, state as State)),
        'CANNOT_ENCODE',
        JSON.stringify([type, state]),
      )
    for (const cut of ['', '01000000', `${bytes}00`])
      assert.equal(
        codeOf(() => gameState().decode(hex(cut))),
        'BAD_MESSAGE',
      )
  })

  test('runs as it says', async () => {
    const script = fileURLToPath(new URL('custom-codec.ts', import.meta.url))
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script])
    assert.equal(stdout, 'tick 42, 29 bytes: 7 at 1.5, -2.25; 8 at 0, 0.5\n')
  })
})
