import os from 'node:os'
import { tcp } from '../../src/net/tcp.ts'
import { transportSuite } from './transport-suite.ts'

const ipv6 = Object.values(os.networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === '::1'),
)

for (const [host, skip] of [
  ['127.0.0.1', false],
  ['[::1]', !ipv6 && 'this machine has no ::1'],
] as const) {
  transportSuite(
    `tcp on ${host}`,
    () => ({ transport: tcp(), free: () => `tcp://${host}:0`, run: (scenario) => scenario() }),
    skip,
  )
}
