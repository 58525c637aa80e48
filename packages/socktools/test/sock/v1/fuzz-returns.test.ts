import { noCrashes } from '../../support/crashes.ts'
import { fuzzReturns } from './fuzz-returns.ts'

noCrashes()
fuzzReturns(0, 1_000)
