import { fuzz } from './fuzz.ts'

// Behind those of fuzz.test.ts.
fuzz('header', 1_000_000, 2_000_000)
fuzz('bodies', 1_000_000, 2_000_000)
fuzz('hello', 1_000_000, 600_000)
fuzz('welcome', 1_000_000, 600_000)
