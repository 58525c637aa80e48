import type { Codec } from '../wire/codec.ts'
import { DatagramPeer } from './datagram-peer.ts'
import { LivePeer } from './peer.ts'
import type { To } from './types.ts'

/** Callers in JavaScript may pass anything. */
export const isIterable = (to: unknown): to is Iterable<unknown> =>
  typeof to === 'object' && to !== null && Symbol.iterator in to

/**
 * `except` without the peers that are nobody's here: what they say may be passed on after their sock has left, and they
 * cannot be reached anyway. All else stays, to be looked up or refused.
 */
export function withoutStrangers<C extends Codec>(except: To<C>, owns: (peer: unknown) => boolean): To<C> {
  if (except instanceof LivePeer || except instanceof DatagramPeer) return owns(except) ? except : []
  if (typeof except === 'string' || !isIterable(except)) return except
  return [...except].flatMap((one) => {
    const left = withoutStrangers<C>(one, owns)
    return typeof left === 'string' || !isIterable(left) ? [left] : [...left]
  })
}
