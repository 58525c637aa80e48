import { test } from 'node:test'
import { GUARD } from '../support/tcp.ts'
import { crowd } from './crowd.ts'

// With so few, what a process takes once weighs more than they do.
test('300 connections live, and are back after a restart', GUARD, (t) => crowd(t, 300, 0, 100 * 1024))
