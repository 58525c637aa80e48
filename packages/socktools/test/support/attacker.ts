/** Who attacks: bytes made by hand, over real sockets, against a process of its own that has to go on serving others. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { after, before } from 'node:test'
import { json, type SockOptions, type SockStats, TcpSock } from '../../src/index.ts'
import { Header, HEADER, nameOfKind, writeHeader } from '../../src/wire/v1/frame.ts'
import { decodeWelcome } from '../../src/wire/v1/hello-bytes.ts'
import { type Hello, SESSIONS, type Welcome } from '../../src/wire/v1/hello.ts'
import { helloOf } from '../sock/v1/far.ts'
import { protocol, type Report } from './attacked.ts'
import { Child, type Ending } from './child.ts'
import { frame } from './tcp.ts'

const MIB = 1024 * 1024
/** Until a victim has counted what it is to count, in milliseconds. */
const PATIENCE = 20_000

/** A process that is attacked, and one that means no harm and is served all the while. */
export class Victim {
  readonly address: string
  readonly #child: Child
  readonly #serves: (text: string) => Promise<string>

  private constructor(child: Child, address: string, serves: (text: string) => Promise<string>) {
    this.#child = child
    this.address = address
    this.#serves = serves
  }

  /** `under`: a command that runs it. */
  static async start(
    t: Ending,
    wire: 'plain' | 'v1',
    options: SockOptions = {},
    under: readonly string[] = [],
  ): Promise<Victim> {
    const child = Child.under(t, under, 'victim', wire, JSON.stringify(options))
    const address = await child.hear<string>()
    const victim = new Victim(child, address, wire === 'v1' ? await v1(t, address) : await plain(t, address))
    await victim.serves()
    // What is made once is made.
    const come = (): Promise<Attacker> =>
      wire === 'v1' ? Attacker.greet(t, victim, { features: 0n }) : Attacker.dial(t, victim)
    const first = await Promise.all(Array.from({ length: 10 }, come))
    await victim.until(({ accepted }) => accepted === 11)
    for (const { socket } of first) socket.destroy()
    await victim.until(({ peers }) => peers === 1)
    return victim
  }

  async report(what = 'report'): Promise<Report> {
    this.#child.tell(what)
    return this.#child.hear()
  }

  /** Resolves when its stats are such, to what it says then. */
  async until(so: (stats: SockStats, report: Report) => boolean): Promise<Report> {
    const began = performance.now()
    for (;;) {
      const report = await this.report()
      if (so(report.stats, report)) return report
      if (performance.now() - began > PATIENCE) assert.fail(JSON.stringify(report))
    }
  }

  /** It answers. */
  async serves(): Promise<void> {
    assert.equal(await this.#serves('there?'), 'there?')
  }

  /**
   * Attacks it. It answers others meanwhile and after that, and takes no more memory than `mib` MiB meanwhile. Returns what it
   * counted beyond what it had counted before, and what it says in the end.
   */
  async bears(
    attack: () => Promise<unknown>,
    { mib = 48, when = () => true }: { mib?: number; when?: (more: Counted, report: Report) => boolean } = {},
  ): Promise<{ more: Counted; report: Report; lines: string[] }> {
    const before = await this.report()
    const { most: _, ...since } = before
    const lines: string[] = []
    const state = { over: false }
    const attacked = attack().finally(() => (state.over = true))
    let peak = 0
    const look = async (): Promise<Report> => {
      await this.serves()
      const report = await this.report()
      peak = Math.max(peak, report.peak)
      lines.push(...report.lines)
      return report
    }
    while (!state.over) await look()
    await attacked
    let report = await look()
    // A guard like any other: told with what was counted instead.
    const began = performance.now()
    while (!when(counted(since.stats, report.stats), report)) {
      if (performance.now() - began > PATIENCE)
        assert.fail(JSON.stringify(counted(since.stats, report.stats)))
      report = await look()
    }
    const grown = (peak - before.rss) / MIB
    assert.ok(grown < mib, `it took ${grown.toFixed(1)} MiB more, and ${mib} are allowed`)
    return { more: counted(since.stats, report.stats), report, lines }
  }
}

/** One victim for all tests of a suite. */
export function attacked(...of: Rest<Parameters<typeof Victim.start>>): () => Victim {
  const ends: (() => unknown)[] = []
  let victim: Victim | undefined
  before(async () => {
    victim = await Victim.start({ after: (fn) => void ends.push(fn) }, ...of)
  })
  after(async () => {
    for (const end of ends.reverse()) await end()
  })
  return () => victim as Victim
}

type Rest<T extends readonly unknown[]> = T extends readonly [unknown, ...infer R] ? R : never

/** By code or name: how often. */
export type Counted = Readonly<Record<string, number>>

function counted(before: SockStats, now: SockStats): Counted {
  const more: Record<string, number> = {}
  for (const group of ['refused', 'failed'] as const)
    for (const [code, n] of Object.entries(now[group]))
      more[code] = (more[code] ?? 0) + n - (before[group][code] ?? 0)
  for (const name of ['accepted', 'messagesIn', 'invalid', 'unhandled', 'faults', 'slowed'] as const)
    more[name] = now[name] - before[name]
  return more
}

async function v1(t: Ending, address: string): Promise<(text: string) => Promise<string>> {
  const sock = await TcpSock.open({ protocol })
  t.after(() => sock.close())
  const peer = await sock.connectTo(address)
  return (text) => peer.request('echo', text)
}

async function plain(t: Ending, address: string): Promise<(text: string) => Promise<string>> {
  let answered: (text: string) => void = () => undefined
  const handlers = {
    echo: (text: unknown) => {
      answered(text as string)
    },
  }
  const sock = await TcpSock.open({ codec: json(), handlers })
  t.after(() => sock.close())
  const peer = await sock.connectTo(address)
  return (text) => {
    const answer = new Promise<string>((resolve) => (answered = resolve))
    void peer.sendMsg('echo', text)
    return answer
  }
}

export interface Heard {
  readonly kind: string
  readonly lane: number
  readonly body: Buffer
}

/** One connection of somebody who means harm. */
export class Attacker {
  readonly socket: net.Socket
  /** Resolves when the connection is over. */
  readonly closed: Promise<void>
  seq = 1
  /** What it says to have received. */
  ack = 0
  #rest = Buffer.alloc(0)
  #first = true
  /** What came behind WELCOME. */
  readonly heard: Heard[] = []
  #welcome: ((welcome: Welcome) => void) | undefined

  constructor(socket: net.Socket) {
    this.socket = socket.setNoDelay(true)
    socket.on('error', () => undefined)
    this.closed = new Promise((resolve) => socket.on('close', () => resolve()))
    // To be read unless it is told not to.
    socket.on('data', (chunk: Buffer) => {
      this.#data(chunk)
    })
  }

  static async dial(t: Ending, { address }: { address: string }, from?: string): Promise<Attacker> {
    const port = Number(new URL(address).port)
    const socket = net.connect({
      host: '127.0.0.1',
      port,
      ...(from === undefined ? {} : { localAddress: from }),
    })
    t.after(() => socket.destroy())
    await Promise.race([once(socket, 'connect'), once(socket, 'close')])
    return new Attacker(socket)
  }

  /** One whose handshake is done. */
  static async greet(t: Ending, victim: { address: string }, hello: Partial<Hello> = {}): Promise<Attacker> {
    const one = await Attacker.dial(t, victim)
    await one.hello(hello)
    return one
  }

  hello(hello: Partial<Hello> = {}): Promise<Welcome> {
    const welcomed = new Promise<Welcome>((resolve) => (this.#welcome = resolve))
    void this.write(frame(helloOf(protocol, { features: SESSIONS, ...hello })))
    return welcomed
  }

  /** Resolves when the system has taken it, or never will. */
  write(bytes: Uint8Array | string): Promise<void> {
    return new Promise((resolve) => {
      this.socket.write(bytes, () => resolve())
    })
  }

  send(...of: Parameters<Attacker['framed']>): Promise<void> {
    return this.write(this.framed(...of))
  }

  /** A frame of v1, in order unless it is told otherwise. */
  framed(
    kind: number,
    { lane = 0, type = 0, flags = 0, seq = kind < 0x10 ? this.seq++ : 0, ack = this.ack } = {},
    body: Uint8Array | string = '',
  ): Buffer {
    const data = Buffer.from(body as Uint8Array)
    const payload = new Uint8Array(HEADER + data.length)
    writeHeader(payload, 0, kind, flags, type, lane, seq, ack)
    payload.set(data, HEADER)
    return frame(payload)
  }

  #data(chunk: Buffer): void {
    // Over the plain wire nothing of the answers matters.
    if (this.#welcome === undefined) return
    this.#rest = Buffer.concat([this.#rest, chunk])
    for (;;) {
      const n = this.#rest.length < 4 ? Infinity : this.#rest.readUInt32BE(0)
      if (this.#rest.length < 4 + n) return
      const payload = this.#rest.subarray(4, 4 + n)
      this.#rest = this.#rest.subarray(4 + n)
      this.#frame(payload)
    }
  }

  #frame(payload: Buffer): void {
    if (this.#first) {
      this.#first = false
      this.#welcome?.(decodeWelcome(payload))
      return
    }
    if (payload.length < HEADER) return
    const header = new Header()
    header.read(payload)
    this.heard.push({
      kind: nameOfKind(header.kind),
      lane: header.lane,
      body: Buffer.from(payload.subarray(HEADER)),
    })
  }

  /** The code with which the far side said GOODBYE. */
  get farewell(): string | undefined {
    const { body } = this.heard.find(({ kind }) => kind === 'GOODBYE') ?? {}
    return body?.subarray(1, 1 + (body[0] ?? 0)).toString()
  }
}
