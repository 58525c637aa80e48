import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RESOLVED, Turn } from '../../src/sock/turn.ts'
import { SimPlatform } from '../../src/testing/sim-platform.ts'
import { over } from './over.ts'

function given(): { turn: Turn; sim: SimPlatform; busy: (ms: number) => void; poll: () => Promise<void> } {
  const sim = new SimPlatform()
  let lost = 0
  return {
    sim,
    turn: new Turn(over(sim, { now: () => sim.now() + lost })),
    busy: (ms) => (lost += ms),
    poll: () => sim.run(() => new Promise<void>((resolve) => sim.afterPoll(resolve))),
  }
}

describe('Turn', () => {
  test('counts the milliseconds since it was first asked, anew in each turn', async () => {
    const { turn, busy, poll } = given()
    busy(50)
    assert.equal(turn.spent(), 0)
    busy(3)
    assert.equal(turn.spent(), 3)
    await poll()
    busy(50)
    assert.equal(turn.spent(), 0)
  })

  test('its number changes with every turn in which it was asked', async () => {
    const { turn, poll } = given()
    const first = turn.number
    turn.spent()
    turn.spent()
    assert.equal(turn.number, first)
    await poll()
    assert.equal(turn.number, first + 1)
    await poll()
    assert.equal(turn.number, first + 1, 'nobody asked, and nothing was scheduled')
  })

  test('sends resolve at once as long as writing takes less than a millisecond of a turn', async () => {
    const { turn, busy, poll } = given()
    turn.wrote()
    busy(1)
    turn.wrote()
    assert.equal(turn.pause, RESOLVED)
    await poll()
    assert.equal(turn.pause, RESOLVED)
  })

  test('beyond that they wait until the loop has had its turn: one promise for all', async () => {
    const { turn, busy, poll } = given()
    turn.wrote()
    busy(2)
    turn.wrote()
    const { pause } = turn
    assert.notEqual(pause, RESOLVED)
    turn.wrote()
    assert.equal(turn.pause, pause)
    const order: string[] = []
    void pause.then(() => order.push('paused'))
    await Promise.resolve()
    assert.deepEqual(order, [], 'not before the poll')
    await poll()
    assert.deepEqual(order, ['paused'])
    assert.equal(turn.pause, RESOLVED)
  })
})
