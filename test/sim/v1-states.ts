/** Counts which peer went from which state into which, and why who came back was turned away. */
import type { Sim } from 'socktools/testing'
import type { V1Peer, V1Sock } from './v1-node.ts'

type State = V1Peer['state'] | 'new'

/** Gives what is to be called when peers may have begun to end. */
export function tallyStates(sim: Sim, sock: V1Sock): () => void {
  const states = new Map<V1Peer, State>()
  const into = (peer: V1Peer, state: State): void => {
    const before = states.get(peer) ?? 'new'
    if (before === state) return
    sim.tally(`state ${before} → ${state}`)
    if (state === 'gone') states.delete(peer)
    else states.set(peer, state)
  }
  // Nothing is raised when one begins to end: it is seen when whoever ends it says so, and at the next event.
  const look = (): void => {
    for (const peer of states.keys()) if (peer.state === 'ending') into(peer, 'ending')
  }
  sock.on('peer', ({ peer }) => into(peer, 'open'))
  sock.on('detached', ({ peer }) => into(peer, peer.state))
  sock.on('resumed', ({ peer }) => into(peer, peer.state))
  sock.on('ended', look)
  sock.on('gone', ({ peer }) => {
    look()
    into(peer, 'gone')
  })
  // The text of a SESSION_LOST is its reason.
  sock.on('refused', ({ error }) => {
    if (error.code === 'SESSION_LOST') sim.tally(`reject ${error.what}`)
  })
  return look
}
