/** Lanes by number: as a Map would have it, however many share a slot. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LaneTable } from '../../../src/wire/v1/lane-table.ts'

/** Three lanes that share a slot, those beside them, and the highest there is. */
const LANES = [4, 5, 6, 4 + 512, 5 + 512, 4 + 1024, 510, 511, 512, 2 ** 32 - 1]

function alike(table: LaneTable<number>, map: Map<number, number>): void {
  for (const lane of LANES)
    assert.deepEqual([lane, table.has(lane), table.get(lane)], [lane, map.has(lane), map.get(lane)])
  assert.equal(table.size, map.size)
  const sorted = (values: Iterable<number>): number[] => [...values].sort((a, b) => a - b)
  assert.deepEqual(sorted(table.values()), sorted(map.values()))
}

test('is what a Map is', () => {
  const step = fc.record({ lane: fc.constantFrom(...LANES), what: fc.constantFrom('add', 'delete', 'clear') })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const table = new LaneTable<number>()
      const map = new Map<number, number>()
      steps.forEach(({ lane, what }, i) => {
        // Most are opened, and few are all closed at once.
        if (what === 'clear' && i % 5 === 0) {
          table.clear()
          map.clear()
        } else if (what === 'delete') assert.equal(table.delete(lane), map.delete(lane))
        else if (!map.has(lane)) {
          table.add(lane, i)
          map.set(lane, i)
        }
        alike(table, map)
      })
    }),
  )
})

test('as many as there are slots are open beside each other', () => {
  const table = new LaneTable<number>()
  const map = new Map<number, number>()
  for (let i = 0; i < 600; i++) {
    const lane = 2 * i + 1
    table.add(lane, i)
    map.set(lane, i)
  }
  for (const [lane, i] of map) assert.deepEqual([table.has(lane), table.get(lane)], [true, i])
  for (const lane of map.keys()) assert.equal(table.delete(lane), true)
  assert.deepEqual([table.size, table.values()], [0, []])
})
