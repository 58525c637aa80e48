import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sim } from './sim/run.ts'

test('socks on wire v1, simulated: 10,000 seeds', async () => {
  const { code, stdout } = await sim('--seeds', '10000', '--from', '100001')
  assert.match(stdout, /\n10000 seeds, 0 failures\n$/)
  assert.equal(code, 0, stdout)
})
