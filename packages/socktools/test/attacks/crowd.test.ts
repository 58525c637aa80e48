import { test } from 'node:test'
import { GUARD } from '../support/tcp.ts'
import { crowd } from './crowd.ts'

// With so few, what a process takes once weighs more than they do.
test('300 connections live, and are back after a restart', GUARD, (t) =>
  crowd(t, { count: 300, alive: 0, each: 140 * 1024 }),
)

test('100 over TLS live, and are back after a restart', GUARD, (t) =>
  crowd(t, { count: 100, alive: 0, each: 400 * 1024, secure: true }),
)
