import { asSockError, fail, isSockError, needFunction, type SockError } from '../errors.ts'
import type { Off } from '../events.ts'
import type { Codec, Got, Message } from '../wire/codec.ts'
import type { Contract, TypeInfo } from '../contract/protocol.ts'
import { validate } from '../schema.ts'
import { AroundContext, type Facts, MessageContext, NO_FACTS } from './context.ts'
import { type Entry, HandlerTable, typeOf } from './handler-table.ts'
import { around, type Fault, type FaultSink, through, Unserved } from './middleware.ts'
import { needMsg } from './payload.ts'
import { Readers } from './readers.ts'
import type { SubscribeOptions, Subscription } from './subscription.ts'
import { isThenable } from './thenable.ts'
import type { Context, Handler, Handlers, Middleware, Peer, Sock } from './types.ts'
import { rejected } from './waiter.ts'

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
  readonly facts: Facts
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
  readonly #handlers: HandlerTable<C>
  readonly #readers = new Readers<C>()
  #middleware: readonly Middleware<C>[] = []
  #last: MessageContext<C> | undefined

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
    this.#handlers = new HandlerTable(contract)
  }

  addAll(handlers: Handlers<C>): void {
    for (const [type, handler] of Object.entries(handlers)) this.add(type, handler)
  }

  add(name: string | number, handler: Handler<C>, exclusive = false): Off {
    return this.#handlers.add(name, handler, exclusive)
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
    return this.#readers.tap(options)
  }

  subscribe(
    type: string | number | undefined,
    options: SubscribeOptions,
  ): Subscription<[Got<C>, Context<C>]> {
    if (type !== undefined && this.#contract !== undefined) needMsg(this.#contract, type)
    return this.#readers.subscribe(type, options)
  }

  /** The sock is closed: nothing more comes. */
  end(): void {
    this.#readers.end()
  }

  /** Handles one payload. Never throws or rejects; returns a promise only if a handler did. */
  handle(peer: Peer<C>, payload: Uint8Array): Promise<void> | undefined {
    this.tapped(peer, payload)
    let message: Message<Got<C>>
    try {
      message = checked(this.#codec.decode(payload))
    } catch (thrown) {
      this.#invalid(peer, undefined, payload, thrown, NO_FACTS)
      return undefined
    }
    return this.#contract === undefined
      ? this.arrive(peer, message, NO_FACTS)
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
    return this.read(peer, info, payload, NO_FACTS, () => {
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
    facts: Facts,
    read: () => unknown,
  ): Promise<void> | undefined {
    try {
      const data = read()
      if (!(data instanceof Promise)) return this.arrive(peer, { type: name, data: data as Got<C> }, facts)
      return data.then(
        (given) => this.arrive(peer, { type: name, data: given as Got<C> }, facts),
        (thrown: unknown) => {
          this.#invalid(peer, name, payload, thrown, facts)
        },
      )
    } catch (thrown) {
      this.#invalid(peer, name, payload, thrown, facts)
      return undefined
    }
  }

  #invalid(
    peer: Peer<C>,
    type: string | undefined,
    payload: Uint8Array,
    thrown: unknown,
    { verdict }: Facts,
  ): void {
    if (verdict !== undefined) verdict.code = 'BAD_MESSAGE'
    const error = asSockError(thrown, 'BAD_MESSAGE', 'the codec failed', peer.address)
    this.#report.invalid(peer, type, payload, error)
  }

  /** Handles one message. Never throws or rejects; returns a promise only if a handler did. */
  arrive(peer: Peer<C>, message: Message<Got<C>>, facts: Facts): Promise<void> | undefined {
    if (this.#middleware.length > 0 || this.line !== undefined) {
      const context = new AroundContext(this.#sock, peer, facts.headers)
      const { verdict } = facts
      if (verdict !== undefined && this.#middleware.length > 0) verdict.code = 'REFUSED'
      return through(this.#middleware, message, context, this.#sink(facts), (fault) => {
        // Middleware has passed it on.
        if (verdict?.code === 'REFUSED') verdict.code = ''
        return this.#arrive(message, peer, facts, fault)
      })
    }
    try {
      const settling = this.#deliver(message, peer, facts)
      return isThenable(settling) ? this.#contain(settling, peer, facts) : undefined
    } catch (thrown) {
      this.#fault(thrown, peer, facts)
      return undefined
    }
  }

  /** Shows a payload to those who read them as they come. */
  tapped(peer: Peer<C>, payload: Uint8Array): void {
    if (this.line === undefined) this.#readers.push(peer, payload)
    else for (const level of this.line.levels) level.#readers.push(peer, payload)
  }

  /**
   * What the handler of a call, feed or channel gives, with all middleware around it: that of its own sock, then of the
   * metas up to the one that has the handler. Throws, or rejects with, what they throw; UNHANDLED, REFUSED.
   */
  serve(message: Message, context: Context<C>): unknown {
    const type = typeOf(message.type)
    if (this.line === undefined && this.#middleware.length === 0) {
      const only = this.#handlers.of(type)?.[0]
      if (only !== undefined) return only.handler(message.data as Got<C>, context)
    }
    const { levels, first } = this.line ?? { levels: [this], first: 0 }
    for (const [at, level] of levels.entries()) {
      const handler = at < first ? undefined : level.#handlers.of(type)?.[0]?.handler
      if (handler === undefined) continue
      const chain = levels.slice(0, at + 1).flatMap((level) => level.#middleware)
      const run = (): unknown => handler(message.data as Got<C>, context)
      return chain.length === 0 ? run() : around(chain, message as Message<Got<C>>, context, run)
    }
    throw new Unserved('UNHANDLED', `nothing takes "${message.type}"`, context.peer.address)
  }

  /** The middleware of the sock is through. The metas that it is in now are those that see the message. */
  #arrive(message: Message<Got<C>>, peer: Peer<C>, facts: Facts, fault: Fault): unknown {
    const { line } = this
    if (line === undefined) return this.#deliver(message, peer, facts)
    return this.#rise({ line, message, peer, facts, origin: this, taken: false }, 0, fault)
  }

  #deliver(message: Message<Got<C>>, peer: Peer<C>, facts: Facts): unknown {
    const { data } = message
    // Here, since middleware may have changed it.
    const type = typeOf(message.type)
    const entries = this.#handlers.of(type)
    const context = this.#contextOf(peer, type, facts)
    const taken = this.#readers.offer(data, context)
    if (entries !== undefined) return this.#run(entries, data, context, facts)
    if (!taken) this.#unhandled(peer, type, data, facts)
    return undefined
  }

  #unhandled(peer: Peer<C>, type: string | number, data: Got<C>, { verdict }: Facts): void {
    if (verdict !== undefined) verdict.code = 'UNHANDLED'
    this.#report.unhandled(peer, type, data)
  }

  #run(entries: readonly Entry<C>[], data: Got<C>, context: Context<C>, facts: Facts): unknown {
    const only = entries[0]
    return only !== undefined && entries.length === 1
      ? only.handler(data, context)
      : this.#each(entries, data, context, facts)
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
    const { line, message, peer, facts, origin } = rising
    if (at < line.first) {
      if (this.#readers.tapped) rising.taken = true
      return undefined
    }
    const type = typeOf(message.type)
    // What this level has no name for is not its own.
    if (this.#contract?.byName.has(String(type)) === false) return undefined
    const entries = this.#handlers.of(type)
    const context = origin.#contextOf(peer, type, facts)
    if (this.#readers.offer(message.data, context) || entries !== undefined) rising.taken = true
    return entries === undefined ? undefined : this.#run(entries, message.data, context, facts)
  }

  #up(rising: Rising<C>, at: number): Promise<void> | undefined {
    const { line, message, peer, facts, origin } = rising
    const above = line.levels[at + 1]
    if (above !== undefined) {
      const context = new AroundContext(origin.#sock, peer, facts.headers)
      return through(above.#middleware, message, context, above.#sink(facts), (fault) =>
        above.#rise(rising, at + 1, fault),
      )
    }
    if (!rising.taken) origin.#unhandled(peer, typeOf(message.type), message.data, facts)
    return undefined
  }

  /** Several handlers of one type run one after another; one that throws does not keep the others from it. */
  async #each(entries: readonly Entry<C>[], data: Got<C>, context: Context<C>, facts: Facts): Promise<void> {
    for (const { handler } of entries) {
      try {
        await handler(data, context)
      } catch (thrown) {
        this.#fault(thrown, context.peer, facts)
      }
    }
  }

  async #contain(settling: PromiseLike<unknown>, peer: Peer<C>, facts: Facts): Promise<void> {
    try {
      await settling
    } catch (thrown) {
      this.#fault(thrown, peer, facts)
    }
  }

  /** What a handler or middleware threw. */
  #fault(thrown: unknown, peer: Peer<C>, { verdict }: Facts): void {
    if (verdict !== undefined) verdict.code = 'HANDLER_FAILED'
    // An answer to one who has left: counted as dropped already, and nothing that the handler did wrong.
    if (peer.state !== 'open' && isSockError(thrown) && LEFT.has(thrown.code)) return
    this.#report.fault(thrown, 'handler', peer)
  }

  #sink(facts: Facts): FaultSink<C> {
    return {
      fault: (thrown, peer) => {
        this.#fault(thrown, peer, facts)
      },
    }
  }

  #contextOf(peer: Peer<C>, type: string | number, facts: Facts): Context<C> {
    const last = this.#last
    if (last !== undefined && last.peer === peer && last.type === type && last.facts === facts) return last
    return (this.#last = new MessageContext(this.#sock, peer, type, facts))
  }
}

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
