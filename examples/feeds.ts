/**
 * Feeds: a live one whose reader is slow, and leaves; and a file as bytes, with memory for a part of it only.
 *
 *   npx tsx examples/feeds.ts [a file]
 */
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { bytes, CallError, feed, nothing, TcpSock } from 'socktools'
import { z } from 'zod'

const protocol = {
  readings: feed(nothing(), z.object({ number: z.int(), values: z.array(z.number()) })),
  file: feed(z.object({ name: z.string() }), bytes(), {
    errors: { NO_SUCH_FILE: undefined },
    priority: 'bulk', // calls and messages of this connection go before it
  }),
}

const folder = await mkdtemp(join(tmpdir(), 'socktools-feeds-'))
const [given = join(folder, 'random')] = process.argv.slice(2)
if (process.argv[2] === undefined) await writeFile(given, randomBytes(20 * 1024 * 1024))
/** What is served: no name that somebody sends ever becomes a path. */
const files = new Map([['it', given]])

let made = 0
const server = await TcpSock.open({
  protocol,
  bind: 'tcp://127.0.0.1:0',
  handlers: {
    async *readings() {
      try {
        // Each `yield` resolves when there is room for more: this has no other brake.
        for (;;) {
          made++
          yield { number: made, values: Array.from({ length: 1000 }, () => made) }
          if (made % 100 === 0) await sleep(0)
        }
      } finally {
        console.log('  the server stops making readings')
      }
    },
    // Whatever can be iterated over will do.
    file({ name }) {
      const path = files.get(name)
      if (path === undefined) throw new CallError('NO_SUCH_FILE')
      return createReadStream(path)
    },
  },
})
const client = await TcpSock.open({ protocol })
const peer = await client.connectTo(server.address ?? '')

console.log('a reader that takes its time')
let read = 0
for await (const { number } of peer.stream('readings')) {
  read = number
  await sleep(50)
  if (read === 10) break // the far side is asked for no more
}
console.log(`  read ${read}; the server was ahead by ${made - read}`)

console.log('a file')
const hash = createHash('sha256')
let size = 0
for await (const piece of peer.stream('file', { name: 'it' })) {
  hash.update(piece)
  size += piece.length
}
const same =
  hash.digest('hex') ===
  createHash('sha256')
    .update(await readFile(given))
    .digest('hex')
console.log(`  ${size} bytes, ${same ? 'the same' : 'DAMAGED'}`)

console.log('a file that is not there')
try {
  for await (const _piece of peer.stream('file', { name: '/etc/passwd' }));
} catch (error) {
  console.log(`  ${error instanceof CallError ? error.code : String(error)}`)
}

await client.drain()
await server.drain()
await rm(folder, { recursive: true })
