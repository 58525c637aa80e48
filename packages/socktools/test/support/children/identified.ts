/* A server with an identity of its own, in a process of its own: tells its address, and then who asked what. */
import { z } from 'zod'
import { call, Identity, TcpSock } from '../../../src/index.ts'

const identity = await Identity.load(process.argv[2] ?? '', { create: true })
const sock = await TcpSock.open({
  identity,
  bind: 'tcp://127.0.0.1:0',
  protocol: { who: call(z.string(), z.string()) },
  handlers: { who: (text, { peer }) => `${text} ${peer.identity}` },
})
process.stdout.write(`${JSON.stringify({ address: sock.address, id: identity.id })}\n`)
process.stdin.on('end', () => void sock.close()).resume()
