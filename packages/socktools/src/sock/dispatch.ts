import { asSockError, fail, isSockError, needFunction, SockError } from '../errors.ts'
import type { Off } from '../events.ts'
import type { Codec, Got, Message } from '../wire/codec.ts'
import type { Contract, TypeInfo } from '../contract/protocol.ts'
import { validate } from '../schema.ts'
import { AroundContext, MessageContext, NO_HEADERS } from './context.ts'
import { needMsg } from './payload.ts'
import { type SubscribeOptions, Subscription } from './subscription.ts'
import type {
  Context,
  Handler,
  Handlers,
  Headers,
  Middleware,
  MiddlewareContext,
  Peer,
  Sock,
} from './types.ts'
import { rejected } from './waiter.ts'

interface Entry<C extends Codec> {
  readonly handler: Handler<C>
}

type Fault = (thrown: unknown) => void

/** What a message of a sock in metas goes through: the sock's own dispatch, then theirs, innermost first. */
export interface Line<C extends Codec> {
  readonly levels: readonly Dispatch<C>[]
  /** Whose handlers are the first to be asked: those before keep silent. */
  readonly first: number
}

/** One message on its way up a line. */
interface Rising<C extends Codec> {
  readonly line: Line<C>
  readonly message: Message<Got<C>>
  readonly peer: Peer<C>
  readonly headers: Headers
  /** Where it arrived. */
  readonly origin: Dispatch<C>
  /** Somebody was there to take it. */
  taken: boolean
}

/** Where a message goes: taps of the raw payload, the codec, middleware, subscribers, handlers; then metas. */
export class Dispatch<C extends Codec> {
  /** Present while the sock is in a meta. */
  line: Line<C> | undefined
  readonly #sock: Sock<C>
  readonly #codec: Codec<never, Got<C>>
  readonly #contract: Contract | undefined
  readonly #report: DispatchReport<C>
  readonly #handlers = new Map<string | number, readonly Entry<C>[]>()
  #middleware: readonly Middleware<C>[] = []
  readonly #taps = new Set<Subscription<[Uint8Array, Peer<C>]>>()
  /** Each with the type that it wants; undefined: all. */
  readonly #subscribers = new Map<Subscription<[Got<C>, Context<C>]>, string | number | undefined>()

  constructor(
    sock: Sock<C>,
    codec: Codec<never, Got<C>>,
    contract: Contract | undefined,
    report: DispatchReport<C>,
  ) {
    this.#sock = sock
    this.#codec = codec
    this.#contract = contract
    this.#report = report
  }

  addAll(handlers: Handlers<C>): void {
    for (const [type, handler] of Object.entries(handlers)) this.add(type, handler)
  }

  add(name: string | number, handler: Handler<C>, exclusive = false): Off {
    needFunction(handler, `the handler for ${JSON.stringify(name)}`)
    const type = typeOf(name)
    const before = exclusive ? [] : (this.#handlers.get(type) ?? [])
    this.#checkType(String(name), before.length > 0)
    // An entry of its own, so that a function added twice runs twice and each off() takes back its own.
    const own: Entry<C> = { handler }
    this.#handlers.set(type, [...before, own])
    return () => {
      const left = (this.#handlers.get(type) ?? []).filter((one) => one !== own)
      if (left.length > 0) this.#handlers.set(type, left)
      else this.#handlers.delete(type)
    }
  }

  #checkType(name: string, taken: boolean): void {
    if (this.#contract === undefined) return
    const kind = this.#contract.byName.get(name)?.kind
    if (kind === undefined) fail('UNKNOWN_TYPE', `the contract has no type ${JSON.stringify(name)}`)
    if (kind !== 'msg' && taken)
      fail(
        'BAD_OPTION',
        `the ${kind} ${JSON.stringify(name)} has a handler: one answers, or { exclusive: true }`,
      )
  }

  use(middleware: Middleware<C>): Off {
    needFunction(middleware, 'middleware')
    const own: Middleware<C> = (message, context, next) => middleware(message, context, next)
    this.#middleware = [...this.#middleware, own]
    return () => {
      this.#middleware = this.#middleware.filter((one) => one !== own)
    }
  }

  tap(options: SubscribeOptions): Subscription<[Uint8Array, Peer<C>]> {
    const tap = new Subscription<[Uint8Array, Peer<C>]>(options, (ended) => this.#taps.delete(ended))
    if (!tap.ended) this.#taps.add(tap)
    return tap
  }

  subscribe(
    type: string | number | undefined,
    options: SubscribeOptions,
  ): Subscription<[Got<C>, Context<C>]> {
    if (type !== undefined && this.#contract !== undefined) needMsg(this.#contract, type)
    const to = new Subscription<[Got<C>, Context<C>]>(options, (ended) => this.#subscribers.delete(ended))
    if (!to.ended) this.#subscribers.set(to, type === undefined ? undefined : typeOf(type))
    return to
  }

  /** The sock is closed: nothing more comes. */
  end(): void {
    for (const tap of this.#taps) tap.end()
    for (const to of this.#subscribers.keys()) to.end()
  }

  /** Handles one payload. Never throws or rejects; returns a promise only if a handler did. */
  handle(peer: Peer<C>, payload: Uint8Array): Promise<void> | undefined {
    this.tapped(peer, payload)
    let message: Message<Got<C>>
    try {
      message = checked(this.#codec.decode(payload))
    } catch (thrown) {
      const error = asSockError(thrown, 'BAD_MESSAGE', 'the codec failed', peer.address)
      this.#report.invalid(peer, undefined, payload, error)
      return undefined
    }
    return this.#contract === undefined
      ? this.arrive(peer, message, NO_HEADERS)
      : this.#judge(this.#contract, peer, message, payload)
  }

  /** A message of a contract that came over the plain wire, or by datagram. */
  #judge(
    { byName }: Contract,
    peer: Peer<C>,
    message: Message<Got<C>>,
    payload: Uint8Array,
  ): Promise<void> | undefined {
    const info = byName.get(String(message.type))
    if (info === undefined) {
      this.#report.unhandled(peer, message.type, message.data)
      return undefined
    }
    return this.read(peer, info, payload, NO_HEADERS, () => {
      if (info.kind !== 'msg')
        fail('BAD_MESSAGE', `"${info.name}" is a ${info.kind}, and this came as a message`)
      return validate(info.input, message.data)
    })
  }

  /** A message of a contract: `read` gives its data, checked, and may take its time. Never throws or rejects. */
  read(
    peer: Peer<C>,
    { name }: TypeInfo,
    payload: Uint8Array,
    headers: Headers,
    read: () => unknown,
  ): Promise<void> | undefined {
    const invalid = (thrown: unknown): void => {
      const error = asSockError(thrown, 'BAD_MESSAGE', 'the codec failed', peer.address)
      this.#report.invalid(peer, name, payload, error)
    }
    try {
      const data = read()
      if (!(data instanceof Promise)) return this.arrive(peer, { type: name, data: data as Got<C> }, headers)
      return data.then((given) => this.arrive(peer, { type: name, data: given as Got<C> }, headers), invalid)
    } catch (thrown) {
      invalid(thrown)
      return undefined
    }
  }

  /** Handles one message. Never throws or rejects; returns a promise only if a handler did. */
  arrive(peer: Peer<C>, message: Message<Got<C>>, headers: Headers): Promise<void> | undefined {
    if (this.#middleware.length > 0 || this.line !== undefined) {
      return this.#through(message, this.#sock, peer, headers, (fault) =>
        this.#arrive(message, peer, headers, fault),
      )
    }
    try {
      const settling = this.#deliver(message, peer, headers)
      return isThenable(settling) ? this.#contain(settling, peer) : undefined
    } catch (thrown) {
      this.#fault(thrown, peer)
      return undefined
    }
  }

  /** Shows a payload to those who read them as they come. */
  tapped(peer: Peer<C>, payload: Uint8Array): void {
    if (this.line === undefined) this.#pushTaps(peer, payload)
    else for (const level of this.line.levels) level.#pushTaps(peer, payload)
  }

  /**
   * What the handler of a call, feed or channel gives, with all middleware around it: that of its own sock, then of the
   * metas up to the one that has the handler. Throws, or rejects with, what they throw; UNHANDLED, REFUSED.
   */
  serve(message: Message, context: Context<C>): unknown {
    const type = typeOf(message.type)
    if (this.line === undefined && this.#middleware.length === 0) {
      const only = this.#handlers.get(type)?.[0]
      if (only !== undefined) return only.handler(message.data as Got<C>, context)
    }
    const { levels, first } = this.line ?? { levels: [this], first: 0 }
    for (const [at, level] of levels.entries()) {
      const handler = at < first ? undefined : level.#handlers.get(type)?.[0]?.handler
      if (handler === undefined) continue
      const chain = levels.slice(0, at + 1).flatMap((level) => level.#middleware)
      const run = (): unknown => handler(message.data as Got<C>, context)
      return chain.length === 0 ? run() : around(chain, message as Message<Got<C>>, context, run)
    }
    throw new Unserved('UNHANDLED', `nothing takes "${message.type}"`, context.peer.address)
  }

  #pushTaps(peer: Peer<C>, payload: Uint8Array): void {
    if (this.#taps.size > 0) for (const tap of this.#taps) tap.push([payload, peer])
  }

  /**
   * Runs the middleware around `innermost`. Never throws or rejects. Settles when all of it has, also what was
   * started by a `next()` that nobody awaits: the next message must not overtake it, and what it throws must
   * not be lost.
   */
  #through(
    message: Message<Got<C>>,
    sock: Sock<C>,
    peer: Peer<C>,
    headers: Headers,
    innermost: (fault: Fault) => unknown,
  ): Promise<void> | undefined {
    const chain = this.#middleware
    const context = new AroundContext(sock, peer, headers)
    const settling: Promise<void>[] = []
    // What passes through several layers on its way out is one fault, not several.
    const faults = new Set<unknown>()
    const fault: Fault = (thrown) => {
      if (faults.has(thrown)) return
      faults.add(thrown)
      this.#fault(thrown, peer)
    }
    const step = (at: number): unknown => {
      const one = chain[at]
      // Whether what `next()` throws still reaches somebody: us, by way of the middleware that called it.
      let heard = true
      const next = (): unknown => (heard ? step(at + 1) : unheard(() => step(at + 1)))
      try {
        const answer = one === undefined ? innermost(fault) : one(message, context, next)
        heard = isThenable(answer)
        if (isThenable(answer)) {
          const settled = Promise.resolve(answer).then(ignore, fault)
          settling.push(settled.then(() => void (heard = false)))
        }
        return answer
      } catch (thrown) {
        heard = false
        fault(thrown)
        throw thrown
      }
    }
    try {
      step(0)
    } catch (thrown) {
      fault(thrown)
    }
    return settling.length === 0 ? undefined : allSettled(settling)
  }

  /** The middleware of the sock is through. The metas that it is in now are those that see the message. */
  #arrive(message: Message<Got<C>>, peer: Peer<C>, headers: Headers, fault: Fault): unknown {
    const { line } = this
    if (line === undefined) return this.#deliver(message, peer, headers)
    return this.#rise({ line, message, peer, headers, origin: this, taken: false }, 0, fault)
  }

  #deliver(message: Message<Got<C>>, peer: Peer<C>, headers: Headers): unknown {
    const { data } = message
    // Here, since middleware may have changed it.
    const type = typeOf(message.type)
    const entries = this.#handlers.get(type)
    const context = this.#contextOf(peer, type, headers)
    const taken = this.#offer(data, context)
    if (entries !== undefined) return this.#run(entries, data, context)
    if (!taken) this.#report.unhandled(peer, type, data)
    return undefined
  }

  /** Hands it to those who read by themselves. Whether there is any. */
  #offer(data: Got<C>, context: Context<C>): boolean {
    let taken = this.#taps.size > 0
    if (this.#subscribers.size > 0) {
      for (const [to, wanted] of this.#subscribers) {
        if (wanted !== undefined && wanted !== context.type) continue
        to.push([data, context])
        taken = true
      }
    }
    return taken
  }

  #run(entries: readonly Entry<C>[], data: Got<C>, context: Context<C>): unknown {
    const only = entries[0]
    return only !== undefined && entries.length === 1
      ? only.handler(data, context)
      : this.#each(entries, data, context)
  }

  /** The handlers at this level of the line, then the levels above, each with its own middleware around it. */
  #rise(rising: Rising<C>, at: number, fault: Fault): unknown {
    let own: unknown
    try {
      own = this.#own(rising, at)
    } catch (thrown) {
      own = rejected(thrown as Error)
    }
    return isThenable(own) ? this.#riseAfter(own, rising, at, fault) : this.#up(rising, at)
  }

  async #riseAfter(own: PromiseLike<unknown>, rising: Rising<C>, at: number, fault: Fault): Promise<void> {
    try {
      await own
    } catch (thrown) {
      // Told before the others begin, who may take their time; thrown for the middleware of this level.
      fault(thrown)
      throw thrown
    } finally {
      await this.#up(rising, at)
    }
  }

  #own(rising: Rising<C>, at: number): unknown {
    const { line, message, peer, headers, origin } = rising
    if (at < line.first) {
      if (this.#taps.size > 0) rising.taken = true
      return undefined
    }
    const type = typeOf(message.type)
    // What this level has no name for is not its own.
    if (this.#contract?.byName.has(String(type)) === false) return undefined
    const entries = this.#handlers.get(type)
    const context = origin.#contextOf(peer, type, headers)
    if (this.#offer(message.data, context) || entries !== undefined) rising.taken = true
    return entries === undefined ? undefined : this.#run(entries, message.data, context)
  }

  #up(rising: Rising<C>, at: number): Promise<void> | undefined {
    const { line, message, peer, headers, origin } = rising
    const above = line.levels[at + 1]
    if (above !== undefined)
      return above.#through(message, origin.#sock, peer, headers, (fault) =>
        above.#rise(rising, at + 1, fault),
      )
    if (!rising.taken) origin.#report.unhandled(peer, typeOf(message.type), message.data)
    return undefined
  }

  /** Several handlers of one type run one after another; one that throws does not keep the others from it. */
  async #each(entries: readonly Entry<C>[], data: Got<C>, context: Context<C>): Promise<void> {
    for (const { handler } of entries) {
      try {
        await handler(data, context)
      } catch (thrown) {
        this.#fault(thrown, context.peer)
      }
    }
  }

  async #contain(settling: PromiseLike<unknown>, peer: Peer<C>): Promise<void> {
    try {
      await settling
    } catch (thrown) {
      this.#fault(thrown, peer)
    }
  }

  #fault(thrown: unknown, peer: Peer<C>): void {
    // An answer to one who has left: counted as dropped already, and nothing that the handler did wrong.
    if (peer.state !== 'open' && isSockError(thrown) && LEFT.has(thrown.code)) return
    this.#report.fault(thrown, 'handler', peer)
  }

  #last: MessageContext<C> | undefined

  #contextOf(peer: Peer<C>, type: string | number, headers: Headers): Context<C> {
    const last = this.#last
    if (last !== undefined && last.peer === peer && last.type === type && last.headers === headers)
      return last
    return (this.#last = new MessageContext(this.#sock, peer, type, headers))
  }
}

/** No handler was asked for a call, feed or channel: there is none, or middleware did not call `next`. No fault. */
export class Unserved extends SockError {
  declare readonly code: 'UNHANDLED' | 'REFUSED'

  constructor(code: 'UNHANDLED' | 'REFUSED', what: string, address: string) {
    super(code, what, { address })
  }

  /** Even asking what was thrown can throw: a Proxy may do anything. */
  static is(thrown: unknown): thrown is Unserved {
    return isSockError(thrown) && thrown instanceof Unserved
  }
}

/** Middleware around the handler of a call, feed or channel, which runs once however often `next` is called. */
async function around<C extends Codec>(
  chain: readonly Middleware<C>[],
  message: Message<Got<C>>,
  context: MiddlewareContext<C>,
  run: () => unknown,
): Promise<unknown> {
  const asked = { ran: false, given: undefined as unknown }
  const step = (at: number): unknown => {
    const one = chain[at]
    if (one !== undefined) return one(message, context, () => step(at + 1))
    if (!asked.ran) {
      asked.ran = true
      asked.given = run()
      // Whoever called `next` may not await it; we do, below.
      if (isThenable(asked.given)) asked.given.then(undefined, ignore)
    }
    return asked.given
  }
  await step(0)
  if (!asked.ran)
    throw new Unserved('REFUSED', `middleware did not pass "${message.type}" on`, context.peer.address)
  return await asked.given
}

/**
 * A type as the one table of handlers has it. Text that reads as a safe integer is that number, since the keys
 * of an object are always text: `1` and `'1'` are one type, wherever it is named and however it arrives.
 */
export function typeOf(name: string | number): string | number {
  if (typeof name !== 'string') return name
  const first = name.charCodeAt(0)
  // Most names begin with a letter, and cost no more than this.
  if (first > NINE || (first < ZERO && first !== MINUS)) return name
  const number = Number(name)
  return Number.isSafeInteger(number) && String(number) === name ? number : name
}

const [MINUS, ZERO, NINE] = [0x2d, 0x30, 0x39]

export interface DispatchReport<C extends Codec> {
  invalid(peer: Peer<C>, type: string | undefined, payload: Uint8Array, error: SockError): void
  unhandled(peer: Peer<C>, type: string | number, data: Got<C>): void
  fault(thrown: unknown, where: string, peer: Peer<C> | undefined): void
}

const LEFT = new Set<string>(['PEER_GONE', 'DRAINING'])

/** A codec of somebody else's may answer anything. */
function checked<In>(message: Message<In>): Message<In> {
  const type = typeof (message as Message | undefined)?.type
  if (type === 'string' || type === 'number') return message
  return fail('BAD_MESSAGE', 'the codec answered with no message')
}

/** More may be added while the first ones are awaited. */
async function allSettled(settling: readonly Promise<void>[]): Promise<void> {
  for (const one of settling) await one
}

const ignore = (): void => undefined

/** Runs what reports its own faults, for a caller that nobody hears: a timer, say. What it throws must end there. */
function unheard(run: () => unknown): unknown {
  try {
    const answer = run()
    return isThenable(answer) ? Promise.resolve(answer).then(ignore, ignore) : answer
  } catch {
    return undefined
  }
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  )
}
