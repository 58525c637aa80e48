import { printable } from '../errors.ts'
import type { Codec } from '../wire/codec.ts'
import type { Logger, Sock } from './types.ts'

/** Lines that a stranger can cause at will are written at most so often, in milliseconds. */
const AT_MOST_EVERY = 1000

/** Writes a sock's events to a logger. Returns what it answers, so that one that rejects is a fault like any other. */
export function logTo<C extends Codec>(logger: Logger, sock: Pick<Sock<C>, 'on'>, now: () => number): void {
  const throttled = (
    write: (text: string, facts: object) => void,
  ): ((text: string, facts: object) => void) => {
    let last = -Infinity
    let unsaid = 0
    return (text, facts) => {
      if (now() - last < AT_MOST_EVERY) {
        unsaid++
        return
      }
      const count = unsaid
      last = now()
      unsaid = 0
      write(text, { ...facts, unsaid: count })
    }
  }
  const warn = (text: string, facts: object): void => logger.warn?.(text, facts)
  const refused = throttled(warn)
  const invalid = throttled(warn)
  const unhandled = throttled((text, facts) => logger.debug?.(text, facts))
  const floods = { behind: throttled(warn), refused: throttled(warn) }
  sock.on('listening', ({ address }) => logger.info?.(`listening on ${address}`, { address }))
  sock.on('peer', ({ peer }) => logger.debug?.(`peer ${peer.id} is up (${peer.address})`, { peer: peer.id }))
  sock.on('detached', ({ peer, error }) => {
    const why = error === undefined ? '' : `: ${error.message}`
    return logger.info?.(`peer ${peer.id} is detached${why}`, { peer: peer.id, code: error?.code })
  })
  sock.on('resumed', ({ peer }) =>
    logger.info?.(`peer ${peer.id} is back (${peer.address})`, { peer: peer.id }),
  )
  sock.on('sessionLost', ({ peer, reason, unknown, neverSent, resent }) =>
    logger.warn?.(`the session of peer ${peer.id} is lost: ${reason}`, {
      peer: peer.id,
      reason,
      unknown,
      neverSent,
      resent,
    }),
  )
  sock.on('gone', ({ peer, error, lost }) => {
    if (error === undefined)
      return logger.debug?.(`peer ${peer.id} is gone (${peer.address})`, { peer: peer.id, lost })
    return logger.warn?.(`peer ${peer.id} is gone: ${error.message}`, {
      peer: peer.id,
      code: error.code,
      lost,
    })
  })
  sock.on('settled', ({ name, n, outcome }) => {
    if (outcome.status === 'delivered') return undefined
    return logger.warn?.(`message ${n} to ${name}: ${outcome.status}`, { name, n, ...outcome })
  })
  sock.on('held', ({ name, n, type, error }) =>
    logger.error?.(`message ${n} to ${name} cannot be sent, and all behind it wait: ${error.message}`, {
      ...{ name, n, type },
      code: error.code,
    }),
  )
  sock.on('storeFailed', ({ error }) => logger.error?.(error.message, { code: error.code }))
  sock.on('refused', ({ error, address }) => {
    refused(`refused: ${error.message}`, { address, code: error.code })
  })
  sock.on('dialFailed', ({ address, error, retryIn }) => {
    const next = retryIn === undefined ? '' : `, next try in ${Math.round(retryIn)} ms`
    return logger.warn?.(`${error.message}${next}`, { address, code: error.code, retryIn })
  })
  sock.on('dropped', ({ peer, reason, messages, bytes }) => {
    const whose = peer === undefined ? '' : ` for ${peer.address}`
    const text = `dropped ${messages} messages${whose}: ${reason}`
    const facts = { peer: peer?.id, reason, messages, bytes }
    // What arrives is a stranger's doing; what is not sent is the application's.
    if (reason !== 'behind' && reason !== 'refused') return logger.warn?.(text, facts)
    floods[reason](text, facts)
    return undefined
  })
  sock.on('invalid', ({ peer, type, error }) => {
    const shown = type === undefined ? '' : `${JSON.stringify(type)}: `
    invalid(`${shown}${error.message}`, { peer: peer.id, code: error.code })
  })
  sock.on('unhandled', ({ peer, type }) => {
    const shown = printable(JSON.stringify(type))
    unhandled(`no handler for messages of type ${shown}`, { peer: peer.id, type: shown })
  })
  // A logger without this level takes no faults: somebody else must hear of them.
  if (logger.error === undefined) return
  sock.on('fault', ({ error, peer }) =>
    logger.error?.(error.message, { peer: peer?.id, code: error.code, error }),
  )
}
