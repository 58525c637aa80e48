import type { Codec, Protocol, Sock } from 'socktools'
import type { Reporter } from './reporter.ts'
import { isUdp } from './socks.ts'

/** Tells on stderr what happens to a sock beside its messages. `placeOf`: the line of the user's that threw something. */
export function tellEvents<C extends Codec, P extends Protocol | undefined>(
  sock: Sock<C, P>,
  printer: Reporter,
  placeOf: (thrown: unknown) => string | undefined = () => undefined,
): void {
  sock.on('listening', ({ address }) => {
    printer.status('listening', { address }, `listening on ${address}`)
  })
  sock.on('peer', ({ peer }) => {
    const { address, dialed } = peer
    // Nobody answers a dial over UDP.
    const { identity } = peer
    const joined =
      identity === undefined ? `${address} joined` : `${address} joined, proven to be ${identity}`
    const what = isUdp(address) && dialed ? `sending to ${address}` : joined
    printer.status('peer', { peer: printer.idOf(peer), address, dialed, identity }, what)
  })
  sock.on('gone', ({ peer, error, lost }) => {
    const { address } = peer
    const facts = { peer: printer.idOf(peer), address, code: error?.code, lost }
    // Nor does anyone hang up there: we, or its silence, made an end.
    const left = isUdp(address) ? 'is let go' : 'left'
    printer.status(
      'gone',
      facts,
      error === undefined ? `${address} ${left}` : `${address} is gone: ${printer.explain(error)}`,
    )
  })
  sock.on('refused', ({ address, error }) => {
    printer.status('refused', { address, code: error.code }, `refused: ${printer.explain(error)}`)
  })
  sock.on('dialFailed', ({ address, error, retryIn }) => {
    const again = retryIn === undefined ? '' : `, next try in ${duration(retryIn)}`
    printer.status('dialFailed', { address, code: error.code, retryIn }, `${address}: ${error.what}${again}`)
  })
  sock.on('dropped', ({ peer, reason, messages, bytes }) => {
    const whose = peer === undefined ? '' : ` for ${peer.address}`
    const facts = { peer: peer && printer.idOf(peer), reason, messages, bytes }
    printer.status('dropped', facts, `dropped ${counted(messages, 'message')}${whose}: ${reason}`)
  })
  sock.on('invalid', ({ peer, type, error }) => {
    const facts = { peer: printer.idOf(peer), address: peer.address, type, code: error.code }
    const what = type === undefined ? 'a message' : JSON.stringify(type)
    printer.status('invalid', facts, `${what} of ${peer.address} cannot be read: ${printer.explain(error)}`)
  })
  sock.on('fault', ({ error, in: where }) => {
    const at = placeOf(error.cause)
    const text = at === undefined ? printer.explain(error) : `${error.what} (at ${at}) [${error.code}]`
    printer.status('fault', { in: where, code: error.code, at }, text)
  })
}

const duration = (ms: number): string => (ms < 1000 ? `${Math.ceil(ms)} ms` : `${(ms / 1000).toFixed(1)} s`)

export const counted = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`
