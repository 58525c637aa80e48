import { noCrashes } from '../support/crashes.ts'
import { cutHello, fuzz } from './fuzz-inside.ts'

noCrashes()
cutHello()
fuzz(0, 400)
