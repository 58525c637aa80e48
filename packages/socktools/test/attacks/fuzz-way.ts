/**
 * Records of a handshake that goes on between two nodes, for fuzz-tls.test.ts: one in the middle drops, doubles, swaps, cuts, changes or adds
 * to them, or ends it at any byte, without the keys. Told by its number: `FUZZ=tls-way:123 npm test -- attacks/fuzz`.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { z } from 'zod'
import { call, Identity, type RawCodec, SockError, TcpSock } from '../../src/index.ts'
import { type Dice, diceOf } from '../support/dice.ts'
import { at } from '../support/tcp.ts'
import { join } from '../wire/bytes.ts'
import { anything, bent, record } from './fuzz-flights.ts'
import { type Attack, cases, type End, quiet } from './fuzz-tls.ts'

const protocol = { echo: call(z.string(), z.string()) }
type Sock = TcpSock<RawCodec, typeof protocol>
/** What came in other pieces alone must be served on a busy machine, too. */
const BOUND = 4_000

/** `served`: nothing came of it. The others are of the handshake, or of a connection that was there already. */
const CODES = [
  ...['served', 'TLS_FAILED', 'FOREIGN_PROTOCOL', 'TLS_VERSION', 'TLS_ALPN', 'REFUSED', 'HANDSHAKE_TIMEOUT'],
  ...[
    'NO_CERTIFICATE',
    'CONNECT_TIMEOUT',
    'PEER_NOT_SESSION',
    'PEER_GONE',
    'OUTCOME_UNKNOWN',
    'NOT_SENT',
    'PIPE_FAILED',
  ],
  ...['CALL_TIMEOUT'],
]

export function fuzzWay(first: number, count: number): void {
  cases('tls-way', first, count, async (t) => {
    const handled = new Map<string, number>()
    const options = {
      ...{ handshakeTimeout: BOUND, connectTimeout: 2 * BOUND, callTimeout: 2 * BOUND },
      ...{ sessions: false, protocol, maxPending: 1_000 },
    }
    const sock: Sock = await TcpSock.open<RawCodec, typeof protocol>({
      ...{ ...options, identity: Identity.generate(), bind: 'tcp://127.0.0.1:0', heartbeat: BOUND },
      handlers: {
        echo(text) {
          handled.set(text, (handled.get(text) ?? 0) + 1)
          return text
        },
      },
    })
    const friend = new TcpSock<RawCodec, typeof protocol>({ ...options, identity: Identity.generate() })
    t.after(() => Promise.all([sock.close(), friend.close()]))
    return {
      attacks: async () => attackOf(t, sock, friend, handled),
      async stillGood() {
        const peer = await friend.connectTo(at(sock))
        assert.equal(await peer.request('echo', 'still'), 'still')
        handled.delete('still')
        peer.close()
        while (sock.stats().peers > 0) await new Promise((resolve) => setTimeout(resolve, 1))
      },
      codes: CODES,
      done() {
        assert.deepEqual([sock.stats().peers, sock.stats().pending], [0, 0])
        const { faults, invalid, unhandled } = sock.stats()
        assert.deepEqual([faults, invalid, unhandled, handled.size], [0, 0, 0, 0])
      },
    }
  })
}

async function attackOf(
  t: TestContext,
  sock: Sock,
  friend: Sock,
  handled: Map<string, number>,
): Promise<Attack> {
  const way = await Way.listen(t, Number(new URL(at(sock)).port))
  const address = `tcp://${new URL(at(sock)).username}@127.0.0.1:${way.port}`
  return async (n) => {
    const passes = way.next(diceOf(n))
    const tag = `case ${n}`
    let answer: string | undefined
    let end: End = { code: 'served' }
    let peer: Sock['knownPeers'][number] | undefined
    try {
      peer = await friend.connectTo(address)
      answer = await peer.request('echo', tag)
    } catch (thrown) {
      assert.ok(thrown instanceof SockError, String(thrown))
      const { code, cause } = thrown
      end = { code, why: `${code} ${String((cause as { code?: unknown } | undefined)?.code)}` }
    }
    peer?.close()
    const { harmless, closed } = await passes
    await closed
    const times = handled.get(tag) ?? 0
    handled.delete(tag)
    if (answer !== undefined) assert.deepEqual([answer, times], [tag, 1])
    assert.ok(times <= 1, 'it is handled once')
    if (harmless) assert.equal(end.code, 'served', 'in other pieces it is the same')
    return end
  }
}

interface Passed {
  /** Nothing was changed but the sizes of what came. */
  readonly harmless: boolean
  /** When both connections are over. */
  readonly closed: Promise<unknown>
}

/** In front of a node; each connection to it passes here, and something happens to it. */
class Way {
  readonly port: number
  readonly #server: net.Server
  readonly #to: number

  private constructor(server: net.Server, to: number) {
    this.port = (server.address() as AddressInfo).port
    this.#server = server
    this.#to = to
  }

  static async listen(t: TestContext, to: number): Promise<Way> {
    const server = net.createServer({ allowHalfOpen: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    return new Way(server, to)
  }

  next(dice: Dice): Promise<Passed> {
    return new Promise((resolve) => {
      this.#server.once('connection', (near) => {
        const far = net.connect({ host: '127.0.0.1', port: this.#to, allowHalfOpen: true })
        const isUp = dice(2) === 0
        const bend = new Bend(dice)
        const same = new Bend(() => 0, true)
        resolve({
          harmless: bend.harmless,
          closed: Promise.all([pass(near, far, isUp ? bend : same), pass(far, near, isUp ? same : bend)]),
        })
      })
    })
  }
}

/** Each record of one way, as it is to go on; resolves when `from` is closed. */
function pass(from: net.Socket, to: net.Socket, bend: Bend): Promise<unknown> {
  const { closed } = quiet(from)
  let unread = Buffer.alloc(0)
  from.on('close', () => to.destroy())
  from.on('end', () => to.end())
  from.on('data', (chunk: Buffer) => {
    unread = Buffer.concat([unread, chunk])
    for (;;) {
      const length = unread.length < 5 ? Infinity : 5 + unread.readUInt16BE(3)
      if (unread.length < length) return
      const whole = unread.subarray(0, length)
      unread = unread.subarray(length)
      for (const piece of bend.of(whole)) if (to.writable) to.write(piece)
      if (bend.ends === 'fin') to.end()
      else if (bend.ends === 'reset') to.resetAndDestroy()
    }
  })
  return closed
}

const HOWS = [
  ...['drop', 'double', 'swap', 'bend', 'bend', 'type', 'length', 'before', 'behind', 'fin', 'reset', 'stop'],
  ...['split', 'pieces', 'bytes'],
] as const
const HARMLESS: readonly string[] = ['split', 'pieces', 'bytes']

/** What happens to one record of a way, by its place. */
class Bend {
  /** From now on, nothing comes. */
  ends: 'fin' | 'reset' | undefined
  readonly harmless: boolean
  readonly #dice: Dice
  readonly #how: (typeof HOWS)[number] | undefined
  readonly #at: number
  #index = 0
  #held: Uint8Array[] = []
  #stopped = false

  constructor(dice: Dice, never = false) {
    this.#dice = dice
    this.#how = never ? undefined : HOWS[dice(HOWS.length)]
    // The handshake has six of one way and seven of the other; then comes what is said.
    this.#at = dice(9)
    this.harmless = this.#how === undefined || HARMLESS.includes(this.#how)
  }

  of(whole: Uint8Array): readonly Uint8Array[] {
    if (this.ends !== undefined || this.#stopped) return []
    const index = this.#index++
    if (this.#how === undefined || index !== this.#at) {
      const held = this.#held
      this.#held = []
      return [whole, ...held]
    }
    const dice = this.#dice
    const cut = dice(whole.length)
    const [type, body] = [whole[0] ?? 0, whole.subarray(5)]
    switch (this.#how) {
      case 'drop':
        return []
      case 'double':
        return [whole, whole]
      case 'swap':
        this.#held = [whole]
        return []
      case 'bend':
        return [bent(dice, whole)]
      case 'type':
        return [record(dice(256), body)]
      case 'length':
        return [
          record(type, body, 0x0303, dice(5) === 0 ? dice(65_536) : Math.max(0, body.length + dice(5) - 2)),
        ]
      case 'before':
        return [anything(dice, whole, whole), whole]
      case 'behind':
        return [whole, anything(dice, whole, whole)]
      case 'fin':
      case 'reset':
        this.ends = this.#how
        return [whole.subarray(0, cut)]
      case 'stop':
        this.#stopped = true
        return [whole.subarray(0, cut)]
      case 'split': {
        // A message in the clear may come in several records; what is encrypted may not.
        if (type !== 22) return [whole]
        const step = 1 + dice(body.length)
        const parts: Uint8Array[] = []
        for (let from = 0; from < body.length; from += step)
          parts.push(record(22, body.subarray(from, from + step)))
        return [join(parts)]
      }
      case 'pieces':
        return [whole.subarray(0, cut), whole.subarray(cut)]
      case 'bytes':
        return Array.from(whole, (byte) => Uint8Array.of(byte))
    }
  }
}
