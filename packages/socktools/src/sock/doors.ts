import { parseAddress, schemeOf, unknownScheme } from '../address.ts'
import { SockError, asSockError, fail, withAddress } from '../errors.ts'
import type { Adopted } from '../net/adopt.ts'
import type { Pipe } from '../net/pipe.ts'
import type { ListenOptions, Listener, Transport } from '../net/transport.ts'
import type { Platform } from '../platform/platform.ts'
import { Admission, type AdmissionLimits } from './admission.ts'
import { Attempts } from './attempts.ts'
import type { Arrival, Checkpoint } from './checkpoint.ts'
import type { Deadlines } from './deadlines.ts'
import type { Candidate, ConnectOptions } from './types.ts'
import type { Greeted, Greeting } from './v1/greeting.ts'
import { Duplicate } from './v1/twins.ts'

export interface DoorLimits extends AdmissionLimits {
  readonly connectTimeout: number
}

export interface DoorsHost<P> {
  /** Draining: nobody new is wanted, but who goes on with a session is. */
  readonly life: 'open' | 'draining' | 'closed'
  countPeers(): number
  /** The handshake that comes before the gate; undefined: none, as on the plain wire. */
  greet(pipe: Pipe, dialed: boolean): Greeting | undefined
  /** One passed the gate, or goes on where its connection broke. `dialedAt`: the address that was dialed, if one was. */
  join(pipe: Pipe, dialed: boolean, greeted?: Greeted, dialedAt?: string): P
  /** The peer that there is, or will be soon, in the place of one that was dialed. */
  twin(nodeId: string, proven: string | undefined, signal: AbortSignal): Promise<P>
  refused(who: Candidate, error: SockError): void
  fault(thrown: unknown, where: string): void
}

/** How pipes come to be peers: listening, dialing, and the gate that both lead through. */
export class Doors<P> {
  readonly #limits: DoorLimits
  readonly #attempts: Attempts
  /** Those that go on with a session. */
  readonly #reattempts: Attempts
  readonly #transports: ReadonlyMap<string, Transport>
  readonly #adopted: Adopted | undefined
  readonly #host: DoorsHost<P>
  readonly #checkpoint: Checkpoint
  readonly #admission: Admission
  /** What gives up a connection that waits at the gate; when we drain, that of a stranger alone. */
  readonly #giveUps = new Set<(drained: boolean) => void>()
  /** Dials without a pipe yet: each may become a peer. */
  #dialing = 0

  constructor(
    limits: DoorLimits,
    {
      platform,
      transports,
      adopted,
    }: { platform: Platform; transports: readonly Transport[]; adopted?: Adopted | undefined },
    deadlines: Deadlines,
    checkpoint: Checkpoint,
    host: DoorsHost<P>,
  ) {
    this.#checkpoint = checkpoint
    this.#limits = limits
    this.#attempts = new Attempts(deadlines)
    this.#reattempts = new Attempts(deadlines)
    this.#transports = new Map(transports.map((transport) => [transport.scheme, transport]))
    this.#adopted = adopted
    this.#host = host
    this.#admission = new Admission(limits, platform, deadlines)
  }

  /** Connections that have not passed the gate. */
  get pending(): number {
    return this.#admission.pending
  }

  /** Whether there is a server of the application's own to listen with. */
  get hasServer(): boolean {
    return this.#adopted?.kind === 'server'
  }

  /** The schemes of what can be dialed. */
  get schemes(): readonly string[] {
    return [...this.#transports.keys()]
  }

  async listen(address: string | undefined, options: ListenOptions): Promise<Listener> {
    const at = address === undefined ? undefined : parseAddress(address)
    if (at !== undefined && address !== undefined) this.#checkpoint.checkOwn(at, address)
    const listener = await this.#listenAt(at, address, options)
    return { address: this.#checkpoint.named(listener.address), close: () => listener.close() }
  }

  async #listenAt(
    at: URL | undefined,
    address: string | undefined,
    options: ListenOptions,
  ): Promise<Listener> {
    const check = (where: URL, text: string): void => {
      const transport = this.#transports.get(schemeOf(where))
      this.#checkpoint.check(transport?.isExposed?.(where) === true, text, 'listens on')
    }
    const onPipe = (pipe: Pipe): void => {
      this.#accept(pipe)
    }
    if (this.#adopted?.kind === 'server') {
      const listener = await this.#adopted.listen(at, options, onPipe)
      try {
        // It may have been bound before, by the application.
        check(parseAddress(listener.address), listener.address)
      } catch (error) {
        await listener.close()
        throw error
      }
      return listener
    }
    if (at === undefined || address === undefined)
      return fail('NOT_BOUND', 'startServer has no address to listen on')
    const transport = this.#transportOf(at, address)
    check(at, address)
    return transport.listen(at, options, onPipe)
  }

  /** Lets in the connection that the application made, if it made one. */
  async admitAdopted(): Promise<void> {
    if (this.#adopted?.kind !== 'connection') return
    const pipe = await this.#adopted.connect()
    const { address, local } = pipe.remote
    try {
      this.#checkpoint.check(!local, address, 'speaks with')
    } catch (error) {
      pipe.destroy()
      throw error
    }
    const proven = await this.#prove(pipe, { dialed: true, address, signal: new AbortController().signal })
    await this.#admit(proven, true)
  }

  /** Throws for an address that no dial will ever reach from here: BAD_ADDRESS, INSECURE, UNPROVEN, BAD_ID. */
  check(address: string): void {
    const to = parseAddress(address)
    const transport = this.#transports.get(schemeOf(to))
    if (transport !== undefined) this.#checkpoint.wanted(to, address, transport)
  }

  /** As Sock.connectTo. */
  async dial(address: string, { signal, timeout = this.#limits.connectTimeout }: ConnectOptions): Promise<P> {
    const to = parseAddress(address)
    const transport = this.#transportOf(to, address)
    const expected = this.#checkpoint.wanted(to, address, transport)
    const { maxPeers } = this.#limits
    if (this.#host.countPeers() + this.pending + this.#dialing >= maxPeers) {
      fail('TOO_MANY_PEERS', `${maxPeers} is the most`, { address })
    }
    return this.#attempts.run(address, { signal, timeout }, async (given) => {
      this.#dialing++
      const pipe = await this.#reach(transport, to, { address, expected, signal: given }).finally(
        () => this.#dialing--,
      )
      return this.#admit(pipe, true, given, address)
    })
  }

  /** A pipe to whom was dialed, proven if there is a Security. */
  async #reach(transport: Transport, to: URL, how: Omit<Arrival, 'dialed' | 'host'>): Promise<Pipe> {
    const toBeSecured = this.#checkpoint.isOpen
    const pipe = await dialed(transport, to, how.signal, toBeSecured)
    if (!toBeSecured) return pipe
    return this.#prove(pipe, { ...how, dialed: true, host: to.hostname })
  }

  /** As Checkpoint.pass; who is refused is told of. */
  async #prove(pipe: Pipe, arrival: Arrival): Promise<Pipe> {
    const { address, host } = pipe.remote
    try {
      return await this.#checkpoint.pass(pipe, arrival)
    } catch (thrown) {
      const error = thrown as SockError
      this.#host.refused({ address, host, dialed: arrival.dialed }, error)
      throw error
    }
  }

  /** Dials one that was let in before. `proven`: who it was. `greet` begins its handshake. Rejects as `dial`, and as the handshake does. */
  redial(
    address: string,
    proven: string | undefined,
    greet: (pipe: Pipe) => Greeting,
    resume: (pipe: Pipe, greeted: Greeted) => void,
  ): Promise<void> {
    const to = parseAddress(address)
    const transport = this.#transportOf(to, address)
    const expected = this.#checkpoint.wanted(to, address, transport) ?? proven
    return this.#reattempts.run(address, { timeout: this.#limits.connectTimeout }, async (given) => {
      const pipe = await this.#reach(transport, to, { address, expected, signal: given })
      const greeting = greet(pipe)
      const giveUp = (): void => {
        greeting.giveUp(given.reason as SockError)
      }
      given.addEventListener('abort', giveUp, { once: true })
      try {
        // Between the moment that the pipe came and now.
        if (given.aborted) giveUp()
        await greeting.meet()
        resume(pipe, await greeting.settle())
      } catch (thrown) {
        greeting.refuse(asSockError(thrown, 'PIPE_FAILED', 'the handshake failed', address))
        throw thrown
      } finally {
        given.removeEventListener('abort', giveUp)
      }
    })
  }

  /** Every dial and everyone at the gate is told to go; `drained`: but for those who go on with a session. */
  giveUpAll(drained: boolean): void {
    this.#attempts.giveUpAll()
    if (!drained) this.#reattempts.giveUpAll()
    for (const giveUp of [...this.#giveUps]) giveUp(drained)
  }

  #accept(pipe: Pipe): void {
    const error = this.#atDoor(pipe)
    if (error !== undefined) this.#turnAway(pipe, false, error)
    else if (this.#checkpoint.isOpen) this.#admitProven(pipe).catch(() => undefined)
    else this.#admit(pipe, false).catch(() => undefined)
  }

  /** One that dialed us proves who it is, before anything that it says is read. */
  async #admitProven(pipe: Pipe): Promise<P> {
    const { address, host } = pipe.remote
    const aborter = new AbortController()
    const leave = this.#admission.enter(host, (why) => {
      aborter.abort(withAddress(why, address))
    })
    const giveUp = (drained = false): void => {
      // It may be one that goes on with a session: it has not said.
      if (!drained)
        aborter.abort(new SockError('CLOSED', 'the sock was closed during the handshake', { address }))
    }
    this.#giveUps.add(giveUp)
    let proven: Pipe
    try {
      proven = await this.#prove(pipe, { dialed: false, address, signal: aborter.signal })
    } catch (thrown) {
      this.#admission.unproven(pipe.remote, thrown as SockError)
      throw thrown
    } finally {
      this.#giveUps.delete(giveUp)
      leave()
    }
    return this.#admit(proven, false)
  }

  #atDoor({ remote }: Pipe): SockError | undefined {
    const { address } = remote
    if (this.#host.life === 'closed') return new SockError('CLOSED', 'the sock is closed', { address })
    try {
      return this.#admission.atDoor(remote, this.#host.countPeers() + this.#dialing)
    } catch (thrown) {
      this.#host.fault(thrown, 'goodAddress')
      return asSockError(thrown, 'REFUSED', 'goodAddress threw', address)
    }
  }

  /** As admit, with a handshake around the gate. */
  async #admitGreeted(
    pipe: Pipe,
    dialed: boolean,
    greeting: Greeting,
    signal?: AbortSignal,
    dialedAt?: string,
  ): Promise<P> {
    const { address, host } = pipe.remote
    const leave = this.#admission.enter(host)
    // Undefined: it has not said yet.
    let isStranger: boolean | undefined = dialed || undefined
    const giveUp = (drained = false): void => {
      if (drained && isStranger !== true) return
      const closed = new SockError('CLOSED', 'the sock was closed during the handshake', { address })
      greeting.giveUp(signal?.aborted === true ? asSockError(signal.reason, 'ABORTED', 'given up') : closed)
    }
    this.#giveUps.add(giveUp)
    const onAbort = (): void => {
      giveUp()
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    let who = candidateOf(pipe, dialed)
    try {
      if (!this.#takes(dialed) || signal?.aborted === true) giveUp()
      const { id, again } = await greeting.meet()
      isStranger = !again
      who = { ...who, ...(id === undefined ? {} : { id }) }
      // Who goes on was let in, and is counted.
      if (!again) {
        if (this.#host.life === 'draining')
          fail('DRAINING', 'this sock takes nobody new any more', { address })
        await this.#gate(who, greeting)
      }
      const greeted = await greeting.settle()
      if (!this.#takes(!again)) fail('CLOSED', 'the sock was closed during the handshake', { address })
      return this.#host.join(pipe, dialed, greeted, dialedAt)
    } catch (thrown) {
      const why = asSockError(thrown, 'PIPE_FAILED', 'the handshake failed', address)
      const error = withAddress(why, address)
      greeting.refuse(why)
      // No stranger: both are connected already.
      if (why instanceof Duplicate) {
        if (dialed && signal !== undefined) return await this.#host.twin(why.nodeId, pipe.proof?.id, signal)
      } else this.#host.refused(who, error)
      throw error
    } finally {
      leave()
      signal?.removeEventListener('abort', onAbort)
      this.#giveUps.delete(giveUp)
    }
  }

  #takes(stranger: boolean): boolean {
    const { life } = this.#host
    return life === 'open' || (life === 'draining' && !stranger)
  }

  /** Asks goodPeer. Rejects with the refusal. */
  #gate(who: Candidate, greeting: Greeting): Promise<void> {
    const onFault = (thrown: unknown): void => {
      this.#host.fault(thrown, 'goodPeer')
    }
    const question = this.#admission.ask(who, onFault, true)
    greeting.onGiveUp = question.giveUp
    return new Promise((resolve, reject) => {
      question.onAnswer((error) => {
        greeting.onGiveUp = undefined
        if (error === undefined) resolve()
        else reject(error)
      })
    })
  }

  /** Asks goodPeer. Resolves to the new peer, or rejects with the refusal, which was reported then. */
  #admit(pipe: Pipe, dialed: boolean, signal?: AbortSignal, dialedAt?: string): Promise<P> {
    const { address } = pipe.remote
    const greeting = this.#host.greet(pipe, dialed)
    if (greeting !== undefined) return this.#admitGreeted(pipe, dialed, greeting, signal, dialedAt)
    return new Promise((resolve, reject) => {
      const question = this.#admission.ask(candidateOf(pipe, dialed), (thrown) => {
        this.#host.fault(thrown, 'goodPeer')
      })
      const closed = (): SockError =>
        new SockError('CLOSED', 'the sock was closed before goodPeer answered', { address })
      const giveUp = (): void => {
        question.giveUp(
          signal?.aborted === true ? asSockError(signal.reason, 'ABORTED', 'given up') : closed(),
        )
      }
      this.#giveUps.add(giveUp)
      signal?.addEventListener('abort', giveUp, { once: true })
      // Until it is a peer, all that matters of it is whether it went away.
      pipe.attach({ data: ignore, drain: ignore, end: ignore, close: () => question.giveUp() })
      question.onAnswer((answer) => {
        // The gate itself may have closed this sock.
        const error = answer ?? (this.#takes(true) ? undefined : closed())
        signal?.removeEventListener('abort', giveUp)
        this.#giveUps.delete(giveUp)
        try {
          if (error !== undefined) throw error
          resolve(this.#host.join(pipe, dialed))
        } catch (thrown) {
          // Or the framing, which is the application's, failed to make a decoder.
          const why = asSockError(thrown, 'BAD_OPTION', 'the framing made no decoder', address)
          this.#turnAway(pipe, dialed, why)
          reject(why)
        }
      })
      // The gate closed this sock when it was asked, before it could be told to give up.
      if (!this.#takes(true)) giveUp()
    })
  }

  #turnAway(pipe: Pipe, dialed: boolean, error: SockError): void {
    pipe.destroy()
    this.#host.refused(candidateOf(pipe, dialed), error)
  }

  #transportOf(url: URL, address: string): Transport {
    const transport = this.#transports.get(schemeOf(url))
    if (transport !== undefined) return transport
    return unknownScheme(address, 'transport that is not here', this.schemes)
  }
}

const ignore = (): void => undefined

function candidateOf({ remote: { address, host }, proof }: Pipe, dialed: boolean): Candidate {
  return { address, host, dialed, ...(proof === undefined ? {} : { identity: proof.id, proof }) }
}

/** The pipe, unless `signal` comes first; a pipe that comes after that is destroyed. */
async function dialed(
  transport: Transport,
  to: URL,
  signal: AbortSignal,
  toBeSecured: boolean,
): Promise<Pipe> {
  signal.throwIfAborted()
  const dialing = transport.dial(to, toBeSecured ? { signal, toBeSecured } : { signal })
  const pipe = await new Promise<Pipe | undefined>((resolve, reject) => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
    dialing.then(resolve, reject)
  })
  if (pipe !== undefined && !signal.aborted) return pipe
  void dialing.then(
    (late) => {
      late.destroy()
    },
    () => undefined,
  )
  throw signal.reason as SockError
}
