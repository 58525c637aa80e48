import { tcp } from '../../src/net/tcp.ts'
import { ipv6 } from '../support/ipv6.ts'
import { transportSuite } from './transport-suite.ts'

for (const [host, here] of [
  ['127.0.0.1', true],
  ['[::1]', ipv6],
] as const) {
  transportSuite(
    `tcp on ${host}`,
    () => ({ transport: tcp(), free: () => `tcp://${host}:0`, run: (scenario) => scenario() }),
    here ? undefined : host,
  )
}
