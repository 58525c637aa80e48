import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Drops } from '../../src/sock/drops.ts'
import { SimPlatform } from '../../src/testing/sim-platform.ts'

function given(): {
  drops: Drops<string>
  told: unknown[][]
  scheduled: () => number
  end: () => Promise<void>
} {
  const sim = new SimPlatform()
  const told: unknown[][] = []
  let scheduled = 0
  const soon = (fn: () => void): void => {
    scheduled++
    sim.defer(fn)
  }
  const drops = new Drops<string>(soon, (...loss) => told.push(loss))
  return { drops, told, scheduled: () => scheduled, end: () => sim.run(() => Promise.resolve()) }
}

describe('Drops', () => {
  test('a flood of losses in one turn is one event for each peer and reason', async () => {
    const { drops, told, scheduled, end } = given()
    for (let i = 0; i < 1000; i++) drops.add('a', 'slow', 1, 10)
    drops.add('b', 'slow', 2, 5)
    drops.add('a', 'gone', 3, 0)
    assert.deepEqual(told, [])
    await end()
    assert.deepEqual(told, [
      ['a', 'slow', 1000, 10_000],
      ['a', 'gone', 3, 0],
      ['b', 'slow', 2, 5],
    ])
    assert.equal(scheduled(), 1)
  })

  test('the next turn begins anew', async () => {
    const { drops, told, end } = given()
    drops.add('a', 'slow', 1, 10)
    await end()
    drops.add('a', 'slow', 1, 20)
    await end()
    assert.deepEqual(told, [
      ['a', 'slow', 1, 10],
      ['a', 'slow', 1, 20],
    ])
  })

  test('flush tells at once, and nothing is told twice', async () => {
    const { drops, told, end } = given()
    drops.add('a', 'closed', 1, 10)
    drops.flush()
    assert.deepEqual(told, [['a', 'closed', 1, 10]])
    await end()
    drops.flush()
    assert.equal(told.length, 1)
  })

  test('what is dropped by a listener of a drop comes in an event of its own', async () => {
    const sim = new SimPlatform()
    const told: number[] = []
    const drops: Drops<string> = new Drops(sim.defer, (_peer, _reason, messages) => {
      if (told.push(messages) < 3) drops.add('a', 'slow', messages + 1, 0)
    })
    drops.add('a', 'slow', 1, 0)
    await sim.run(() => Promise.resolve())
    assert.deepEqual(told, [1, 2, 3])
  })
})
