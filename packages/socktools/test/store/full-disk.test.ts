import { test } from 'node:test'
import { fullDisk } from './full-disk.ts'

test('a real disk of 1 MiB: what does not fit is refused, and all else is there', (t) => fullDisk(t, 4))
