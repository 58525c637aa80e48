/**
 * Sends for ever, awaiting each send, to someone who reads it all (argv: the address and what is sent to); meanwhile
 * a timer is to run and another peer to be served. Says so when both have happened often enough, and ends.
 */
import { TcpSock } from '../../../src/index.ts'
import { say } from './say.ts'

const [sink = '', how = ''] = process.argv.slice(2)
const ENOUGH = 20

const sock = await TcpSock.open({
  bind: 'tcp://127.0.0.1:0',
  handlers: { 0: (data, { peer }) => void peer.sendMsg(0, data) },
})
const peers = how === 'nobody' ? [] : [await sock.connectTo(sink), await sock.connectTo(sink)]
say(sock.address)

/** One that nobody has come to. */
const idle = new TcpSock()
let ticks = 0
let served = 0
sock.use((_message, _context, next) => {
  served++
  return next()
})
const interval = setInterval(() => ticks++, 5)
const payload = new Uint8Array(how === 'large' ? 100_000 : 64)
let sent = 0

while (ticks < ENOUGH || served < ENOUGH) {
  if (how === 'several') await sock.sendMsg(0, payload, { to: peers })
  else if (how === 'all')
    await sock.sendMsg(0, payload, { except: sock.knownPeers.filter(({ dialed }) => !dialed) })
  else if (how === 'nobody') await idle.sendMsg(0, payload)
  else await peers[0]?.sendMsg(0, payload)
  sent++
}
clearInterval(interval)
say({ ticks, served, sent })
await sock.close()
