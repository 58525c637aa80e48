/*
 * `socktools listen` and `socktools connect`: one node.
 *
 *   stdin ──▶ readLines ──▶ every peer, each awaited        the slowest sets the pace, nothing is dropped
 *   peers ──▶ Printer ──▶ stdout                            a full stdout stops the reading from the peers
 *
 *   start ──▶ talk ──▶ leave      talk ends with stdin or with the last peer; a node that stays needs a signal
 */
import { fstatSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { PipeSock, type Lost, type Peer, type SockError, lengthPrefixed, lines } from 'socktools'
import { isUsage } from '../errors.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import { firstInterrupt } from '../interrupt.ts'
import { Printer, type PrinterOptions } from '../printer.ts'
import { readLines } from '../read-lines.ts'
import { watchStalls } from '../stall.ts'
import { tellEvents } from '../status.ts'
import { PARTS, checkAddresses } from '../transports.ts'

export interface NodePlan {
  readonly bind?: string
  /** Dialed once; every one must answer. */
  readonly dial?: readonly string[]
  /** Kept up: dialed again whenever they end. */
  readonly keep?: readonly string[]
}

export interface NodeOptions extends PrinterOptions {
  readonly lines?: boolean
  /** Bytes. */
  readonly maxFrame: number
  /** Seconds. */
  readonly wait: number
  /** Seconds; 0: for ever. */
  readonly stall: number
}

/** How long leaving may take after a signal, in milliseconds. */
const GRACE = 5_000
/** Given to drain(), which counts from its start. Here the count is from the last that was heard. */
const A_DAY = 24 * 3600 * 1000
/** After the last peer has ended: how soon more must come from stdin to count as left, in milliseconds. */
const MOMENT = 100

export async function runNode(plan: NodePlan, options: NodeOptions): Promise<ExitCode> {
  const printer = new Printer(options)
  try {
    // Node would take it for an empty file.
    if (fstatSync(0).isDirectory()) throw new Error('stdin is a directory: give it a file or a pipe')
    await checkAddresses([...(plan.dial ?? []), ...(plan.keep ?? [])])
    return await new Node(plan, options, printer).run()
  } catch (error) {
    printer.error(error)
    return isUsage(error) ? EXIT.usage : EXIT.failed
  }
}

class Node {
  readonly #sock: PipeSock
  readonly #printer: Printer
  readonly #plan: NodePlan
  readonly #options: NodeOptions
  /** It does not end by itself: others may come. */
  readonly #stays: boolean
  readonly #interrupted = firstInterrupt()
  readonly #peers = new Set<Peer>()
  /** Whoever waits for a peer to come or go. */
  #waiting: (() => void)[] = []
  /** Lines read from stdin and not sent to anyone yet. */
  #unsent = 0
  #leaving = false
  #failed = false

  constructor(plan: NodePlan, options: NodeOptions, printer: Printer) {
    const { bind, keep = [] } = plan
    const { maxFrame } = options
    this.#plan = plan
    this.#options = options
    this.#printer = printer
    this.#stays = bind !== undefined || keep.length > 0
    const sockOptions = {
      ...(bind === undefined ? {} : { bind }),
      connect: keep,
      framing: options.lines === true ? lines({ max: maxFrame }) : lengthPrefixed(),
      maxFrame,
      handlers: { 0: (payload: Uint8Array, { peer }: { peer: Peer }) => printer.message(payload, peer) },
    }
    this.#sock = new PipeSock(sockOptions, PARTS)
    tellEvents(this.#sock, printer)
    if (options.stall > 0) watchStalls(this.#sock, options.stall, (peer) => this.#giveUpOn(peer))
    this.#sock.on('peer', ({ peer }) => {
      this.#peers.add(peer)
      this.#changed()
    })
    this.#sock.on('gone', ({ peer, error, lost }) => {
      this.#judge(peer, error, lost)
      this.#peers.delete(peer)
      this.#changed()
    })
  }

  async run(): Promise<ExitCode> {
    const interrupted = this.#interrupted.then((signal) => {
      const unsent = this.#unsent > 0 ? `; ${this.#unsent} lines of stdin are not sent` : ''
      const text = `${signal}: finishing what was sent, once more to leave at once${unsent}`
      this.#printer.status('interrupted', { signal, unsent: this.#unsent }, text)
    })
    await Promise.race([this.#startAndTalk(), interrupted])
    await this.#leave()
    return this.#failed ? EXIT.failed : EXIT.ok
  }

  async #startAndTalk(): Promise<void> {
    await this.#sock.start()
    const { dial = [] } = this.#plan
    const dials = await Promise.allSettled(dial.map((address) => this.#sock.connectTo(address)))
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
      for await (const batch of readLines(process.stdin, this.#options.maxFrame)) {
        this.#unsent = batch.length
        this.#changed()
        for (const line of batch) {
          const peers = await this.#someone()
          if (this.#leaving) return
          this.#unsent--
          // One that goes away meanwhile is reported by its "gone" event, with what it lost.
          await Promise.allSettled(peers.map((peer) => peer.sendMsg(0, line)))
        }
      }
    } catch (error) {
      // What was sent before is still to be drained.
      this.#fail(error)
    }
  }

  async #someone(): Promise<Peer[]> {
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
      this.#printer.status('cut', {}, 'the far side does not end: left')
      void this.#sock.close()
    }, 50)
    await Promise.allSettled(this.#sock.knownPeers.map((peer) => peer.flushed()))
    sentAt = performance.now()
    await this.#sock.drain({ timeout: A_DAY })
    clearInterval(timer)
  }

  #heardAt(now: number): number {
    const stats = [...this.#peers].map((peer) => peer.stats())
    // While we are behind with printing, it is not them who are silent.
    return Math.max(0, ...stats.map(({ waiting, silent }) => (waiting > 0 ? now : now - silent)))
  }

  /** Which endings make the exit code one of failure. For a node that stays, peers may come and go as they like. */
  #judge({ address }: Peer, error: SockError | undefined, { unsent }: Lost): void {
    if (error !== undefined && !this.#stays) this.#fail(error)
    if (unsent > 0 && (this.#leaving || !this.#stays)) {
      this.#fail(new Error(`${unsent} messages for ${address} were not sent`))
    }
  }

  #giveUpOn(peer: Peer): void {
    const { id, address } = peer
    const { stall } = this.#options
    this.#printer.status('stalled', { peer: id, address }, `${address} took nothing for ${stall} s: closed`)
    peer.close()
  }

  #fail(error: unknown): void {
    this.#failed = true
    this.#printer.error(error)
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  #changed(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
