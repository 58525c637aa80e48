import { asSockError, fail, isSockError, needFunction, type SockError } from '../errors.ts'
import type { Off } from '../events.ts'
import type { Codec, Got, Message } from '../wire/codec.ts'
import { type SubscribeOptions, Subscription } from './subscription.ts'
import type { Context, Handler, Handlers, Middleware, Peer, Sock } from './types.ts'

interface Entry<C extends Codec> {
  readonly handler: Handler<C>
}

/** Where a message goes: taps of the raw payload, the codec, middleware, subscribers, handlers. */
export class Dispatch<C extends Codec> {
  readonly #sock: Sock<C>
  readonly #codec: Codec<never, Got<C>>
  readonly #report: DispatchReport<C>
  readonly #handlers = new Map<string | number, readonly Entry<C>[]>()
  #middleware: readonly Middleware<C>[] = []
  readonly #taps = new Set<Subscription<[Uint8Array, Peer<C>]>>()
  /** Each with the type that it wants; undefined: all. */
  readonly #subscribers = new Map<Subscription<[Got<C>, Context<C>]>, string | number | undefined>()

  constructor(sock: Sock<C>, codec: Codec<never, Got<C>>, report: DispatchReport<C>) {
    this.#sock = sock
    this.#codec = codec
    this.#report = report
  }

  addAll(handlers: Handlers<C>): void {
    for (const [type, handler] of Object.entries(handlers)) this.add(type, handler)
  }

  add(name: string | number, handler: Handler<C>, exclusive = false): Off {
    needFunction(handler, `the handler for ${JSON.stringify(name)}`)
    const type = typeOf(name)
    const before = exclusive ? [] : (this.#handlers.get(type) ?? [])
    // An entry of its own, so that a function added twice runs twice and each off() takes back its own.
    const own: Entry<C> = { handler }
    this.#handlers.set(type, [...before, own])
    return () => {
      const left = (this.#handlers.get(type) ?? []).filter((one) => one !== own)
      if (left.length > 0) this.#handlers.set(type, left)
      else this.#handlers.delete(type)
    }
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
    if (this.#taps.size > 0) for (const tap of this.#taps) tap.push([payload, peer])
    let message: Message<Got<C>>
    try {
      message = checked(this.#codec.decode(payload))
    } catch (thrown) {
      this.#report.invalid(
        peer,
        payload,
        asSockError(thrown, 'BAD_MESSAGE', 'the codec failed', peer.address),
      )
      return undefined
    }
    try {
      if (this.#middleware.length > 0) return this.#through(this.#middleware, message, peer)
      const settling = this.#deliver(message, peer)
      return isThenable(settling) ? this.#contain(settling, peer) : undefined
    } catch (thrown) {
      this.#fault(thrown, peer)
      return undefined
    }
  }

  /**
   * Runs the middleware around the handlers. Settles when all of it has, also what was started by a `next()`
   * that nobody awaits: the next message must not overtake it, and what it throws must not be lost.
   */
  #through(
    chain: readonly Middleware<C>[],
    message: Message<Got<C>>,
    peer: Peer<C>,
  ): Promise<void> | undefined {
    const settling: Promise<void>[] = []
    // What passes through several layers on its way out is one fault, not several.
    const faults = new Set<unknown>()
    const fault = (thrown: unknown): void => {
      if (faults.has(thrown)) return
      faults.add(thrown)
      this.#fault(thrown, peer)
    }
    const step = (at: number): unknown => {
      const one = chain[at]
      try {
        const answer =
          one === undefined
            ? this.#deliver(message, peer)
            : one(message, { sock: this.#sock, peer }, () => step(at + 1))
        if (isThenable(answer)) settling.push(Promise.resolve(answer).then(ignore, fault))
        return answer
      } catch (thrown) {
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

  #deliver(message: Message<Got<C>>, peer: Peer<C>): unknown {
    const { data } = message
    // Here, since middleware may have changed it.
    const type = typeOf(message.type)
    const entries = this.#handlers.get(type)
    const context = this.#contextOf(peer, type)
    let taken = false
    if (this.#subscribers.size > 0) {
      for (const [to, wanted] of this.#subscribers) {
        if (wanted !== undefined && wanted !== type) continue
        to.push([data, context])
        taken = true
      }
    }
    if (entries === undefined) {
      if (!taken && this.#taps.size === 0) this.#report.unhandled(peer, type, data)
      return undefined
    }
    const only = entries[0]
    return only !== undefined && entries.length === 1
      ? only.handler(data, context)
      : this.#each(entries, data, context)
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

  #contextOf(peer: Peer<C>, type: string | number): Context<C> {
    const last = this.#last
    if (last !== undefined && last.peer === peer && last.type === type) return last
    return (this.#last = new MessageContext(this.#sock, peer, type))
  }
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

/** Immutable, so one serves a run of messages of one type from one peer. */
class MessageContext<C extends Codec> implements Context<C> {
  readonly sock: Sock<C>
  readonly peer: Peer<C>
  readonly type: string | number

  constructor(sock: Sock<C>, peer: Peer<C>, type: string | number) {
    this.sock = sock
    this.peer = peer
    this.type = type
  }

  get signal(): AbortSignal {
    return this.peer.signal
  }
}

export interface DispatchReport<C extends Codec> {
  invalid(peer: Peer<C>, payload: Uint8Array, error: SockError): void
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

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  )
}
