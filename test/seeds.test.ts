import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { describe, test } from 'node:test'
import { runSeeds } from '../scripts/seeds.mjs'

interface Result {
  readonly seed: number
  readonly square?: number
  readonly dead?: string
}

const file = resolve(import.meta.dirname, 'support/seeds-worker.mjs')
/** Above what a process that goes on may be silent on a busy machine. */
const stuck = 4000

describe('many seeds over worker processes', () => {
  test('one that hangs and one that takes its process with it are failures; the others are run all the same', async () => {
    const results: Result[] = []
    const onResult = (result: Result): void => void results.push(result)
    const done = await runSeeds({
      ...{ file, from: 1, seeds: 10, workers: 2, stuck, onResult },
      argv: [`${stuck}`],
    })
    assert.equal(done, 10)
    const bySeed = results.sort((a, b) => a.seed - b.seed)
    assert.deepEqual(
      bySeed.map(({ seed }) => seed),
      Array.from({ length: 10 }, (_, i) => i + 1),
    )
    for (const { seed, square, dead } of bySeed) {
      if (seed === 3) assert.equal(dead, `does not end: nothing came of it for ${stuck} ms`)
      else if (seed === 6) assert.match(dead ?? '', /^ends its process \(7\)\nout of memory, say$/)
      else assert.equal(square, seed ** 2)
    }
  })

  test('it stops as soon as a result says so', async () => {
    const seen: number[] = []
    const onResult = ({ seed }: Result): boolean => seen.push(seed) < 2
    assert.equal(await runSeeds({ file, from: 10, seeds: 1000, workers: 1, stuck, onResult }), 2)
    assert.deepEqual(seen, [10, 11])
  })
})
