/**
 * A chat that anyone joins with telnet, netcat or a sock: each line goes to everyone else, with its sender.
 *
 *   npx tsx examples/chat.ts [tcp://127.0.0.1:31337]      the room
 *   nc 127.0.0.1 31337                                    someone in it; telnet does as well
 *   npx socktools connect --lines tcp://127.0.0.1:31337   someone else
 */
import { type Context, TcpSock, lines } from 'socktools'

const utf8 = new TextDecoder()

const room = new TcpSock({
  bind: process.argv[2] ?? 'tcp://127.0.0.1:31337',
  framing: lines(),
  handlers: { 0: onLine },
})

function onLine(line: Uint8Array, { peer }: Context): void {
  // Nobody's control characters reach the terminals of the others, nor does a flood in one line.
  const text = utf8.decode(line).replace(/\p{C}/gu, '?').slice(0, 1000)
  if (text === '/who')
    void peer.sendMsg(0, `* here: ${room.knownPeers.map(({ address }) => address).join(', ')}`)
  else void room.sendMsg(0, `${peer.address}: ${text}`, { except: peer })
}

room.on('peer', ({ peer }) => {
  void peer.sendMsg(0, `* welcome, ${peer.address}; /who tells who is here`)
  void room.sendMsg(0, `* ${peer.address} joined`, { except: peer })
})
room.on('gone', ({ peer }) => void room.sendMsg(0, `* ${peer.address} left`))
room.on('listening', ({ address }) => {
  console.log(`the room is at ${address}`)
})

// Everyone gets what was said before that, then the end of the connection.
process.once('SIGINT', () => void room.drain()).once('SIGTERM', () => void room.drain())
await room.start()
