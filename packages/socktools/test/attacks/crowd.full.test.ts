import { test } from 'node:test'
import { crowd } from './crowd.ts'

// The longest first: it is silent nearly all of the time, while the other files of the run go on beside it.
test('10,000 connections live for five minutes, and are back after a restart', { timeout: 1_020_000 }, (t) =>
  crowd(t, { count: 10_000, alive: 300_000, each: 40 * 1024 }),
)

test('2,000 over TLS live for a minute, and are back after a restart', { timeout: 300_000 }, (t) =>
  crowd(t, { count: 2_000, alive: 60_000, each: 200 * 1024, secure: true }),
)
