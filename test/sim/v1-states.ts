/** Counts which peer went from which state into which, and why who came back was turned away. */
import type { SockError } from 'socktools'
import type { Sim } from 'socktools/testing'
import type { V1Peer, V1Sock } from './v1-node.ts'

type State = V1Peer['state'] | 'new'

export function tallyStates(sim: Sim, sock: V1Sock): void {
  const states = new Map<V1Peer, State>()
  const into = (peer: V1Peer, state: State): void => {
    const before = states.get(peer) ?? 'new'
    if (before === state) return
    sim.tally(`state ${before} → ${state}`)
    if (state === 'gone') states.delete(peer)
    else states.set(peer, state)
  }
  // Nothing is raised when one begins to end: it is seen at the next event of any of its sock's peers.
  const look = (): void => {
    for (const peer of states.keys()) if (peer.state === 'ending') into(peer, 'ending')
  }
  const drain = sock.drain.bind(sock)
  sock.drain = (...args) => {
    const drained = drain(...args)
    look()
    return drained
  }
  sock.on('peer', ({ peer }) => into(peer, 'open'))
  sock.on('detached', ({ peer }) => into(peer, 'detached'))
  sock.on('resumed', ({ peer }) => into(peer, 'open'))
  sock.on('ended', look)
  sock.on('gone', ({ peer }) => {
    look()
    into(peer, 'gone')
  })
  sock.on('refused', ({ error }) => {
    const reason = reasonOf(error)
    if (reason !== undefined) sim.tally(`reject ${reason}`)
    if (error.code === 'DUPLICATE') sim.tally('reject DUPLICATE')
  })
}

/** What every SESSION_LOST has beside what its type says. */
const reasonOf = (error: SockError): string | undefined => (error as { readonly reason?: string }).reason
