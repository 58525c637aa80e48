import { test } from 'node:test'
import { GUARD } from '../support/tcp.ts'
import { memory } from './memory.ts'

test('peers that use every allowance take what docs/limits.md says, and no more', GUARD, (t) => memory(t, 8))
