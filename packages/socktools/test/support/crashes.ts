import assert from 'node:assert/strict'
import { after } from 'node:test'

/** Fails the file if anything reaches the process that would have ended it. */
export function noCrashes(): void {
  const crashes: unknown[] = []
  const onCrash = (thrown: unknown): number => crashes.push(thrown)
  process.on('unhandledRejection', onCrash)
  process.on('uncaughtException', onCrash)
  after(() => {
    assert.deepEqual(crashes, [], 'nothing reached the process')
  })
}
