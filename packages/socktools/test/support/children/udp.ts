/** Exchanges a message over UDP, drains, and has nothing left that keeps it running. */
import { UdpSock } from '../../../src/index.ts'
import { say } from './say.ts'

const server = await UdpSock.open({
  bind: 'udp://127.0.0.1:0',
  handlers: { 0: (bytes, { peer }) => peer.sendMsg(0, bytes) },
})
const client = await UdpSock.open({ connect: server.address ?? '' })
const answers = client.messages(0)
await client.sendMsg(0, 'hello')
const { value } = await answers.next()
say({
  answer: String(Buffer.from(value?.[0] ?? [])),
  lost: [await client.drain(), await server.drain()],
})
