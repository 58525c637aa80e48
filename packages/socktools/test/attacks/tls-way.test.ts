import { onTheWay } from './tls-way.ts'

onTheWay({ step: 16, tail: 125 })
