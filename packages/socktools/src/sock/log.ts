import { printable } from '../errors.ts'
import type { Codec } from '../wire/codec.ts'
import { type Bucket, refill } from './admission.ts'
import type { Logger, Sock } from './types.ts'

/** Of each kind of line about one peer that a stranger can cause, so many a second; of others that it can cause, one. */
const PEERS = 10

/** Writes a sock's events to a logger. Returns what it answers, so that one that rejects is a fault like any other. */
export function logTo<C extends Codec>(logger: Logger, sock: Pick<Sock<C>, 'on'>, now: () => number): void {
  const throttled = (
    write: (text: string, facts: object) => unknown,
    most = 1,
  ): ((text: string, facts: object) => unknown) => {
    let bucket: Bucket | undefined
    let unsaid = 0
    return (text, facts) => {
      bucket = refill(bucket, now(), most, most)
      if (bucket.tokens < 1) {
        unsaid++
        return undefined
      }
      bucket.tokens--
      const count = unsaid
      unsaid = 0
      return write(text, most > 1 && count === 0 ? facts : { ...facts, unsaid: count })
    }
  }
  const warn = (text: string, facts: object): unknown => logger.warn?.(text, facts)
  const info = (text: string, facts: object): unknown => logger.info?.(text, facts)
  const gone = throttled(warn, PEERS)
  const lost = throttled(warn, PEERS)
  const detached = throttled(info, PEERS)
  const resumed = throttled(info, PEERS)
  const refused = throttled(warn)
  const invalid = throttled(warn)
  const unhandled = throttled((text, facts) => logger.debug?.(text, facts))
  const floods = { behind: throttled(warn), refused: throttled(warn) }
  sock.on('listening', ({ address }) => logger.info?.(`listening on ${address}`, { address }))
  sock.on('peer', ({ peer }) => logger.debug?.(`peer ${peer.id} is up (${peer.address})`, { peer: peer.id }))
  sock.on('detached', ({ peer, error }) => {
    const why = error === undefined ? '' : `: ${error.message}`
    return detached(`peer ${peer.id} is detached${why}`, { peer: peer.id, code: error?.code })
  })
  sock.on('resumed', ({ peer }) => resumed(`peer ${peer.id} is back (${peer.address})`, { peer: peer.id }))
  sock.on('sessionLost', ({ peer, reason, unknown, neverSent, resent }) =>
    lost(`the session of peer ${peer.id} is lost: ${reason}`, {
      peer: peer.id,
      reason,
      unknown,
      neverSent,
      resent,
    }),
  )
  sock.on('gone', ({ peer, error, lost: left }) => {
    if (error === undefined)
      return logger.debug?.(`peer ${peer.id} is gone (${peer.address})`, { peer: peer.id, lost: left })
    return gone(`peer ${peer.id} is gone: ${error.message}`, {
      peer: peer.id,
      code: error.code,
      lost: left,
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
    const facts = { address, code: error.code }
    // Somebody else sits where one was known: not one more line among many.
    if (error.code === 'PIN_CHANGED') logger.error?.(error.message, facts)
    else refused(`refused: ${error.message}`, facts)
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
