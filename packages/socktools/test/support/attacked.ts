/** What the victim of an attack speaks and allows, for itself and for whoever attacks it. */
import { z } from 'zod'
import {
  bytes,
  call,
  channel,
  feed,
  msg,
  nothing,
  type SockOptions,
  type SockStats,
} from '../../src/index.ts'
import { compile } from '../../src/contract/protocol.ts'

export const protocol = {
  echo: call(z.string(), z.string()),
  boom: call(nothing(), nothing()),
  hang: call(nothing(), nothing()),
  slow: msg(z.string()),
  say: msg(z.unknown()),
  pour: feed(nothing(), bytes()),
  wait: channel(bytes(), nothing()),
}

/** The number of a type on the wire. */
export const typeOf = (name: keyof typeof protocol): number => compile(protocol).byName.get(name)?.index ?? -1

/** Everything small and short, so that each bound is reached soon. */
export const LIMITS = {
  maxFrame: 1024 * 1024,
  maxMessage: 1024 * 1024,
  maxPeers: 200,
  maxSessionsPerNode: 4,
  maxPending: 16,
  maxCalls: 8,
  maxStreams: 8,
  maxResetRate: 50,
  maxRetained: 1024 * 1024,
  maxQueue: 1024 * 1024,
  highWaterMark: 256 * 1024,
  readMark: 64 * 1024,
  streamWindow: 64 * 1024,
  handshakeTimeout: 1_500,
  gateTimeout: 1_500,
  frameGrace: 1_000,
  sessionTtl: 5_000,
} satisfies SockOptions

export interface Report {
  readonly stats: SockStats
  /** In bytes; the peak since the report before. */
  readonly rss: number
  readonly peak: number
  /** Handlers of `hang` and `wait` that run now, and the most at once. */
  readonly running: number
  readonly most: number
  /** Lines of the log since the report before. */
  readonly lines: readonly string[]
}
