import { noCrashes } from '../support/crashes.ts'
import { fuzz } from './fuzz-inside.ts'

noCrashes()
// Behind those of fuzz-inside.test.ts.
fuzz(1_000_000, 6_000)
