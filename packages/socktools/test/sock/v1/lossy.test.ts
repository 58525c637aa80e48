import { test } from 'node:test'
import { GUARD } from '../../support/tcp.ts'
import { crosses } from './lossy.ts'

test('a network of 10 Mbit/s that loses 5 % of its packets: all comes, once', GUARD, (t) =>
  crosses(t, 0.05, 10, 400_000),
)
