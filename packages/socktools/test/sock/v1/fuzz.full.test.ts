import { noCrashes } from '../../support/crashes.ts'
import { fuzz } from './fuzz.ts'

noCrashes()
// Behind those of fuzz.test.ts.
fuzz(1_000_000, 5_000_000)
