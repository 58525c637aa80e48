import { test } from 'node:test'
import { noCrashes } from '../../support/crashes.ts'
import { GUARD } from '../../support/tcp.ts'
import { drains } from './sigterm.ts'

noCrashes()
test('SIGTERM, at 5,000 messages a second each way: all that was accepted arrives', GUARD, (t) =>
  drains(t, 2),
)
