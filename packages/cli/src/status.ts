import type { Codec, Sock } from 'socktools'
import { explain } from './errors.ts'
import type { Printer } from './printer.ts'

/** Tells on stderr what happens to a sock beside its messages. */
export function tellEvents<C extends Codec>(sock: Sock<C>, printer: Printer): void {
  sock.on('listening', ({ address }) => {
    printer.status('listening', { address }, `listening on ${address}`)
  })
  sock.on('peer', ({ peer: { id, address, dialed } }) => {
    printer.status('peer', { peer: id, address, dialed }, `${address} joined`)
  })
  sock.on('gone', ({ peer: { id, address }, error, lost }) => {
    const facts = { peer: id, address, code: error?.code, lost }
    printer.status(
      'gone',
      facts,
      error === undefined ? `${address} left` : `${address} is gone: ${explain(error)}`,
    )
  })
  sock.on('refused', ({ address, error }) => {
    printer.status('refused', { address, code: error.code }, `refused: ${explain(error)}`)
  })
  sock.on('dialFailed', ({ address, error, retryIn }) => {
    const again = retryIn === undefined ? '' : `, next try in ${duration(retryIn)}`
    printer.status('dialFailed', { address, code: error.code, retryIn }, `${address}: ${error.what}${again}`)
  })
  sock.on('dropped', ({ peer, reason, messages, bytes }) => {
    const whose = peer === undefined ? '' : ` for ${peer.address}`
    const facts = { peer: peer?.id, reason, messages, bytes }
    printer.status('dropped', facts, `dropped ${messages} messages${whose}: ${reason}`)
  })
  sock.on('invalid', ({ peer: { id, address }, error }) => {
    const facts = { peer: id, address, code: error.code }
    printer.status('invalid', facts, `a message of ${address} cannot be read: ${explain(error)}`)
  })
  sock.on('fault', ({ error, in: where }) => {
    printer.status('fault', { in: where, code: error.code }, explain(error))
  })
}

const duration = (ms: number): string => (ms < 1000 ? `${Math.ceil(ms)} ms` : `${(ms / 1000).toFixed(1)} s`)
