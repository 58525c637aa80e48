import { noCrashes } from '../../support/crashes.ts'
import { fuzzReturns } from './fuzz-returns.ts'

noCrashes()
fuzzReturns(1_000, 9_000)
