import { noCrashes } from '../support/crashes.ts'
import { fuzz } from './fuzz-tls.ts'
import { fuzzWay } from './fuzz-way.ts'

noCrashes()
fuzz('tls-accept', 0, 1_500)
fuzz('tls-dial', 0, 800)
fuzzWay(0, 400)
