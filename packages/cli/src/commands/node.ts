/*
 * `socktools listen` and `socktools connect`: one node.
 *
 *   stdin ──▶ readLines ──▶ notation ──▶ every peer, each awaited     the slowest sets the pace, nothing is dropped
 *   peers ──▶ notation ──▶ Printer ──▶ stdout                         a full stdout stops the reading from the peers
 *
 *   start ──▶ talk ──▶ leave      talk ends with stdin or with the last peer; a node that stays needs a signal
 */
import { fstatSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Codec,
  type Lost,
  type MetaSock,
  type Peer,
  type SockError,
  type SockOptions,
  lengthPrefixed,
} from 'socktools'
import { isUsage, UsageError } from '../errors.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import type { MakeFraming } from '../framing-names.ts'
import { firstInterrupt } from '../interrupt.ts'
import { type CodecName, type Notation, notationOf } from '../notation.ts'
import { Printer } from '../printer.ts'
import type { ReporterOptions } from '../reporter.ts'
import { readLines } from '../read-lines.ts'
import { type Secured, securityOf } from '../secured.ts'
import { type Dial, type Places, gather, isUdp } from '../socks.ts'
import { watchStalls } from '../stall.ts'
import { counted, tellEvents } from '../status.ts'
import { checkAddresses } from '../transports.ts'

export interface NodeOptions extends ReporterOptions, Secured {
  /** Default: the plain wire's. */
  readonly framing?: MakeFraming
  readonly codec?: CodecName
  readonly hex?: boolean
  /** Bytes. Default 16 MiB, over UDP 1,472. */
  readonly maxFrame?: number
  /** Seconds. */
  readonly wait: number
  /** Seconds; 0: for ever. */
  readonly stall: number
}

const MAX_FRAME = 16 * 1024 * 1024
/** How long leaving may take after a signal, in milliseconds. */
const GRACE = 5_000
/** Given to drain(), which counts from its start. Here the count is from the last that was heard. */
const A_DAY = 24 * 3600 * 1000
/** After the last peer has ended: how soon more must come from stdin to count as left, in milliseconds. */
const MOMENT = 100

export async function runNode(places: Places, options: NodeOptions): Promise<ExitCode> {
  const notation = await notationOf(options)
  const printer = new Printer(options, notation)
  try {
    // Node would take it for an empty file.
    if (fstatSync(0).isDirectory()) throw new Error('stdin is a directory: give it a file or a pipe')
    await checkAddresses(places)
    checkProvable(places, options)
    return await new Node(places, options, notation, printer, await securityOf(options)).run()
  } catch (error) {
    printer.error(error)
    return isUsage(error) ? EXIT.usage : EXIT.failed
  }
}

/** Who is there is proven over TCP alone. */
function checkProvable({ bind = [], dial = [], keep = [] }: Places, { identity, trust }: Secured): void {
  if (identity === undefined) {
    if (trust === undefined) return
    throw new UsageError('--trust is for ids, which nobody proves without --identity')
  }
  const other = [...bind, ...dial, ...keep].find((address) => !address.startsWith('tcp:'))
  if (other !== undefined)
    throw new UsageError(`--identity is for tcp: alone: run ${other} as a node of its own, without it`)
}

class Node {
  readonly #sock: MetaSock
  readonly #dials: readonly Dial[]
  readonly #notation: Notation
  readonly #printer: Printer
  readonly #options: NodeOptions
  /** The longest line of stdin. */
  readonly #longest: number
  /** It does not end by itself: others may come. */
  readonly #stays: boolean
  readonly #interrupted = firstInterrupt()
  readonly #peers = new Set<Peer<Codec<unknown>>>()
  /** Whoever waits for a peer to come or go. */
  #waiting: (() => void)[] = []
  /** Lines read from stdin and not sent to anyone yet. */
  #unsent = 0
  /** The number of the line that was read last. */
  #line = 0
  #leaving = false
  #failed = false

  constructor(
    places: Places,
    options: NodeOptions,
    notation: Notation,
    printer: Printer,
    security: Pick<SockOptions, 'security' | 'trust'>,
  ) {
    const { bind = [], keep = [] } = places
    const { maxFrame, framing = () => lengthPrefixed() } = options
    this.#options = options
    this.#notation = notation
    this.#printer = printer
    this.#longest = notation.longest(maxFrame ?? MAX_FRAME)
    this.#stays = bind.length > 0 || keep.length > 0
    const { meta, dials } = gather(places, {
      codec: notation.codec(maxFrame),
      framing: framing(maxFrame ?? MAX_FRAME),
      ...security,
      ...(maxFrame === undefined ? {} : { maxFrame }),
    })
    this.#sock = meta
    this.#dials = dials
    // Messages of every type.
    meta.use((message, { peer }) => printer.message(message, peer))
    tellEvents(this.#sock, printer)
    if (options.stall > 0) watchStalls(this.#sock, options.stall, (peer) => this.#giveUpOn(peer))
    this.#sock.on('peer', ({ peer }) => {
      this.#peers.add(peer)
      this.#changed()
    })
    this.#sock.on('dropped', ({ reason }) => {
      // Over UDP the system may refuse a message after its send has resolved.
      if (reason === 'unsendable') this.#failed = true
    })
    this.#sock.on('gone', ({ peer, error, lost }) => {
      this.#judge(peer, error, lost)
      this.#peers.delete(peer)
      this.#changed()
    })
  }

  async run(): Promise<ExitCode> {
    const interrupted = this.#interrupted.then((signal) => {
      const unsent = this.#unsent > 0 ? `; not sent: ${counted(this.#unsent, 'line')} of stdin` : ''
      const text = `${signal}: finishing what was sent, once more to leave at once${unsent}`
      this.#printer.status('interrupted', { signal, unsent: this.#unsent }, text)
    })
    try {
      await Promise.race([this.#startAndTalk(), interrupted])
    } catch (error) {
      // Not all of it came up: then none of it stays, nor the file of a Unix socket.
      await this.#sock.close()
      throw error
    }
    await this.#leave()
    return this.#failed ? EXIT.failed : EXIT.ok
  }

  async #startAndTalk(): Promise<void> {
    await this.#sock.start()
    const dials = await Promise.allSettled(this.#dials.map((dial) => dial()))
    const [error, ...more] = dials
      .filter((one) => one.status === 'rejected')
      .map((one) => one.reason as Error)
    for (const other of more) this.#printer.error(other)
    if (error !== undefined) throw error
    if (this.#stays) await this.#tell().then(() => new Promise(() => undefined))
    else await Promise.race([this.#tell(), this.#everyoneLeft()])
  }

  /** Sends what comes on stdin. A node that stays reads nothing before there is someone to send it to. */
  async #tell(): Promise<void> {
    if (this.#stays) await this.#someone()
    try {
      for await (const batch of readLines(process.stdin, this.#longest)) {
        this.#unsent = batch.length
        this.#changed()
        for (const line of batch) {
          const peers = await this.#someone()
          if (this.#leaving) return
          this.#unsent--
          this.#line++
          await this.#send(line, peers)
        }
      }
    } catch (error) {
      // What was sent before is still to be drained.
      this.#fail(error)
    }
  }

  /** A line that cannot be sent is told, and those after it are sent all the same. */
  async #send(line: Uint8Array, peers: readonly Peer<Codec<unknown>>[]): Promise<void> {
    const where = `line ${this.#line} of stdin`
    let message
    try {
      message = this.#notation.read(line)
    } catch (thrown) {
      this.#fail(new Error(`${where} ${thrown instanceof Error ? thrown.message : String(thrown)}`))
      return
    }
    const { type, data } = message
    const sends = await Promise.allSettled(peers.map((peer) => peer.sendMsg(type, data)))
    const errors = sends.flatMap((one) => (one.status === 'rejected' ? [one.reason as SockError] : []))
    const told = new Set<string>()
    for (const error of errors) {
      // What is wrong with the line itself is so for many peers, and told once.
      if (isEnding(error) || told.has(error.what)) continue
      told.add(error.what)
      this.#fail(error, where)
    }
  }

  async #someone(): Promise<Peer<Codec<unknown>>[]> {
    for (;;) {
      const open = this.#sock.knownPeers.filter(({ state }) => state === 'open')
      if (open.length > 0 || this.#leaving) return open
      await this.#change()
    }
  }

  async #everyoneLeft(): Promise<void> {
    while (this.#peers.size > 0) await this.#change()
    // Between two chunks there is no line in hand, and stdin may well hold more.
    const more = (): Promise<boolean> =>
      Promise.race([this.#change().then(() => true), sleep(MOMENT, false, { ref: false })])
    while (this.#unsent === 0 && (await more()));
    if (this.#unsent > 0 && !this.#leaving)
      this.#fail(new Error(`the far side ended: ${this.#unsent} lines of stdin were not sent`))
  }

  /**
   * Ends in good order: once all is sent and the far sides have ended too, or have been silent for so long
   * that they will hardly answer. After a signal it must not take long either way.
   */
  async #leave(): Promise<void> {
    this.#leaving = true
    this.#changed()
    const wait = this.#options.wait * 1000
    let sentAt = Infinity
    let deadline = Infinity
    void this.#interrupted.then(() => (deadline = performance.now() + GRACE))
    const timer = setInterval(() => {
      const now = performance.now()
      if (now < deadline && now - Math.max(sentAt, this.#heardAt(now)) < wait) return
      const hangers = [...this.#peers].some(({ address }) => !isUdp(address))
      if (hangers) this.#printer.status('cut', {}, 'the far side does not end: left')
      void this.#sock.close()
    }, 50)
    await Promise.allSettled(this.#sock.knownPeers.map((peer) => peer.flushed()))
    sentAt = performance.now()
    await this.#answersOverUdp(sentAt)
    await this.#sock.drain({ timeout: A_DAY })
    clearInterval(timer)
  }

  /** Over UDP nobody tells that no more will come: only silence does. Whoever can tell is not kept waiting for it. */
  async #answersOverUdp(sentAt: number): Promise<void> {
    const streams = [...this.#peers].filter(({ address }) => !isUdp(address))
    if (this.#stays || streams.length === this.#peers.size) return
    await Promise.all(streams.map((peer) => peer.drain({ timeout: A_DAY })))
    const wait = this.#options.wait * 1000
    const stop = this.#interrupted.then(() => true)
    const silent = (now: number): boolean => now - Math.max(sentAt, this.#heardAt(now)) >= wait
    while (!silent(performance.now()) && !(await Promise.race([stop, sleep(50, false)])));
  }

  #heardAt(now: number): number {
    const stats = [...this.#peers].map((peer) => peer.stats())
    // While we are behind with printing, it is not them who are silent.
    return Math.max(0, ...stats.map(({ waiting, silent }) => (waiting > 0 ? now : now - silent)))
  }

  /** Which endings make the exit code one of failure. For a node that stays, peers may come and go as they like. */
  #judge({ address }: Peer<Codec<unknown>>, error: SockError | undefined, { unsent }: Lost): void {
    if (error !== undefined && !this.#stays) this.#fail(error)
    if (unsent > 0 && (this.#leaving || !this.#stays)) {
      this.#fail(new Error(`${unsent} messages for ${address} were not sent`))
    }
  }

  #giveUpOn(peer: Peer<Codec<unknown>>): void {
    const { address } = peer
    const { stall } = this.#options
    this.#printer.status(
      'stalled',
      { peer: this.#printer.idOf(peer), address },
      `${address} took nothing for ${stall} s: closed`,
    )
    peer.close()
  }

  #fail(error: unknown, where?: string): void {
    this.#failed = true
    this.#printer.error(error, where)
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  #changed(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

/** Whoever goes away is reported by the "gone" event, with what was lost. */
const isEnding = ({ code }: SockError): boolean => ['PEER_GONE', 'DRAINING', 'CLOSED'].includes(code)
