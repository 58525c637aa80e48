import { fail } from '../errors.ts'
import type { Codec } from '../wire/codec.ts'
import { DatagramPeer } from './datagram-peer.ts'
import { PipePeer } from './pipe-peer.ts'
import type { To } from './types.ts'

/** Callers in JavaScript may pass anything. */
export const isIterable = (to: unknown): to is Iterable<unknown> =>
  typeof to === 'object' && to !== null && Symbol.iterator in to

/**
 * `except` without the peers that are nobody's here: what they say may be passed on after their sock has left, and they
 * cannot be reached anyway. All else stays, to be looked up or refused.
 */
export function withoutStrangers<C extends Codec>(except: To<C>, owns: (peer: unknown) => boolean): To<C> {
  if (except instanceof PipePeer || except instanceof DatagramPeer)
    return owns(except) ? (except as To<C>) : []
  if (typeof except === 'string' || !isIterable(except)) return except
  return [...except].flatMap((one) => {
    const left = withoutStrangers<C>(one, owns)
    return typeof left === 'string' || !isIterable(left) ? [left] : [...left]
  })
}

/**
 * Throws BAD_OPTION for what is no `{ to, except }`: a name that does not exist, or a peer in their place, would
 * otherwise mean everyone.
 */
export function checkSendOptions(options: unknown): void {
  if (typeof options !== 'object' || options === null) return fail('BAD_OPTION', WHERE_TO)
  for (const name in options) if (!KNOWN.includes(name)) fail('BAD_OPTION', WHERE_TO)
}

const KNOWN = ['to', 'except', 'headers']

const WHERE_TO = 'who is sent to is written { to: peer }, and who is not { except: peer }'
