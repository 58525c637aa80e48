import { fail, needFunction, needKnown } from '../errors.ts'

/** What is done to the bytes of one direction: `up` from who connects to `to`, `down` back. */
export interface Toxics {
  /** Milliseconds that bytes are held back. */
  readonly latency?: number
  /** Milliseconds more, at most, by chance for each piece; the order is kept. */
  readonly jitter?: number
  /** Bytes per second. */
  readonly bandwidth?: number
  /** The most bytes that are passed on in one piece; each is drawn from 1 to this. */
  readonly slice?: number
  /**
   * The connection is reset once so many bytes have passed in this direction: exactly these do. Or how many for each
   * connection, by its number from 1; Infinity for one that is to last.
   */
  readonly cutAfter?: number | ((connection: number) => number)
  /** This direction ends in good order (FIN) once so many bytes have passed; the rest is thrown away. */
  readonly limit?: number
  /** Everything is swallowed from the start. */
  readonly blackHole?: boolean
}

/** Times are in milliseconds. */
export interface ChaosOptions {
  /** Where to listen: `tcp://127.0.0.1:0` or `unix:/path`. */
  readonly listen: string
  /** Where what comes is passed on to. */
  readonly to: string
  /** For all chance in here. Default 1. */
  readonly seed?: number
  /** For both directions, where `up` and `down` do not say otherwise. */
  readonly both?: Toxics
  readonly up?: Toxics
  readonly down?: Toxics
  /** Connection i, from 1, is cut after `cutAfter` × i bytes instead of after `cutAfter`, a number. Default false. */
  readonly cutGrows?: boolean
  /** What it does, as it does it. */
  readonly log?: (event: ChaosEvent) => void
}

/** One thing that the proxy did. */
export interface ChaosEvent {
  /** Milliseconds since it began. */
  readonly at: number
  readonly event:
    | ('listening' | 'open' | 'refused' | 'cut' | 'limit' | 'end' | 'close')
    | ('freeze' | 'release' | 'blackHole' | 'heal' | 'stopped')
  /** 1, 2, 3 …, in the order in which they came. */
  readonly connection?: number
  readonly direction?: 'up' | 'down' | 'both'
  readonly address?: string
  /** Bytes that were passed on. */
  readonly up?: number
  readonly down?: number
}

export interface ChaosPlan extends Required<Pick<ChaosOptions, 'listen' | 'to' | 'seed' | 'cutGrows'>> {
  readonly up: Toxics
  readonly down: Toxics
  readonly log: (event: ChaosEvent) => void
}

const KNOWN = ['listen', 'to', 'seed', 'both', 'up', 'down', 'cutGrows', 'log']
const TOXICS = ['latency', 'jitter', 'bandwidth', 'slice', 'cutAfter', 'limit', 'blackHole']
/** Zero would stop everything. */
const AT_LEAST_ONE = ['bandwidth', 'slice']

/** Throws BAD_OPTION. */
export function chaosPlan(options: ChaosOptions): ChaosPlan {
  if (typeof options !== 'object' || (options as unknown) === null)
    fail('BAD_OPTION', 'chaos takes { listen, to, … }')
  needKnown(options, KNOWN, 'chaos')
  const {
    listen,
    to,
    seed = 1,
    both = {},
    up = {},
    down = {},
    cutGrows = false,
    log = () => undefined,
  } = options
  for (const address of [listen, to] as unknown[])
    if (typeof address !== 'string')
      fail('BAD_OPTION', 'listen and to are addresses: tcp://127.0.0.1:4000, unix:/path')
  if (!Number.isInteger(seed)) fail('BAD_OPTION', `seed is a whole number, not ${String(seed)}`)
  needFunction(log, 'log')
  for (const toxics of [both, up, down]) check(toxics)
  return { listen, to, seed, up: { ...both, ...up }, down: { ...both, ...down }, cutGrows, log }
}

function check(toxics: object): void {
  needKnown(toxics, TOXICS, 'a direction of chaos')
  for (const [name, value] of Object.entries(toxics) as [string, unknown][]) {
    if (value === undefined || (name === 'cutAfter' && typeof value === 'function')) continue
    if (
      name === 'blackHole'
        ? typeof value !== 'boolean'
        : !(typeof value === 'number' && value >= 0 && value < Infinity)
    )
      fail(
        'BAD_OPTION',
        `${name} is ${name === 'blackHole' ? 'true or false' : 'a number from 0'}, not ${JSON.stringify(value)}`,
      )
    if (AT_LEAST_ONE.includes(name) && (value as number) < 1) fail('BAD_OPTION', `${name} is 1 at least`)
  }
}
