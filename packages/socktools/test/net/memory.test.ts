import { memory } from '../../src/net/memory.ts'
import { nodePlatform } from '../../src/platform/node.ts'
import { transportSuite } from './transport-suite.ts'

transportSuite('memory', () => ({
  transport: memory(nodePlatform),
  free: () => 'memory:here',
  run: (scenario) => scenario(),
}))
