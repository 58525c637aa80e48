/** `n` readers of one server, who check the number in each message. Says so when all have everything, or one misses something. */
import { TcpSock } from '../../../src/index.ts'
import { say } from './say.ts'

const [address = '', n = '1', messages = '1'] = process.argv.slice(2)
const socks: TcpSock[] = []
let complete = 0
const broken: string[] = []
for (let i = 0; i < Number(n); i++) {
  let expected = 0
  const sock = await TcpSock.open({
    connect: address,
    handlers: {
      0: (data) => {
        const number = new DataView(data.buffer, data.byteOffset).getUint32(0)
        if (number !== expected++) broken.push(`reader ${i} got ${number} for ${expected - 1}`)
        if (expected === Number(messages) && ++complete === socks.length) say({ complete, broken })
      },
    },
  })
  socks.push(sock)
}
say('ready')
process.stdin.on('end', () => void Promise.all(socks.map((sock) => sock.close()))).resume()
