/** The far side of a connection; says when it broke. Ends when its stdin does. */
import { TcpSock } from '../../../src/index.ts'
import { OPTIONS, protocol, Side } from '../partitioned.ts'
import { say } from './say.ts'

const sock = await TcpSock.open({ ...OPTIONS, protocol, bind: 'tcp://127.0.0.1:0' })
new Side(sock, () => sock.knownPeers[0]!)
sock.on('detached', () => {
  say('detached')
})
say(sock.address)
process.stdin.on('end', () => void sock.close()).resume()
