import { test } from 'node:test'
import { noCrashes } from '../../support/crashes.ts'
import { drains } from './sigterm.ts'

noCrashes()
test('SIGTERM, 50 times: accepted and lost is nothing, and each ends within 5 s', (t) => drains(t, 50))
