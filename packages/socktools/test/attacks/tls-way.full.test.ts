import { onTheWay } from './tls-way.ts'

onTheWay({ step: 1, tail: Infinity })
