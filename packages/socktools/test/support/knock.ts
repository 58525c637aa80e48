import type {
  PipeSock,
  Endpoint,
  Peer,
  Pipe,
  PipeSink,
  Platform,
  SockOptions,
  Transport,
} from '../../src/index.ts'
import { simulate, type World, type WorldOptions } from './world.ts'

/** A transport whose connections are made by the test, from whatever host it likes: `knock:any` is where to listen. */
export class Knocker implements Transport {
  readonly scheme = 'knock'
  /** Whom a dial reaches; without it, a dial never settles, given up or not. */
  answer: (() => Pipe | Promise<Pipe>) | undefined
  dials = 0
  readonly #platform: Platform
  #onPipe: ((pipe: Pipe) => void) | undefined
  #count = 0

  constructor(platform: Platform) {
    this.#platform = platform
  }

  async dial(): Promise<Pipe> {
    this.dials++
    return this.answer?.() ?? new Promise(() => undefined)
  }

  async listen(_at: URL, _options: object, onPipe: (pipe: Pipe) => void): ReturnType<Transport['listen']> {
    this.#onPipe = onPipe
    return { address: 'knock:any', close: async () => undefined }
  }

  /** A connection from `host`, from a port of its own unless told. */
  knock(host = 'far.example', local = false, port = ++this.#count): TestPipe {
    const pipe = this.pipe(host, local, port)
    this.#onPipe?.(pipe)
    return pipe
  }

  /** One that nobody has been handed yet. */
  pipe(host = 'far.example', local = false, port = ++this.#count): TestPipe {
    return new TestPipe(this.#platform, { address: `knock:${host}:${port}`, host, local })
  }
}

/** The far end of a pipe, in the hands of the test. */
export class TestPipe implements Pipe {
  readonly remote: Endpoint
  /** What was written, in the order of the writes. */
  readonly written: Buffer[] = []
  /** The chunks themselves. */
  readonly chunks: Uint8Array[] = []
  paused = true
  ended = false
  destroyed = false
  /** The pipe holds on to what it is given until `drain`. */
  stuck = false
  /** Something was written when nothing may be: after `end`, or before `drain`. */
  broken = false
  readonly #platform: Platform
  #sink: PipeSink | undefined
  #holding = false
  #unread: Uint8Array[] = []

  constructor(platform: Platform, remote: Endpoint) {
    this.#platform = platform
    this.remote = remote
  }

  attach(sink: PipeSink): void {
    this.#sink = sink
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.ended || this.destroyed || this.#holding) this.broken = true
    this.written.push(Buffer.concat(chunks))
    this.chunks.push(...chunks)
    this.#holding = this.stuck
    return !this.#holding
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    this.#platform.afterPoll(() => this.#deliver())
  }

  end(): void {
    this.ended = true
  }

  destroy(): void {
    if (this.destroyed) return
    this.destroyed = true
    this.#platform.defer(() => this.#sink?.close())
  }

  /** The far side says something. */
  say(bytes: Uint8Array): void {
    this.#unread.push(bytes)
    this.#deliver()
  }

  /** The far side has finished. */
  finish(): void {
    this.#sink?.end()
  }

  /** The connection breaks. */
  break(error?: Error): void {
    this.destroyed = true
    this.#sink?.close(error)
  }

  /** What was held is gone; more may be written. */
  drain(): void {
    if (!this.#holding) return
    this.#holding = false
    this.#sink?.drain()
  }

  #deliver(): void {
    while (!this.paused && !this.destroyed) {
      const bytes = this.#unread.shift()
      if (bytes === undefined) return
      this.#sink?.data(bytes)
    }
  }
}

/** Runs `scenario` in a world with a Knocker. */
export function knocking(
  scenario: (world: World, door: Knocker) => Promise<void>,
  options: WorldOptions = {},
): Promise<void> {
  let door: Knocker | undefined
  return simulate((world) => scenario(world, door as Knocker), {
    ...options,
    transports: (platform) => [(door = new Knocker(platform))],
  })
}

export interface Knocked {
  readonly server: PipeSock
  readonly peer: Peer
  readonly pipe: TestPipe
}

/** A server with one peer, whose pipe is in the hands of the test. */
export async function knocked(world: World, door: Knocker, options: SockOptions = {}): Promise<Knocked> {
  const server = await world.open({ bind: 'knock:any', ...options })
  const pipe = door.knock()
  const [peer] = server.knownPeers
  if (peer === undefined) throw new Error('the knock was not answered')
  return { server, peer, pipe }
}
