/** A session in every state that it can be in, at the bounds of every run. Those of the full run: model.full.test.ts. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { explore, Violation } from './explore.ts'
import { type Flaw, twoSides } from './two-sides.ts'

describe('a session, in every state', () => {
  test('2 messages each way, 1 drop, 1 zombie pipe', (t) => {
    const { states, transitions, done } = explore(
      twoSides({ messages: 2, drops: 1, zombies: 1, crashes: 0, expiries: 0 }),
    )
    t.diagnostic(`${states} states, ${transitions} transitions, ${done} states in which all is delivered`)
    assert.ok(states > 5000, `only ${states}`)
  })

  test('1 message each way, 2 drops: WELCOME is lost, too', (t) => {
    const { states, transitions } = explore(
      twoSides({ messages: 1, drops: 2, zombies: 1, crashes: 0, expiries: 0 }),
    )
    t.diagnostic(`${states} states, ${transitions} transitions`)
  })

  test('and with a crash of each side, and one that gives up too soon', (t) => {
    const { states, transitions, taken } = explore(
      twoSides({ messages: 1, drops: 1, zombies: 1, crashes: 1, expiries: 1 }),
    )
    t.diagnostic(`${states} states, ${transitions} transitions`)
    for (const name of ['acceptor crashes', 'dialer expires', 'dialer reads REJECTED of pipe 1'])
      assert.ok((taken.get(name) ?? 0) > 0, name)
  })
})

/** Each with what the shortest way to it ends in. */
const FLAWS: readonly (readonly [Flaw, RegExp])[] = [
  ['not fenced', /an ack of 0, and 1 was acked before/],
  ['told one too many', /the dialer is to go on from 1/],
  ['told one too few', /the dialer is to go on from 0/],
  ['new before replay', /seq 2 is written where 1 is due/],
  ['no repeat of WELCOME', /the session is lost: not-yours/],
]

describe('the check sees what is done wrong', () => {
  for (const [flaw, what] of FLAWS) {
    test(flaw, () => {
      const bounds = { messages: 2, drops: 2, zombies: 1, crashes: 0, expiries: 0 }
      assert.throws(
        () => explore(twoSides(bounds, flaw)),
        (thrown) => thrown instanceof Violation && what.test(thrown.message),
      )
    })
  }
})

describe('explore', () => {
  /** Counts up to 3, and may fall into a hole. */
  const counting = (hole: boolean) => ({
    start: 0,
    steps: (n: number) => [
      ...(n >= 0 && n < 3 ? [{ name: 'up', fair: true, take: () => n + 1 }] : []),
      ...(n === 1 && hole ? [{ name: 'fall', fair: false, take: () => -1 }] : []),
    ],
    key: String,
    check: (n: number) => assert.ok(n < 4),
    isDone: (n: number) => n === 3,
  })

  test('counts states', () => {
    const { states, transitions, done, depth } = explore(counting(false))
    assert.deepEqual({ states, transitions, done, depth }, { states: 4, transitions: 3, done: 1, depth: 3 })
  })

  test('tells the way to a state from which nothing leads to the end', () => {
    assert.throws(() => explore(counting(true)), {
      message: 'from here it never comes to an end\n  up\n  fall',
    })
  })
})
