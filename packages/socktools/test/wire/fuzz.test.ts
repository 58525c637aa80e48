import { fuzz } from './fuzz.ts'

fuzz('framing', 0, 600_000)
fuzz('stop', 0, 200_000)
fuzz('json', 0, 200_000)
