import { test } from 'node:test'
import { GUARD } from '../support/tcp.ts'
import { fairness } from './fairness.ts'

test('one that floods and one that never reads leave ten quiet peers their turns', GUARD, (t) =>
  fairness(t, 40),
)
