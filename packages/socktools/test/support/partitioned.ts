/** What both sides of a connection that stands still say to each other, in one process or in two. */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { call, msg, nothing, type Peer, type RawCodec, type TcpSock } from '../../src/index.ts'
import { z } from 'zod'

export const INTERVAL = 200
export const DEAD = 600
export const BACKOFF = 200

export const protocol = {
  say: msg(z.number()),
  ping: call(nothing(), nothing()),
  /** The other side is asked, too. */
  both: call(nothing(), nothing()),
  /** Begin to talk; stop, and tell how many were sent and how many came. */
  talk: call(nothing(), nothing()),
  tell: call(nothing(), z.object({ sent: z.number(), came: z.number() })),
}

type Sock = TcpSock<RawCodec, typeof protocol>
type P = Peer<RawCodec, typeof protocol>

export const OPTIONS = {
  heartbeat: INTERVAL,
  timeout: DEAD,
  connectTimeout: 1000,
  handshakeTimeout: 1000,
  backoff: { first: 20, max: BACKOFF, healthy: 1000 },
}

/** A dialer here, and the acceptor, which is here as well or in another process. */
export interface Two {
  readonly client: Sock
  readonly there: P
  readonly far: { readonly server: Sock; readonly here: P } | undefined
  /** What happens to the acceptor stops it. */
  readonly frozen: boolean
  readonly lost: readonly string[]
}

interface Count {
  readonly sent: number
  readonly came: number
}

/** One side: answers, and says numbers if it is asked to. */
export class Side {
  #sent = 0
  #came = 0
  #timer: NodeJS.Timeout | undefined

  constructor(sock: Sock, peer: () => P) {
    sock.addHandler('say', (n) => {
      assert.equal(n, this.#came++, 'in order, none twice')
    })
    sock.addHandler('ping', () => undefined)
    sock.addHandler('both', async () => {
      await peer().request('ping', undefined)
    })
    sock.addHandler('talk', () => {
      this.talk(peer)
    })
    sock.addHandler('tell', () => this.tell())
    sock.on('fault', ({ error }) => {
      throw error
    })
  }

  talk(peer: () => P): void {
    this.#timer = setInterval(() => void peer().sendMsg('say', this.#sent++), 5)
  }

  get count(): Count {
    return { sent: this.#sent, came: this.#came }
  }

  /** Says no more. */
  tell(): Count {
    clearInterval(this.#timer)
    return this.count
  }
}

/** Has both sides talk all the while, if they are busy, and count what came. */
export class Talker {
  readonly #two: Two
  readonly #near: Side
  readonly #busy: boolean

  constructor(two: Two, busy: boolean) {
    this.#two = two
    this.#busy = busy
    const { client, there, far } = two
    this.#near = new Side(client, () => there)
    if (far !== undefined) new Side(far.server, () => far.here)
    if (busy) {
      void there.request('talk', undefined)
      this.#near.talk(() => there)
    }
  }

  /** Resolves when each side has had an answer of the other. */
  async bothAnswer(): Promise<void> {
    await this.#two.there.request('both', undefined)
  }

  async end(): Promise<void> {
    const { there } = this.#two
    while (this.#busy && (this.#near.count.sent < 50 || this.#near.count.came < 50)) await sleep(10)
    const near = this.#near.tell()
    let far = await there.request('tell', undefined)
    // What is said goes its own way: behind the answer comes the rest.
    while (far.came < near.sent || this.#near.tell().came < far.sent)
      far = await there.request('tell', undefined)
    assert.deepEqual([far.came, this.#near.tell().came], [near.sent, far.sent], 'nothing is lost')
  }
}
