/**
 * `server PORT [KEY]`: takes whoever comes, says where, and for each line on stdin what it has; after `gc` behind a collection. With a key,
 * in PEM, it speaks TLS. `clients ADDRESS N`: that many, each kept up, each with a key of its own if the address has an id.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createInterface } from 'node:readline'
import { Identity, TcpSock } from '../../../src/index.ts'
import { say } from './say.ts'

const [role = '', where = '', extra] = process.argv.slice(2)

if (role === 'server') {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  let gone = 0
  const sock = await TcpSock.open({
    bind: `tcp://127.0.0.1:${where}`,
    ...(extra === undefined ? {} : { identity: Identity.fromPem(extra) }),
    handlers: { 0: (bytes, { peer }) => peer.sendMsg(0, bytes) },
  })
  sock.on('gone', () => gone++)
  say(sock.address)
  createInterface(process.stdin).on('line', (line) => {
    if (line === 'gc') gc()
    say({
      peers: sock.stats().peers,
      gone,
      messages: sock.stats().messagesIn,
      rss: process.memoryUsage.rss(),
    })
  })
} else {
  let answers = 0
  const socks = Array.from(
    { length: Number(extra) },
    () =>
      new TcpSock({
        connect: where,
        ...(where.includes('@') ? { identity: Identity.generate() } : {}),
        backoff: { first: 100, max: 2_000 },
        handlers: { 0: () => answers++ },
      }),
  )
  // A few at a time: who comes first is not the matter.
  for (let i = 0; i < socks.length; i += 50)
    await Promise.all(socks.slice(i, i + 50).map((sock) => sock.start()))
  say('up')
  createInterface(process.stdin).on('line', () => {
    // Each that is up says something, and is answered.
    answers = 0
    for (const sock of socks) void sock.sendMsg(0, 'there?').catch(() => undefined)
    const deadline = performance.now() + 20_000
    const look = (): void => {
      if (answers >= socks.length || performance.now() > deadline) say(answers)
      else setTimeout(look, 20)
    }
    look()
  })
}
