import { noCrashes } from '../support/crashes.ts'
import { fuzz } from './fuzz-tls.ts'
import { fuzzWay } from './fuzz-way.ts'

noCrashes()
// Behind those of fuzz-tls.test.ts.
fuzz('tls-accept', 1_000_000, 25_000)
fuzz('tls-dial', 1_000_000, 15_000)
fuzzWay(1_000_000, 6_000)
