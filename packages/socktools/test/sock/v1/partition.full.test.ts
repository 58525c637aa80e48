import { test } from 'node:test'
import { noCrashes } from '../../support/crashes.ts'
import { partitions } from './partition.ts'

noCrashes()
for (const busy of [false, true]) {
  for (const [how, count] of [
    ['link down', 50],
    ['one way, up', 25],
    ['one way, down', 25],
    ['SIGSTOP', 50],
  ] as const) {
    test(`${how}, ${busy ? 'busy' : 'idle'}, ${count} times`, (t) => partitions(t, how, busy, count, 7))
  }
}
