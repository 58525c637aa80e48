import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { kills } from './kill.ts'

describe('kill -9 of who posts and who handles', () => {
  test('200 times who posts, 200 times who handles, 100 times both', async (t) => {
    const { accepted, again } = await kills(t, { send: 200, take: 200, both: 100 }, 'file', 11)
    assert.equal(again, 0)
    assert.ok(accepted > 10_000)
    t.diagnostic(`${accepted} messages`)
  })

  test('200 times who handles, with the cursor behind its work', async (t) => {
    const { accepted, again } = await kills(t, { take: 200 }, 'store', 12)
    assert.ok(accepted > 5000)
    t.diagnostic(`${accepted} messages, ${again} handled again and marked so`)
  })
})
