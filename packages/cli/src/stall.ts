import type { Codec, Peer, Sock } from 'socktools'

/** Looks taken within the limit. Counted rather than timed: a process that was asleep blames nobody for it. */
const LOOKS = 8
/** What a timer of the system can count. */
const MAX_DELAY = 2 ** 31 - 1

/** Calls `onStall` for a peer that took nothing for so many seconds while something waited for it. */
export function watchStalls<C extends Codec>(
  sock: Sock<C>,
  seconds: number,
  onStall: (peer: Peer<C>) => void,
): void {
  const seen = new WeakMap<Peer<C>, { taken: number; looks: number }>()
  const look = (): void => {
    for (const peer of sock.knownPeers) {
      const { bytesOut, queued } = peer.stats()
      const taken = bytesOut - queued
      const before = seen.get(peer)
      if (queued === 0 || before?.taken !== taken) seen.set(peer, { taken, looks: 0 })
      else if (++before.looks >= LOOKS) onStall(peer)
    }
  }
  setInterval(look, Math.min((seconds * 1000) / LOOKS, MAX_DELAY)).unref()
}
