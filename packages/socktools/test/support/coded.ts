import assert from 'node:assert/strict'
import type { SockError } from '../../src/index.ts'

/** The code, and that the message tells what to do about it. */
export function coded(code: string, fix: RegExp): (error: unknown) => true {
  return (error) => {
    const { code: actual, message } = error as SockError
    assert.equal(actual, code)
    assert.match(message, fix)
    assert.ok(message.endsWith(`[${code}]`), message)
    return true
  }
}
