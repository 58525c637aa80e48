/**
 * Says 5,000 numbers a second to whoever is there, until SIGTERM: then drains, as a service does, and says what it had
 * said and heard. Listens, or dials the address that it is given. Nothing here ends the process.
 */
import { TcpSock } from '../../../src/index.ts'
import { Speaker, protocol, type Said } from '../spoken.ts'
import { say } from './say.ts'

const [to] = process.argv.slice(2)
let came = 0
const sock = await TcpSock.open({
  protocol,
  ...(to === undefined ? { bind: 'tcp://127.0.0.1:0' } : {}),
  handlers: {
    // An application takes its time: some wait for their turn when the signal comes.
    say: async (n) => {
      if (n !== came++) throw new Error(`${n} came as number ${came}`)
      if (n % 1000 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    },
  },
})
sock.on('fault', ({ error }) => {
  throw error
})
if (to === undefined) {
  say(sock.address)
  await new Promise((resolve) => sock.on('peer', resolve))
} else await sock.connectTo(to)
const [peer] = sock.knownPeers
const speaker = new Speaker(peer!)
process.once('SIGTERM', () => {
  void (async () => {
    speaker.stop()
    await sock.drain()
    const { accepted } = await speaker.settled()
    const said: Said = { accepted, came }
    say(said)
  })()
})
