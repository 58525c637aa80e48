import { noCrashes } from '../../support/crashes.ts'
import { fuzz } from './fuzz.ts'

noCrashes()
fuzz(0, 500_000)
