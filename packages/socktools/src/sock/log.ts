import type { Codec } from '../wire/codec.ts'
import type { Logger, Sock } from './types.ts'

/** Connections turned away are logged at most so often, in milliseconds: a flood must not fill the disk. */
const REFUSED_EVERY = 1000

/** Writes a sock's events to a logger. Returns what it answers, so that one that rejects is a fault like any other. */
export function logTo<C extends Codec>(logger: Logger, sock: Pick<Sock<C>, 'on'>, now: () => number): void {
  let refusedAt = -Infinity
  let unsaid = 0
  sock.on('listening', ({ address }) => logger.info?.(`listening on ${address}`, { address }))
  sock.on('peer', ({ peer }) => logger.debug?.(`peer ${peer.id} is up (${peer.address})`, { peer: peer.id }))
  sock.on('gone', ({ peer, error, lost }) => {
    if (error === undefined)
      return logger.debug?.(`peer ${peer.id} is gone (${peer.address})`, { peer: peer.id, lost })
    return logger.warn?.(`peer ${peer.id} is gone: ${error.message}`, {
      peer: peer.id,
      code: error.code,
      lost,
    })
  })
  sock.on('refused', ({ error, address }) => {
    if (now() - refusedAt < REFUSED_EVERY) return ++unsaid
    const facts = { address, code: error.code, unsaid }
    refusedAt = now()
    unsaid = 0
    return logger.warn?.(`refused: ${error.message}`, facts)
  })
  sock.on('dialFailed', ({ address, error, retryIn }) => {
    const next = retryIn === undefined ? '' : `, next try in ${Math.round(retryIn)} ms`
    return logger.warn?.(`${error.message}${next}`, { address, code: error.code, retryIn })
  })
  sock.on('dropped', ({ peer, reason, messages, bytes }) => {
    const whose = peer === undefined ? '' : ` for ${peer.address}`
    return logger.warn?.(`dropped ${messages} messages${whose}: ${reason}`, {
      peer: peer?.id,
      reason,
      messages,
      bytes,
    })
  })
  sock.on('invalid', ({ peer, error }) => logger.warn?.(error.message, { peer: peer.id, code: error.code }))
  sock.on('unhandled', ({ peer, type }) =>
    logger.debug?.(`no handler for messages of type ${JSON.stringify(type)}`, { peer: peer.id, type }),
  )
  sock.on('fault', ({ error, peer }) =>
    logger.error?.(error.message, { peer: peer?.id, code: error.code, error }),
  )
}
