import { leaks } from './leaks.ts'

leaks(0.1)
