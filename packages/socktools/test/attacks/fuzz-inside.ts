/**
 * Frames of nonsense by somebody who has proven a key, for fuzz-inside.test.ts: sock/v1/fuzz.ts within TLS, over sockets of the system. Some
 * HELLOs are damaged, too; what is said is cut into records of TLS anywhere. Told by its number, as there, but for when what
 * is answered comes: `FUZZ=tls-inside:123 npm test -- attacks/fuzz`.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import tls from 'node:tls'
import { Identity, type RawCodec, TcpSock } from '../../src/index.ts'
import { ALPN } from '../../src/identity/judge.ts'
import { pemOf } from '../../src/platform/node-keys.ts'
import { encodePing } from '../../src/wire/v1/bodies.ts'
import { PING } from '../../src/wire/v1/frame.ts'
import { Far, helloOf, type Spoken } from '../sock/v1/far.ts'
import { begin, damaged, heard, inOrder, next, protocol, serving, state } from '../sock/v1/fuzz.ts'
import { type Dice, diceOf } from '../support/dice.ts'
import { at, frame, GUARD } from '../support/tcp.ts'
import { damaged as damagedHello } from '../wire/v1/fuzz.ts'
import { cases, type End } from './fuzz-tls.ts'

/** How a connection may end that was let in, and how one that was not. `well`: in good order. */
const ENDS = ['well', 'PROTOCOL_ERROR', 'FRAME_TOO_LARGE', 'PIPE_FAILED', 'TRUNCATED']
const REFUSALS = [
  'WIRE_MISMATCH',
  'BAD_HELLO',
  'VERSION_MISMATCH',
  'UNSUPPORTED',
  'FOREIGN_PROTOCOL',
  'PEER_NOT_SESSION',
  'PEER_GONE',
  'NO_COMMON_CODEC',
  // The rest of it never came.
  'HANDSHAKE_TIMEOUT',
]
/** One in twelve has no key, and says the same. */
const UNPROVEN = 'NO_CERTIFICATE'
/** Frames of one connection, at most. */
const FRAMES = 100
/** Whoever is good must be let in on a busy machine, too. */
const BOUND = 5_000

type Sock = TcpSock<RawCodec, typeof protocol>

export function fuzz(first: number, count: number): void {
  cases('tls-inside', first, count, async (t) => {
    const sock = await opened(t)
    return {
      attacks: async () => (n) => session(sock, n),
      stillGood: () => stillGood(sock),
      codes: [...ENDS, ...REFUSALS, UNPROVEN],
      done: () => {
        assert.deepEqual([sock.stats().peers, sock.stats().pending], [0, 0])
      },
    }
  })
}

/** HELLO in two records of TLS, and in one for each byte. */
export function cutHello(): void {
  test(
    'a HELLO that is cut into two records at each of its bytes, or into as many as it has',
    GUARD,
    async (t) => {
      const sock = await opened(t)
      const hello = frame(helloOf(protocol))
      for (let i = 0; i < hello.length; i++) {
        const pipe = await Inside.dial(sock, i)
        if (i > 0) pipe.say(hello.subarray(0, i))
        else for (const byte of hello) pipe.say(Buffer.of(byte))
        const { peer } = await pipe.judged(() => {
          if (i > 0) pipe.say(hello.subarray(i))
        })
        assert.ok(peer !== undefined, `cut at ${i}`)
        pipe.socket.destroy()
      }
      await stillGood(sock)
    },
  )
}

async function opened(t: TestContext): Promise<Sock> {
  const sock: Sock = await TcpSock.open<RawCodec, typeof protocol>({
    ...serving(() => new Promise((resolve) => setImmediate(resolve))),
    ...{
      identity: Identity.generate(),
      bind: 'tcp://127.0.0.1:0',
      handshakeTimeout: BOUND,
      maxPending: 1_000,
    },
  })
  heard(sock)
  t.after(() => sock.close())
  return sock
}

type Peer = Sock['knownPeers'][number]

/** One key is as good as another, and costs as much to make as a handshake. */
const keys = Array.from({ length: 8 }, () => Identity.generate())

/** The far end of TLS, in the hands of the test. */
class Inside implements Spoken {
  readonly written: Buffer[] = []
  readonly socket: tls.TLSSocket
  readonly closed: Promise<unknown>
  readonly #sock: Sock

  private constructor(sock: Sock, socket: tls.TLSSocket) {
    this.#sock = sock
    this.socket = socket
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => this.written.push(chunk))
    this.closed = new Promise((resolve) => socket.on('close', resolve))
  }

  /** With one of the keys, or without any. */
  static async dial(sock: Sock, key?: number): Promise<Inside> {
    const socket = tls.connect({
      ...{ host: '127.0.0.1', port: Number(new URL(at(sock)).port), rejectUnauthorized: false },
      ALPNProtocols: [ALPN],
      ...(key === undefined ? {} : { secureContext: contextOf(keys[key % keys.length]!) }),
    })
    await once(socket, 'secureConnect')
    socket.setNoDelay(true)
    return new Inside(sock, socket)
  }

  say(bytes: Uint8Array): void {
    if (this.socket.writable) this.socket.write(bytes)
  }

  /** Let in as a peer, or refused, after `last` was said. */
  judged(last: () => void): Promise<{ peer?: Peer; code?: string }> {
    const mine = `tcp://127.0.0.1:${this.socket.localPort}`
    return new Promise((resolve) => {
      const over = [
        this.#sock.on('peer', ({ peer }) => {
          if (peer.address === mine) settle({ peer })
        }),
        this.#sock.on('refused', ({ address, error: { code } }) => {
          if (address === mine) settle({ code })
        }),
      ]
      const settle = (what: { peer?: Peer; code?: string }): void => {
        for (const off of over) off()
        resolve(what)
      }
      last()
    })
  }
}

const contexts = new Map<Identity, tls.SecureContext>()
function contextOf(identity: Identity): tls.SecureContext {
  let context = contexts.get(identity)
  if (context === undefined) {
    const { key, certificate } = Identity.tlsOf(identity)
    contexts.set(
      identity,
      (context = tls.createSecureContext({ key, cert: pemOf('CERTIFICATE', certificate) })),
    )
  }
  return context
}

async function stillGood(sock: Sock): Promise<void> {
  const friend = await TcpSock.open({ identity: Identity.generate(), protocol })
  const peer = await friend.connectTo(at(sock))
  assert.equal(await peer.request('ask', 2), 2)
  await friend.close()
  while (sock.stats().peers > 0) await new Promise((resolve) => setTimeout(resolve, 1))
}

async function session(sock: Sock, n: number): Promise<End> {
  const dice = diceOf(n)
  const isProven = dice(12) > 0
  const pipe = await Inside.dial(sock, isProven ? n : undefined)
  const far = new Far(pipe)
  const good = dice(4) > 0
  const hello = frame(good ? helloOf(protocol) : damagedHello(dice, helloOf(protocol)))
  const { peer, code } = await pipe.judged(() => {
    records(dice, pipe, hello)
    // Without it one that wants more bytes waits for its bound.
    if (!good && dice(10) > 0) pipe.socket.end()
  })
  if (peer === undefined) {
    await pipe.closed
    if (!isProven) assert.equal(code, UNPROVEN)
    else assert.ok(!good && REFUSALS.includes(code ?? ''), `it is refused for ${code}`)
    return { code: code ?? '', why: code }
  }
  assert.ok(isProven, 'nobody is let in who has proven nothing')
  const gone = new Promise<End>((resolve) => {
    const off = sock.on('gone', (event) => {
      if (event.peer !== peer) return
      off()
      const { code = 'well', message } = event.error ?? {}
      resolve({ code, why: message?.replaceAll(/\d+/g, 'n') })
    })
  })
  const ours = begin(dice, peer)
  const quiet = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  await state({ quiet }, dice, far)
  let lane = 13
  const fresh = (): number => (lane += 2)
  for (let left = dice(FRAMES); left > 0 && pipe.socket.writable; ) {
    const chunk: Uint8Array[] = []
    far.ack = far.received
    for (let some = 1 + dice(20); some > 0; some--, left--)
      chunk.push(frame(damaged(dice, next(dice, far, fresh))))
    records(dice, pipe, Buffer.concat(chunk))
    await quiet()
  }
  inOrder(far)
  await leave(dice, far, peer)
  const end = await gone
  assert.ok(ENDS.includes(end.code), `it ended with ${end.code}`)
  // They hear of it behind the event.
  for (let turns = 0; turns < 10 && ours.waits().length > 0; turns++) await quiet()
  assert.deepEqual(ours.waits(), [], 'whoever waited for it has heard')
  return end
}

/** In one record, or in several, and now and then in one for each byte. */
function records(dice: Dice, pipe: Inside, bytes: Uint8Array): void {
  const step = dice(3) > 0 ? bytes.length : dice(30) === 0 ? 1 : 1 + dice(bytes.length)
  for (let from = 0; from < bytes.length; from += step) pipe.say(bytes.subarray(from, from + step))
}

/** One of the ways to end a connection; or we do. */
async function leave(dice: Dice, far: Far<Inside>, peer: Peer): Promise<void> {
  const { socket } = far.pipe
  switch (dice(5)) {
    case 0:
      socket.end()
      break
    case 1:
      socket.destroy()
      break
    case 2:
      // Behind the middle of a frame.
      far.pipe.say(frame(new Uint8Array(dice(100))).subarray(0, 1 + dice(4)))
      socket.end()
      break
    case 3: {
      // When that is answered, all that was said before has been read.
      if (socket.writable) far.send(PING, {}, encodePing({ ttl: 1_000, nonce: Buffer.from('farewell') }))
      const answered = (): boolean => far.of('PONG').some(({ body }) => body.includes('farewell'))
      while (!socket.destroyed && !answered())
        await Promise.race([new Promise((resolve) => socket.once('data', resolve)), far.pipe.closed])
      peer.close()
      break
    }
    default:
      peer.close()
  }
  await far.pipe.closed
}
