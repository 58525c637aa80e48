import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { kills } from './kill.ts'

describe('kill -9 of who posts and who handles', () => {
  test('takes nothing that was accepted, and does nothing twice, with a cursor in the transaction', async (t) => {
    const { accepted, again } = await kills(t, { send: 2, take: 2, both: 1 }, 'file', 1)
    assert.ok(accepted > 50)
    assert.equal(again, 0)
  })

  test('with a cursor behind it, what is done twice says so', async (t) => {
    const { accepted } = await kills(t, { take: 3 }, 'store', 2)
    assert.ok(accepted > 50)
  })
})
