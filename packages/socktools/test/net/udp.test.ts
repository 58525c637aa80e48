import assert from 'node:assert/strict'
import os from 'node:os'
import { test } from 'node:test'
import { udp } from '../../src/net/udp.ts'
import { carried } from '../support/carried.ts'
import { noCrashes } from '../support/crashes.ts'
import { ipv6 } from '../support/ipv6.ts'
import { datagramSuite } from './datagram-suite.ts'

noCrashes()

const lo = Object.entries(os.networkInterfaces()).find(([, all]) =>
  all?.some(({ address }) => address === '127.0.0.1'),
)?.[0]

const places = [
  { host: '127.0.0.1', group: '239.1.2.3', on: '127.0.0.1', broadcast: '127.255.255.255' },
  { host: '::1', group: 'ff02::123', on: `::%${lo ?? 'lo'}`, broadcast: undefined },
]

for (const { host, group, on, broadcast } of places) {
  const type = host.includes(':') ? 'udp6' : 'udp4'
  const here = type === 'udp4' || ipv6
  const joins = here && (await carried(type, group, on))
  const broadcasts = broadcast !== undefined && (await carried(type, broadcast))
  datagramSuite(
    `over UDP on ${host}`,
    () => ({
      network: udp(),
      host,
      ...(broadcasts ? { broadcast } : {}),
      ...(joins ? { group: { host: group, on, echoes: true } } : {}),
      run: (scenario) => scenario(),
    }),
    here ? undefined : host,
  )
}

const at = (host: string, family: 4 | 6 = 4) => ({ address: `udp://${host}:0`, host, port: 0, family })

test('an address that is not this machine’s is LISTEN_FAILED', async () => {
  await assert.rejects(udp().open(at('203.0.113.1'), {}), { code: 'LISTEN_FAILED' })
})

test('an option that the system refuses is LISTEN_FAILED', async () => {
  await assert.rejects(udp().open(at('127.0.0.1'), { interface: '203.0.113.1' }), { code: 'LISTEN_FAILED' })
})

test('what cannot be joined is GROUP_FAILED', async () => {
  const socket = await udp().open(at('127.0.0.1'), {})
  assert.throws(() => socket.join('239.1.2.3', '203.0.113.1'), { code: 'GROUP_FAILED' })
  assert.throws(() => socket.join('127.0.0.1', '127.0.0.1'), { code: 'GROUP_FAILED' })
  await socket.close()
})

test('IPv6 is IPv6 alone: both families may have one port', {
  skip: !ipv6 && 'this machine has no ::1',
}, async () => {
  const six = await udp().open(at('::', 6), {})
  const port = Number(new URL(six.address).port)
  const four = await udp().open({ address: '', host: '0.0.0.0', port, family: 4 }, {})
  await six.close()
  await four.close()
})
