import { fuzz } from './fuzz.ts'

fuzz('header', 0, 200_000)
fuzz('bodies', 0, 200_000)
fuzz('hello', 0, 60_000)
fuzz('welcome', 0, 60_000)
