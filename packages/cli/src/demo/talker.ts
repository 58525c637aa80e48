import { createHash } from 'node:crypto'
import { type Codec, type Peer, SockError, TcpSock } from 'socktools'
import { TALK, type Talk, type Word } from './contract.ts'
import type { TypedPlan, TypedResult } from './typed.ts'

type Other = Peer<Codec, Talk>

const BLOCK = 256 * 1024

/** One side of the talk, in a process of its own. */
export class Talker {
  readonly #plan: TypedPlan
  readonly #sha = createHash('sha256')
  #bytes = 0
  #heard = 0
  #calls = 0
  #echoes = 0
  #why: string | null = null
  #left = false
  /** All messages are here that were due. */
  readonly #due = new Later()
  /** Its own part is done. */
  readonly #done = new Later()

  constructor(plan: TypedPlan) {
    this.#plan = plan
    if (plan.messages === 0) this.#due.resolve()
    // Who asks for it hears of that; here it is heard by whoever waits for the due.
    this.#due.promise.catch(() => undefined)
  }

  /** `tell`: where this one listens, once it does. */
  async run(tell: (listening: string) => void): Promise<TypedResult> {
    const { name, dial } = this.#plan
    const sock = new TcpSock({
      protocol: TALK,
      handlers: {
        word: (word) => this.#hear(word),
        double: (n) => 2 * n,
        blocks: (bytes) => this.#blocks(bytes),
        echo: async (channel) => {
          for await (const text of channel) await channel.send(text)
        },
        done: () => this.#done.promise,
      },
    })
    let finished = false
    const left = new Promise<void>((resolve) => {
      sock.on('gone', () => {
        if (!finished) this.#due.reject(new Left(`it ended after ${this.#heard} messages`))
        resolve()
      })
    })
    const talked = new Promise<void>((resolve, reject) => {
      sock.on('peer', ({ peer }) => {
        this.#talk(peer).then(resolve, reject)
      })
    })
    try {
      if (dial === undefined) tell(await sock.startServer({ bind: 'tcp://127.0.0.1:0' }))
      else await sock.connectTo(dial)
      await talked
      finished = true
      // Who dialed ends it, once the other has said that it needs no more.
      if (dial === undefined) await left
      else await sock.drain()
    } catch (error) {
      this.#why = error instanceof Error ? error.message : String(error)
      this.#left = error instanceof Left || error instanceof SockError
    }
    await sock.close()
    return {
      ...{ name, messages: this.#heard, calls: this.#calls, echoes: this.#echoes, bytes: this.#bytes },
      ...{ sha256: this.#sha.digest('hex'), why: this.#why, left: this.#left },
    }
  }

  async #talk(peer: Other): Promise<void> {
    const dialers = peer.dialed ? [this.#read(peer), this.#echo(peer)] : []
    await Promise.all([this.#say(peer), this.#ask(peer), ...dialers, this.#due.promise])
    this.#done.resolve()
    await peer.request('done')
  }

  async #say(peer: Other): Promise<void> {
    const { name, messages, fault } = this.#plan
    for (let n = 0; n < messages; n++) {
      if (fault !== 'skip' || n !== messages >> 1) await peer.sendMsg('word', { n, from: name })
    }
  }

  #hear({ n, from }: Word): void {
    if (n !== this.#heard)
      this.#due.reject(new Error(`number ${n} of ${from} came when ${this.#heard} was due`))
    else if (++this.#heard === this.#plan.messages) this.#due.resolve()
  }

  async #ask(peer: Other): Promise<void> {
    const ask = async (n: number): Promise<void> => {
      const answer = await peer.request('double', n)
      if (answer !== 2 * n) throw new Error(`the double of ${n} was ${answer}`)
      this.#calls++
    }
    await Promise.all(Array.from({ length: this.#plan.calls }, (_, n) => ask(n)))
  }

  /** Serves the feed: pseudo-random bytes, each block another part of them. */
  async *#blocks(bytes: number): AsyncGenerator<Uint8Array, void> {
    const noise = createHash('shake128', { outputLength: 2 * BLOCK })
      .update('blocks')
      .digest()
    const { fault } = this.#plan
    for (let i = 0, left = bytes; left > 0; i++) {
      const at = (i * 65537) % BLOCK
      const block = noise.subarray(at, at + Math.min(left, BLOCK))
      this.#take(block)
      left -= block.length
      // The byte that is changed has been counted in as it should be.
      yield fault === 'blur' && left === 0
        ? block.map((byte, place) => (place === 0 ? byte ^ 1 : byte))
        : block
    }
  }

  async #read(peer: Other): Promise<void> {
    for await (const block of peer.stream('blocks', this.#plan.bytes)) this.#take(block)
  }

  #take(block: Uint8Array): void {
    this.#sha.update(block)
    this.#bytes += block.length
  }

  async #echo(peer: Other): Promise<void> {
    const { echoes } = this.#plan
    const channel = peer.channel('echo')
    const send = async (): Promise<void> => {
      for (let n = 0; n < echoes; n++) await channel.send(`echo ${n}`)
      await channel.end()
    }
    const sent = send()
    for await (const text of channel) {
      if (text !== `echo ${this.#echoes}`) throw new Error(`"${text}" came back as number ${this.#echoes}`)
      this.#echoes++
    }
    await sent
  }
}

/** The other one is gone, and its part is not done. */
class Left extends Error {}

/** A promise that is settled from outside. */
class Later {
  resolve!: () => void
  reject!: (error: Error) => void
  readonly promise = new Promise<void>((resolve, reject) => {
    this.resolve = resolve
    this.reject = reject
  })
}
