import { test } from 'node:test'
import { crowd } from './crowd.ts'

test('10,000 connections live for three minutes, and are back after a restart', { timeout: 900_000 }, (t) =>
  crowd(t, 10_000, 180_000),
)
