import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explore } from './explore.ts'
import { twoSides } from './two-sides.ts'

test('a session, in every state: 3 messages each way, 2 drops, 1 crash of each side, 1 zombie pipe', (t) => {
  const bounds = { messages: 3, drops: 2, zombies: 1, crashes: 1, expiries: 0 }
  const { states, transitions, done, depth, taken } = explore(twoSides(bounds))
  t.diagnostic(`${states} states, ${transitions} transitions, ${done} ends, ${depth} steps deep`)
  assert.ok(states > 1_000_000, `only ${states}`)
  for (const name of ['dialer crashes', 'acceptor crashes', 'acceptor reads HELLO of pipe 3'])
    assert.ok((taken.get(name) ?? 0) > 0, name)
})
