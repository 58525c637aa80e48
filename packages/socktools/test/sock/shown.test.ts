/** What console.log shows of socks and peers. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { bytes, msg, TcpSock } from '../../src/index.ts'

test('console.log shows what is public of a sock and its peers, not their insides', async () => {
  const protocol = { say: msg(bytes()) }
  const server = await TcpSock.open({ bind: 'tcp://127.0.0.1:0', protocol })
  const client = await TcpSock.open({ protocol })
  const peer = await client.connectTo(server.address ?? '')
  const { id, address } = peer
  const shown = { id, address, dialed: true, wire: 'v1', state: 'open' }
  assert.equal(inspect(peer), `V1Peer ${inspect(shown)}`)
  assert.equal(inspect(client), `TcpSock ${inspect({ address: undefined, peers: 1, pending: 0 })}`)
  assert.equal(inspect({ peer: [peer] }).includes('outbox'), false)
  await client.close()
  await server.close()
})
