/**
 * Connections of nonsense for fuzz-tls.test.ts: what stands outside TLS, to a node that listens and to one that dials. A case is told by
 * its number (`FUZZ=tls-accept:123 npm test -- attacks/fuzz` runs that one alone) but for the keys of TLS, which are of the
 * system's own chance: a case says the same, and is answered with other bytes. TLS takes over nothing but sockets of the system, so all
 * of this goes over loopback, many at once, since those that wait for a bound cost nothing.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import {
  call,
  Identity,
  type RawCodec,
  type SockError,
  tcp,
  TcpSock,
  type Transport,
} from '../../src/index.ts'
import type { Ending } from '../support/child.ts'
import { diceOf } from '../support/dice.ts'
import { at, GUARD } from '../support/tcp.ts'
import { z } from 'zod'
import { clientFlight, type Flight, serverFlight } from './fuzz-flights.ts'

// Most cases end in a refusal, and nobody looks at its stack.
Error.stackTraceLimit = 0

const protocol = { echo: call(z.string(), z.string()) }
type Sock = TcpSock<RawCodec, typeof protocol>

/** Of a handshake; long enough for a hundred of them at once on a busy machine. */
const BOUND = 1_000
/** What never ends by itself is told by the case, sooner than by the runner. */
const HANGS = 30_000
const LANES = 48

/** How whoever has proven nothing is refused. */
const ACCEPTOR = ['TLS_FAILED', 'FOREIGN_PROTOCOL', 'TLS_VERSION', 'TLS_ALPN', 'REFUSED', 'HANDSHAKE_TIMEOUT']
const DIALER = [...ACCEPTOR, 'NO_CERTIFICATE']

/** Of the whole process, with those who attack: 48 of them who say a MiB without an end have as much underway, and more. */
const MEMORY = 256 * 1024 * 1024

type Kind = 'tls-accept' | 'tls-dial'

/** One case; resolves to what became of it. */
export type Attack = (n: number) => Promise<End>
export interface End {
  readonly code: string
  /** What TLS, or whoever found it, says of it. */
  readonly why?: unknown
}

/** Registers a test that runs the cases of `kind` from `first` on, or only that of FUZZ. */
export function fuzz(kind: Kind, first: number, count: number): void {
  cases(kind, first, count, async (t) => {
    const node = await Node.open(t)
    return {
      attacks: async () => (kind === 'tls-accept' ? drawnFor(acceptorOf(node)) : dialerOf(t, node)),
      stillGood: () => node.stillGood(),
      codes: kind === 'tls-accept' ? ACCEPTOR : DIALER,
      done: (ran) => {
        node.judge(ran)
      },
    }
  })
}

interface Rig {
  /** Asked once for each lane. */
  readonly attacks: () => Promise<Attack>
  readonly stillGood: () => Promise<void>
  readonly codes: readonly string[]
  readonly done: (ran: number) => void
}

/** Runs cases in lanes; after each few hundred of them all are done, and a good peer is served. */
export function cases(
  kind: string,
  first: number,
  count: number,
  rig: (t: TestContext) => Promise<Rig>,
): void {
  const [only, number] = (process.env['FUZZ'] ?? '').split(':')
  test(`fuzz: ${kind}, ${count.toLocaleString('en')} cases`, {
    ...GUARD,
    timeout: 1_200_000,
    skip: only !== '' && only !== kind && `FUZZ asks for a case of ${only} alone`,
  }, async (t) => {
    t.after(() => {
      for (const socket of sockets) socket.destroy()
    })
    const [from, to] = only === '' ? [first, first + count] : [Number(number), Number(number) + 1]
    const { attacks, stillGood, codes, done } = await rig(t)
    const lanes = await Promise.all(Array.from({ length: Math.min(LANES, to - from) }, attacks))
    await ended(stillGood())
    const tally = new Map<string, number>()
    const reasons = new Set<unknown>()
    const before = open()
    for (let next = from; next < to; ) {
      const until = Math.min(to, next + 500)
      const lane = async (attack: Attack): Promise<void> => {
        while (next < until) {
          const n = next++
          try {
            const { code, why } = await ended(attack(n))
            reasons.add(why)
            assert.ok(codes.includes(code), `it was ${code}`)
            tally.set(code, (tally.get(code) ?? 0) + 1)
          } catch (error) {
            const replay = `FUZZ=${kind}:${n} npm test -- attacks/fuzz`
            throw new Error(`case ${n}; replay: ${replay}\n${(error as Error).message}`, { cause: error })
          }
        }
      }
      await Promise.all(lanes.map(lane))
      await ended(settled(before))
      done(until - from)
      await ended(stillGood())
    }
    // One that is always refused at the same place would show little.
    assert.ok(count < 1000 || only !== '' || reasons.size > 15, `${reasons.size} reasons`)
    t.diagnostic(
      `${reasons.size} reasons; ` +
        JSON.stringify(Object.fromEntries([...tally].sort((a, b) => b[1] - a[1]))),
    )
  })
}

/** Sockets of this process. */
const open = (): number =>
  process.getActiveResourcesInfo().filter((what) => /^(TCPSocket|TLS)Wrap$/i.test(what)).length

/** Resolves when no more sockets are open than were before. */
async function settled(before: number): Promise<void> {
  while (open() > before) await new Promise((resolve) => setTimeout(resolve, 5))
}

async function ended<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const hangs = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`it hangs: ${open()} sockets are open`))
    }, HANGS)
  })
  return Promise.race([promise, hangs]).finally(() => {
    clearTimeout(timer)
  })
}

/** A node that is attacked, and one that is its friend. */
class Node {
  readonly sock: Sock
  readonly friend: Sock
  /** Whom it dials. */
  readonly somebody: string
  readonly port: number
  /** By the address of whoever dialed in: who came, and whoever waits for one. */
  readonly #arrived = new Set<string>()
  readonly #accepted = new Map<string, () => void>()
  readonly #refused = new Map<string, (error: SockError) => void>()
  #served = 0
  #before: readonly number[] = []
  readonly #handled: string[]
  readonly #memory = process.memoryUsage().rss

  private constructor(sock: Sock, friend: Sock, handled: string[]) {
    this.sock = sock
    this.friend = friend
    this.#handled = handled
    this.somebody = Identity.generate().id
    this.port = Number(new URL(at(sock)).port)
    sock.on('refused', ({ address, error }) => {
      this.#refused.get(address)?.(error)
      this.#refused.delete(address)
    })
  }

  static async open(t: Ending): Promise<Node> {
    const handled: string[] = []
    const door = tcp()
    const seen: { arrived?: (address: string) => void } = {}
    const watched: Transport = {
      ...{ scheme: door.scheme, dial: (to, how) => door.dial(to, how) },
      listen: (where, options, onPipe) =>
        door.listen(where, options, (pipe) => {
          seen.arrived?.(pipe.remote.address)
          onPipe(pipe)
        }),
    }
    const friend = new TcpSock<RawCodec, typeof protocol>({ identity: Identity.generate(), protocol })
    const sock: Sock = await TcpSock.open<RawCodec, typeof protocol>({
      ...{ identity: Identity.generate(), bind: 'tcp://127.0.0.1:0', transports: [watched] },
      ...{ handshakeTimeout: BOUND, connectTimeout: 2 * BOUND, sessions: false, maxPending: 1_000 },
      protocol,
      handlers: {
        echo: (text) => {
          handled.push(text)
          return text
        },
      },
    })
    const node = new Node(sock, friend, handled)
    seen.arrived = (address) => {
      if (!node.#accepted.has(address)) node.#arrived.add(address)
      node.#accepted.get(address)?.()
      node.#accepted.delete(address)
    }
    t.after(() => Promise.all([sock.close(), friend.close()]))
    return node
  }

  /** When the one with this port was accepted, and why it was refused. */
  expects(port: number): { accepted: Promise<void>; refused: Promise<SockError> } {
    const address = `tcp://127.0.0.1:${port}`
    return {
      accepted: this.#arrived.delete(address)
        ? Promise.resolve()
        : new Promise((resolve) => this.#accepted.set(address, resolve)),
      refused: new Promise((resolve) => this.#refused.set(address, resolve)),
    }
  }

  #heard(): readonly number[] {
    const { messagesIn, bytesIn, messagesOut, bytesOut } = this.sock.stats()
    return [messagesIn, bytesIn, messagesOut, bytesOut]
  }

  async stillGood(): Promise<void> {
    const peer = await this.friend.connectTo(at(this.sock))
    assert.equal(await peer.request('echo', 'still'), 'still')
    peer.close()
    this.#served++
    while (this.sock.stats().peers + this.sock.stats().pending > 0)
      await new Promise((resolve) => setTimeout(resolve, 1))
    // Of the friend; and ports are given out again.
    this.#arrived.clear()
    this.#before = this.#heard()
  }

  /** All were refused and counted. */
  judge(ran: number): void {
    const { refused, failed, faults, unhandled, invalid } = this.sock.stats()
    assert.equal(
      Object.values(refused).reduce((a, b) => a + b, 0),
      ran,
      JSON.stringify({ refused, failed }),
    )
    assert.deepEqual([faults, unhandled, invalid], [0, 0, 0])
    assert.equal(this.#handled.length, this.#served)
    assert.deepEqual(this.#heard(), this.#before, 'nothing that they said was read')
    const memory = process.memoryUsage().rss - this.#memory
    assert.ok(memory < MEMORY, `${memory} bytes more than at first`)
  }
}

/** Says a flight; resolves when it has no more to say. What is not taken any more is not said. */
async function say(socket: net.Socket, { pieces, end }: Flight): Promise<void> {
  for (const piece of pieces) {
    if (socket.destroyed || !socket.writable) break
    await new Promise<unknown>((resolve) => socket.write(piece, resolve))
  }
  if (end === 'fin') socket.end()
  else if (end === 'reset') socket.resetAndDestroy()
}

/** Heard and not looked at; an end is answered by one, as a far side without malice does. */
export function quiet(socket: net.Socket): { readonly closed: Promise<unknown> } {
  sockets.add(socket.setNoDelay(true))
  socket.on('error', () => undefined)
  socket.on('end', () => socket.end())
  const closed = new Promise((resolve) => socket.on('close', resolve))
  return { closed: closed.then(() => sockets.delete(socket)) }
}
/** Those of the attackers, which would keep the process when a case has failed. */
const sockets = new Set<net.Socket>()

const endOf = ({ code, cause }: SockError): End => ({
  code,
  why: (cause as { code?: unknown } | undefined)?.code,
})

/** Somebody dials in, and says this. */
type Dial = (flight: () => Flight) => Promise<End>

const drawnFor =
  (dial: Dial): Attack =>
  (n) =>
    dial(() => clientFlight(diceOf(n)))

/** A node of its own to dial in to. */
export const acceptor = async (t: Ending): Promise<Dial> => acceptorOf(await Node.open(t))

function acceptorOf(node: Node): Dial {
  return async (flight) => {
    const socket = net.connect({ host: '127.0.0.1', port: node.port, allowHalfOpen: true })
    const { closed } = quiet(socket)
    await once(socket, 'connect')
    const { accepted, refused } = node.expects(socket.localPort ?? 0)
    socket.resume()
    // One that is reset before has no address any more.
    await accepted
    await say(socket, flight())
    const error = await refused
    await closed
    return endOf(error)
  }
}

/** Somebody is dialed. */
async function dialerOf(t: TestContext, node: Node): Promise<Attack> {
  const server = net.createServer({ allowHalfOpen: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const address = `tcp://${node.somebody}@127.0.0.1:${(server.address() as AddressInfo).port}`
  return async (n) => {
    const dice = diceOf(n)
    const played = new Promise((resolve, reject) => {
      server.once('connection', (socket) => {
        const { closed } = quiet(socket)
        // Some speak before they have heard anything.
        const first = dice(10) === 0
        const asked = first ? Promise.resolve([Buffer.alloc(0)]) : once(socket, 'data')
        socket.resume()
        ;(asked as Promise<[Buffer]>)
          .then(async ([bytes]) => {
            const flight = serverFlight(dice, bytes)
            // It would know of no connection.
            if (first && flight.end === 'reset') await once(socket, 'data')
            await say(socket, flight)
          })
          .then(() => closed)
          .then(resolve, reject)
      })
    })
    const error = await node.sock.connectTo(address).then(
      () => assert.fail('it was taken for somebody'),
      (thrown: unknown) => thrown as SockError,
    )
    await played
    return endOf(error)
  }
}
