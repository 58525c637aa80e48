/** Ends its socks as the argument says, and then has nothing left to do. Nothing here ends the process. */
import net from 'node:net'
import { TcpSock } from '../../../src/index.ts'
import { say } from './say.ts'

const [how = ''] = process.argv.slice(2)
const ANY = 'tcp://127.0.0.1:0'
const later = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** What still keeps this process alive, but for its pipes to the test. */
async function left(): Promise<string[]> {
  for (let i = 0; i < 5; i++) await later()
  return process.getActiveResourcesInfo().filter((name) => name !== 'PipeWrap' && name !== 'Immediate')
}

if (how === 'drain') {
  const server = await TcpSock.open({
    bind: ANY,
    tick: () => undefined,
    handlers: {
      0: (data, { peer }) => {
        void peer.sendMsg(0, data)
      },
    },
  })
  const client = await TcpSock.open({
    connect: server.address ?? '',
    timeout: 60_000,
    handlers: { 0: () => undefined },
  })
  for (let i = 0; i < 1_000; i++) await client.sendMsg(0, 'x'.repeat(1_000))
  await Promise.all([client.drain(), server.drain()])
  say([client.stats(), await left()])
}

if (how === 'close') {
  // Something of everything that sets a timer or keeps a socket.
  const server = await TcpSock.open({
    bind: ANY,
    tick: () => undefined,
    timeout: 60_000,
    goodPeer: ({ dialed }) => (dialed || !waiting ? true : new Promise(() => undefined)),
  })
  let waiting = false
  const address = server.address ?? ''
  const socket = net.connect({ port: Number(new URL(address).port), host: '127.0.0.1' })
  await new Promise((resolve) => server.on('peer', resolve))
  socket.write(Buffer.from('000000ff00', 'hex'))
  while (server.stats().bytesIn < 5) await later()
  waiting = true
  const client = new TcpSock({
    connect: [address, 'tcp://127.0.0.1:1'],
    backoff: { first: 60_000, max: 60_000 },
  })
  await client.start()
  // TEST-NET-1: a dial that nobody answers.
  client.connectTo('tcp://192.0.2.1:9').catch(() => undefined)
  while (server.stats().pending < 1) await later()
  void client.sendMsg(0, 'x'.repeat(10_000_000))
  await client.close()
  await server.close()
  socket.destroy()
  say([client.stats(), await left()])
}

if (how === 'forget') {
  // Every send here fails, and nobody looks.
  const server = await TcpSock.open({ bind: ANY, maxFrame: 10 })
  const client = await TcpSock.open({ highWaterMark: 0, maxQueue: 100_000 })
  const peer = await client.connectTo(server.address ?? '')
  for (let i = 0; i < 100; i++) void peer.sendMsg(0, 'x'.repeat(10_000))
  void client.sendMsg(1, 'no such type')
  void client.sendMsg(0, 'x', { to: 'nobody' })
  await new Promise((resolve) => client.on('gone', resolve))
  void peer.sendMsg(0, 'x')
  void peer.flushed()
  await client.close()
  void client.sendMsg(0, 'x')
  await server.close()
  say([client.stats(), await left()])
}
