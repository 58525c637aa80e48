/**
 * Channels: items both ways at once, each way ended by itself.
 *
 *   npx tsx examples/channels.ts
 */
import { channel, SockError, TcpSock } from 'socktools'
import { z } from 'zod'

const protocol = {
  /** Answers each word as it comes. */
  shout: channel(z.string(), z.string()),
  /** Takes numbers until there are no more, then tells how many they were, and their sum. */
  total: channel(z.number(), z.object({ count: z.int(), sum: z.number() })),
}

const server = await TcpSock.open({
  protocol,
  bind: 'tcp://127.0.0.1:0',
  handlers: {
    async shout(words, { headers }) {
      for await (const word of words) await words.send(word.toUpperCase() + (headers['mark'] ?? ''))
    },
    async total(numbers) {
      let [count, sum] = [0, 0]
      for await (const n of numbers) {
        count++
        sum += n
      }
      // The other side sends no more, and still listens.
      await numbers.send({ count, sum })
    }, // when the handler is through, this direction ends as well
  },
})
const client = await TcpSock.open({ protocol })
const peer = await client.connectTo(server.address ?? '')

console.log('both ways')
const shout = peer.channel('shout', { headers: { mark: '!' } })
await shout.send('one')
await shout.send('two')
for await (const word of shout) {
  console.log(`  ${word}`)
  if (word === 'ONE!') await shout.send('three')
  if (word === 'THREE!') await shout.end() // the server's loop ends, its handler, and then this loop
}

console.log('half closed')
const total = peer.channel('total')
for (let n = 1; n <= 100_000; n++) await total.send(n) // waits while the server is behind
await total.end()
for await (const { count, sum } of total) console.log(`  ${count} numbers, ${sum} together`)

console.log('left')
const left = peer.channel('shout')
await left.send('hello')
for await (const word of left) {
  console.log(`  ${word}`)
  break // closes both ways
}
await left.send('anybody?').catch((error: unknown) => {
  console.log(`  ${error instanceof SockError ? error.code : String(error)}`)
})

await client.drain()
await server.drain()
