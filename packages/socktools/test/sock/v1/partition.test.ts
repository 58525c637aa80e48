import { test } from 'node:test'
import { noCrashes } from '../../support/crashes.ts'
import { GUARD } from '../../support/tcp.ts'
import { partitions } from './partition.ts'

noCrashes()
for (const how of ['link down', 'one way, up', 'one way, down', 'SIGSTOP'] as const) {
  test(`a connection that carries nothing (${how}): both sides know, it heals, and all arrives`, GUARD, (t) =>
    partitions(t, how, true, 2, 1),
  )
}
