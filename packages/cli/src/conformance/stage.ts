/** Where a case plays: connections in one role, with the handshake done or left to the case. */
import { connect as dialSocket, createServer, type NetConnectOpts, type Server, type Socket } from 'node:net'
import { once } from 'node:events'
import { readUint } from './bytes.ts'
import { Failed } from './failed.ts'
import { table } from './frame.ts'
import {
  checkOffer,
  field,
  type Greeting,
  greetingIn,
  hello,
  MAX_HELLO,
  offer,
  rejection,
  rejectionIn,
  RESULTS,
  type TagName,
  TAG,
  welcome,
} from './hello.ts'
import { Line } from './line.ts'
import { type Counts, Talk, TYPES } from './talk.ts'

/** Of this tool: it dials the implementation, or listens and is dialed by it. */
export type Role = 'dialer' | 'listener'

export interface Terms {
  readonly fields?: Partial<Record<TagName, Uint8Array | undefined>>
  /** The fingerprint of the other side is told: the contracts are the same, and nobody sends a TABLE. */
  readonly alike?: boolean
  /** Our TABLE is left to the case. */
  readonly withoutTable?: boolean
  /** We go on with a session: in HELLO with `resume`, in WELCOME with this result. */
  readonly counts?: Counts
  /** Up to what the other side says that it has. */
  readonly acked?: number
}

export class Stage {
  readonly role: Role
  readonly #to: NetConnectOpts
  readonly #next: () => Promise<Socket>
  readonly #lines: Line[] = []
  #over = false
  /** Learned once: of a contract like ours. */
  readonly #known: { fingerprint?: Uint8Array }

  constructor(
    role: Role,
    {
      to,
      next,
      known,
    }: { to: NetConnectOpts; next: () => Promise<Socket>; known: { fingerprint?: Uint8Array } },
  ) {
    this.role = role
    this.#to = to
    this.#next = next
    this.#known = known
  }

  get dials(): boolean {
    return this.role === 'dialer'
  }

  /** Somebody was there. */
  get met(): boolean {
    return this.#lines.length > 0
  }

  /** What was asked for last and did not come. */
  get waitsFor(): string {
    return this.#lines.at(-1)?.waitsFor ?? (this.dials ? 'a connection' : 'a dial')
  }

  /** A connection of which nothing was read yet. */
  async line(): Promise<Line> {
    if (this.#over) throw new Failed('the time is up')
    const socket = this.dials ? await this.#dial() : await this.#next()
    const line = new Line(socket)
    this.#lines.push(line)
    // The time may be up by now.
    if (this.#over as boolean) line.close()
    return line
  }

  async #dial(): Promise<Socket> {
    const socket = dialSocket({ ...this.#to, allowHalfOpen: true } as NetConnectOpts)
    try {
      await once(socket, 'connect')
    } catch (error) {
      throw new Failed(`it cannot be dialed: ${(error as Error).message}`)
    }
    return socket
  }

  /** The handshake, and then frames. */
  async talk(terms: Terms = {}): Promise<Talk> {
    return this.dials ? this.#talkAsDialer(terms) : this.#talkAsListener(terms)
  }

  async #talkAsDialer(terms: Terms): Promise<Talk> {
    const fields = { ...terms.fields }
    if (terms.alike === true) fields.fingerprint ??= await this.#fingerprint()
    const line = await this.line()
    line.put(hello(offer(fields)))
    const answer = await this.welcomed(line)
    if (answer.pair[1] === 2) {
      const { code, text } = rejectionIn(answer) ?? { code: '', text: '' }
      throw new Failed(`HELLO was rejected: ${code} (${text})`)
    }
    return this.#begun(line, answer, terms)
  }

  async #fingerprint(): Promise<Uint8Array> {
    if (this.#known.fingerprint === undefined) {
      const line = await this.line()
      line.put(hello(offer()))
      this.#known.fingerprint = field(await this.welcomed(line), 'fingerprint')
      line.reset()
    }
    return this.#known.fingerprint
  }

  async #talkAsListener(terms: Terms): Promise<Talk> {
    const { line, greeting } = await this.stranger()
    const fields = { ...terms.fields }
    if (terms.alike === true) fields.fingerprint ??= field(greeting, 'fingerprint')
    line.put(welcome(offer(fields)))
    return this.#begun(line, greeting, terms)
  }

  /** A talk over a connection whose handshake was done by hand. */
  begun(line: Line, theirs: Greeting, terms: Terms): Talk {
    return this.#begun(line, theirs, terms)
  }

  #begun(line: Line, theirs: Greeting, { alike = false, withoutTable = false, counts, acked }: Terms): Talk {
    const talk = new Talk(line, theirs, {
      dialed: this.dials,
      tableDue: !alike,
      ...(counts === undefined ? {} : { counts }),
      ...(acked === undefined ? {} : { acked }),
    })
    if (!alike && !withoutTable) talk.send('TABLE', { body: table(TYPES) })
    return talk
  }

  /** The next that dials and has no session to go on with; HELLO with one of a case before is refused. */
  async stranger(): Promise<{ line: Line; greeting: Greeting }> {
    for (;;) {
      const line = await this.line()
      const greeting = await this.helloOf(line)
      if (greeting === undefined) continue
      if (!greeting.fields.has(TAG.resume)) return { line, greeting }
      line.put(rejection('SESSION_LOST', 'unknown-session'))
      line.end()
    }
  }

  /** HELLO; undefined: the connection ended before, as one may that was dialed while a case ran. */
  async helloOf(line: Line): Promise<Greeting | undefined> {
    const payload = await line.payload(MAX_HELLO, 'HELLO')
    if (typeof payload === 'string') return undefined
    const greeting = greetingIn(payload)
    if (greeting.message !== 'HELLO') throw new Failed('WELCOME came where HELLO was due')
    checkOffer(greeting)
    return greeting
  }

  async welcomed(line: Line): Promise<Greeting> {
    const payload = await line.payload(MAX_HELLO, 'WELCOME')
    if (typeof payload === 'string')
      throw new Failed(`WELCOME was due, and the connection ended${payload === 'end' ? '' : ' with a reset'}`)
    const greeting = greetingIn(payload)
    if (greeting.message !== 'WELCOME') throw new Failed('HELLO came where WELCOME was due')
    const [, result] = greeting.pair
    if (RESULTS[result] === undefined) throw new Failed(`WELCOME came with the result ${result}`)
    if (result !== 2) checkOffer(greeting)
    return greeting
  }

  /** The case is over, or its time is: connections that are left are dropped, and who waits for one hears of it. */
  close(): void {
    this.#over = true
    for (const line of this.#lines) line.close()
  }
}

/** Those who dial us, in turn. */
export class Visitors {
  readonly #server: Server
  readonly #queue: Socket[] = []
  #wake: () => void = () => undefined
  #gaveUp = false

  constructor() {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      // Until a case takes it.
      socket.on('error', () => undefined)
      this.#queue.push(socket)
      this.#wake()
    })
  }

  async listen(
    at: { readonly host: string; readonly port: number } | { readonly path: string },
  ): Promise<void> {
    this.#server.listen(at)
    await once(this.#server, 'listening')
  }

  get address(): string {
    const at = this.#server.address()
    if (typeof at === 'string') return `unix:${at}`
    return at === null ? '' : `tcp://${at.family === 'IPv6' ? `[${at.address}]` : at.address}:${at.port}`
  }

  /** The next one. Rejects once `giveUp` was called. */
  async next(): Promise<Socket> {
    this.#gaveUp = false
    for (;;) {
      const socket = this.#queue.shift()
      if (socket !== undefined && !socket.destroyed) return socket
      if (socket !== undefined) continue
      if (this.#gaveUp as boolean) throw new Failed('nobody dialed in time')
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  giveUp(): void {
    this.#gaveUp = true
    this.#wake()
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#queue) socket.destroy()
  }
}

/** What the session field of WELCOME says. */
export function sessionIn(greeting: Greeting): { id: Uint8Array; token: Uint8Array; lastRecv: number } {
  const value = field(greeting, 'session')
  if (value.length !== 40) throw new Failed(`session came with ${value.length} bytes`)
  return { id: value.slice(0, 16), token: value.slice(16, 32), lastRecv: readUint(value.subarray(32)) }
}

export interface ResumeField {
  readonly id: Uint8Array
  readonly token: Uint8Array
  readonly connGen: number
  readonly lastRecv: number
}

export function resumeIn(greeting: Greeting): ResumeField {
  const value = field(greeting, 'resume')
  if (value.length !== 44) throw new Failed(`resume came with ${value.length} bytes`)
  return {
    id: value.slice(0, 16),
    token: value.slice(16, 32),
    connGen: readUint(value.subarray(32, 36)),
    lastRecv: readUint(value.subarray(36)),
  }
}
