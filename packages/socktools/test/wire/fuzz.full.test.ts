import { fuzz } from './fuzz.ts'

// Behind those of fuzz.test.ts.
fuzz('framing', 1_000_000, 6_000_000)
fuzz('stop', 1_000_000, 2_000_000)
fuzz('json', 1_000_000, 2_000_000)
