import { leaks } from './leaks.ts'

leaks(1)
