import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { kills } from './kill.ts'

describe('kill -9', () => {
  test('of a process that appends takes nothing that it was told, 20 times', async (t) => {
    assert.ok((await kills(t, 20, 1)) > 500)
  })
})
