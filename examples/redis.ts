/**
 * A client for a server that others wrote: Redis, by its inline commands and its replies of lines (RESP2).
 *
 *   npx tsx examples/redis.ts tcp://127.0.0.1:6379 SET greeting hello
 *   npx tsx examples/redis.ts tcp://127.0.0.1:6379 GET greeting
 *
 * Redis answers in the order in which it was asked, so a queue pairs answers with questions, however many are
 * under way. A value that holds a line break cannot be read line by line: its length gives it away, and the
 * connection is ended before anything is taken for what it is not.
 */
import { fileURLToPath } from 'node:url'
import { type Context, TcpSock, lines } from 'socktools'

export type Reply = string | number | null | RedisError | Reply[]

/** What Redis answers to a command that it cannot carry out: `ERR unknown command …`, `WRONGTYPE …` */
export class RedisError extends Error {
  override readonly name = 'RedisError'
}

export interface Redis {
  /** Sends one command: `ask('SET', 'greeting', 'hello')`. Rejects with RedisError, or when the connection is over. */
  ask(...words: string[]): Promise<Reply>
  /** Ends when everything asked so far is answered. */
  end(): Promise<void>
}

interface Waiting {
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: unknown) => void
}

export async function connectRedis(address: string): Promise<Redis> {
  const queue: Waiting[] = []
  const sock = new TcpSock({
    framing: lines({ crlf: true, unterminated: false }),
    handlers: { 0: onLine },
  })
  let over: Error | undefined
  let reading = nextReply()

  function onLine(line: Uint8Array, { peer }: Context): void {
    try {
      const { done, value } = reading.next(line)
      if (done !== true) return
      reading = nextReply()
      const asked = queue.shift()
      if (asked === undefined) throw new Error('an answer that nobody asked for')
      if (value instanceof RedisError) asked.reject(value)
      else asked.resolve(value)
    } catch (error) {
      // Where the next answer begins is anybody's guess now.
      over = error as Error
      peer.close()
    }
  }

  sock.on('gone', ({ error }) => {
    over ??= error ?? new Error('the server has ended the connection')
    for (const { reject } of queue.splice(0)) reject(over)
  })

  const peer = await sock.connectTo(address)

  function ask(...words: string[]): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const waiting = { resolve, reject }
      queue.push(waiting)
      peer.sendMsg(0, words.map(quoted).join(' ')).catch((error: unknown) => {
        // It was not sent, so no answer is for it.
        const at = queue.indexOf(waiting)
        if (at >= 0) queue.splice(at, 1)
        reject(over ?? (error as Error))
      })
    })
  }

  async function end(): Promise<void> {
    // Answers come in order: after this one there is none to wait for.
    await ask('PING').catch(() => undefined)
    await sock.drain()
  }

  return { ask, end }
}

const utf8 = new TextDecoder()

/** Takes lines until they are one reply. */
function nextReply(): Generator<undefined, Reply, Uint8Array> {
  const reading = readReply()
  reading.next()
  return reading
}

function* readReply(): Generator<undefined, Reply, Uint8Array> {
  const line = utf8.decode(yield)
  const [kind, rest] = [line[0], line.slice(1)]
  if (kind === '+') return rest
  if (kind === '-') return new RedisError(rest)
  if (kind === ':') return Number(rest)
  if (rest === '-1') return null
  if (kind === '$') {
    const value: Uint8Array = yield
    if (value.length === Number(rest)) return utf8.decode(value)
    throw new Error(`a value of ${rest} bytes has a line break in it, after ${value.length}`)
  }
  if (kind !== '*') throw new Error(`not a reply of Redis: ${JSON.stringify(line.slice(0, 80))}`)
  const list: Reply[] = []
  while (list.length < Number(rest)) list.push(yield* readReply())
  return list
}

/** A word of an inline command: in quotes, line breaks and the like as \xHH. */
function quoted(word: string): string {
  const hex = (char: string): string => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`
  return `"${word.replace(/["\\]/g, '\\$&').replace(/[\0-\x1f\x7f]/g, hex)}"`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [address = 'tcp://127.0.0.1:6379', ...words] = process.argv.slice(2)
  const redis = await connectRedis(address)
  console.log(await redis.ask(...words))
  await redis.end()
}
