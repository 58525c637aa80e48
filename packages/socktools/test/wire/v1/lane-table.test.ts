/** Lanes by number: as a Map would have it, however many share a slot. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LaneTable } from '../../../src/wire/v1/lane-table.ts'

/** Three lanes that share a slot, those beside them, and the highest there is. */
const LANES = [4, 5, 6, 4 + 512, 5 + 512, 4 + 1024, 510, 511, 512, 2 ** 32 - 1]

interface Opened {
  readonly at: number
}

function alike(table: LaneTable<Opened>, map: Map<number, Opened>): void {
  for (const lane of LANES)
    assert.deepEqual([lane, table.has(lane), table.get(lane)], [lane, map.has(lane), map.get(lane)])
  assert.equal(table.size, map.size)
  const sorted = (values: Iterable<Opened>): number[] => [...values].map(({ at }) => at).sort((a, b) => a - b)
  assert.deepEqual(sorted(table.values()), sorted(map.values()))
}

test('is what a Map is', () => {
  const step = fc.record({ lane: fc.constantFrom(...LANES), what: fc.constantFrom('add', 'delete', 'clear') })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const table = new LaneTable<Opened>()
      const map = new Map<number, Opened>()
      alike(table, map)
      steps.forEach(({ lane, what }, at) => {
        // Most are opened, and few are all closed at once.
        if (what === 'clear' && at % 5 === 0) {
          table.clear()
          map.clear()
        } else if (what === 'delete') assert.equal(table.delete(lane), map.delete(lane))
        else if (!map.has(lane)) {
          const opened = { at }
          table.add(lane, opened)
          map.set(lane, opened)
        }
        alike(table, map)
      })
    }),
  )
})

test('as many as there are slots are open beside each other', () => {
  const table = new LaneTable<Opened>()
  const map = new Map<number, Opened>()
  for (let i = 0; i < 600; i++) {
    const lane = 2 * i + 1
    const opened = { at: i }
    table.add(lane, opened)
    map.set(lane, opened)
  }
  for (const [lane, opened] of map) assert.deepEqual([table.has(lane), table.get(lane)], [true, opened])
  for (const lane of map.keys()) assert.equal(table.delete(lane), true)
  assert.deepEqual([table.size, table.values()], [0, []])
})
