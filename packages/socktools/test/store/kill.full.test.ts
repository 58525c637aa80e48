import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { kills } from './kill.ts'

describe('kill -9', () => {
  test('of a process that appends, 200 times', async (t) => {
    const told = await kills(t, 200, 2)
    assert.ok(told > 5000)
    t.diagnostic(`${told} messages told`)
  })
})
