import { test } from 'node:test'
import { fullDisk } from './full-disk.ts'

test('a real disk of 1 MiB, filled 200 times', (t) => fullDisk(t, 200))
