/**
 * One side of a kill test: `send DIRECTORY FIRST` posts for ever, numbered from FIRST on, and says what was accepted;
 * told anything it posts no more, and says `empty` when all of it is settled. `take DIRECTORY INBOX` handles what comes.
 * With the inbox `file` a line of a file is its transaction: what was done and how far it got, in one write. With `store` the cursor
 * is on disk behind that.
 *
 * It runs what was built: hundreds are started, and from its sources each takes a second of processor time.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { z } from 'zod'
import { msg, TcpSock } from 'socktools'
import { Store } from 'socktools/store'

const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`)
const protocol = { work: msg(z.object({ serial: z.number(), fill: z.string() })) }
const [role = '', directory = '', more = ''] = process.argv.slice(2)
/** What waits to be handled: posting on, while nobody handles, would only have the next process read all of it. */
const MOST = 500
const address = `unix:${directory}/socket`

if (role === 'send') {
  const store = await Store.open(`${directory}/outbox`)
  const sock = await TcpSock.open({
    ...{ protocol, store, nameOf: () => 'far', backoff: { first: 5, max: 20, healthy: 1 } },
    outbox: { maxCount: 50 },
  })
  let stopped = false
  let ended = false
  process.stdin.once('data', () => (stopped = true))
  // It may not listen yet.
  const dial = async () => {
    await sock.connectTo(address).catch(() => {
      if (!ended) setTimeout(() => void dial(), 20)
    })
  }
  sock.on('gone', () => void dial())
  void dial()
  let serial = Number(more)
  say('ready')
  const work = async () => {
    while (!stopped) {
      const own = serial++
      const { accepted, outcome } = sock.post('far', 'work', { serial: own, fill: 'x'.repeat(own % 300) })
      await accepted
      say({ accepted: own })
      if (store.stats().pending > MOST) await outcome
    }
  }
  await Promise.all(Array.from({ length: 8 }, work))
  while (store.stats().pending > 0) await new Promise((resolve) => setTimeout(resolve, 10))
  say('empty')
  ended = true
  process.stdin.destroy()
  await sock.close()
  await store.close()
} else {
  const log = `${directory}/done`
  const cursors = new Map()
  if (existsSync(log)) {
    for (const line of readFileSync(log, 'utf8').split('\n').slice(0, -1)) {
      const { store, n } = JSON.parse(line)
      cursors.set(store, n)
    }
  }
  const inbox = { cursor: (store) => cursors.get(store) ?? 0, advance: () => undefined }
  const kept = more === 'file' ? { inbox } : { store: await Store.open(`${directory}/inbox`) }
  const sock = await TcpSock.open({
    ...{ protocol, bind: address, ...kept },
    handlers: {
      work: ({ serial }, { durable }) => {
        if (durable === undefined) throw new Error('posted by whom?')
        appendFileSync(log, `${JSON.stringify({ serial, ...durable })}\n`)
        cursors.set(durable.store, durable.n)
      },
    },
  })
  say('ready')
  process.stdin.once('data', () => {
    process.stdin.destroy()
    void sock.close()
  })
}
