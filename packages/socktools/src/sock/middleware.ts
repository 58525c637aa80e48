import { isSockError, SockError } from '../errors.ts'
import type { Codec, Got, Message } from '../wire/codec.ts'
import { isThenable } from './thenable.ts'
import type { Middleware, MiddlewareContext, Peer } from './types.ts'

export type Fault = (thrown: unknown) => void

/** Whom `through` tells what a function of the application threw. */
export interface FaultSink<C extends Codec> {
  fault(thrown: unknown, peer: Peer<C>): void
}

/**
 * Runs middleware around `innermost`, for a message. Never throws or rejects. Settles when all of it has, also what was
 * started by a `next()` that nobody awaits: the next message must not overtake it, and what it throws must
 * not be lost.
 */
export function through<C extends Codec>(
  chain: readonly Middleware<C>[],
  message: Message<Got<C>>,
  context: MiddlewareContext<C>,
  sink: FaultSink<C>,
  innermost: (fault: Fault) => unknown,
): Promise<void> | undefined {
  const settling: Promise<void>[] = []
  // What passes through several layers on its way out is one fault, not several.
  const faults = new Set<unknown>()
  const fault: Fault = (thrown) => {
    if (faults.has(thrown)) return
    faults.add(thrown)
    sink.fault(thrown, context.peer)
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

/** More may be added while the first ones are awaited. */
async function allSettled(settling: readonly Promise<void>[]): Promise<void> {
  for (const one of settling) await one
}

/** Runs what reports its own faults, for a caller that nobody hears: a timer, say. What it throws must end there. */
function unheard(run: () => unknown): unknown {
  try {
    const answer = run()
    return isThenable(answer) ? Promise.resolve(answer).then(ignore, ignore) : answer
  } catch {
    return undefined
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
export async function around<C extends Codec>(
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

const ignore = (): void => undefined
