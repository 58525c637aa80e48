/** What an option may be, whichever sock has it. Each throws BAD_OPTION; callers in JavaScript may pass anything. */
import { fail, needFunction } from '../errors.ts'

/** Zero means "no limit" or "never" here; elsewhere it would stop everything. */
const MAY_BE_ZERO = new Set<string>([
  'timeout',
  'frameRate',
  'maxFrame',
  'highWaterMark',
  'maxQueue',
  'readMark',
  'backoff.healthy',
  'callTimeout',
  'heartbeat',
  'stallTimeout',
  'maxCalls',
  'maxStreams',
])

const TIMES = new Set<string>([
  'timeout',
  'tickInterval',
  'connectTimeout',
  'gateTimeout',
  'frameGrace',
  'handshakeTimeout',
  'autoWait',
  'callTimeout',
  'heartbeat',
  'stallTimeout',
  'sessionTtl',
  'backoff.first',
  'backoff.max',
])
/** What a system timer can count: 24.8 days. Beyond it Node's fire at once. */
const MAX_TIME = 2 ** 31 - 1

const LEVELS = ['debug', 'info', 'warn', 'error'] as const

export function checkNumber(name: string, value: unknown): number {
  if (typeof value !== 'number' || Number.isNaN(value) || value < 0) {
    return fail('BAD_OPTION', `${name} must be a number from 0 up, not ${String(value)}`)
  }
  if (TIMES.has(name) && value > 0 && value < 1)
    fail('BAD_OPTION', `${name} is in milliseconds: for ${value} s write ${value * 1000}`)
  if (TIMES.has(name) && value > MAX_TIME) return fail('BAD_OPTION', `${name} is at most ${MAX_TIME} ms`)
  if (value === 0 && !MAY_BE_ZERO.has(name)) return fail('BAD_OPTION', `${name} cannot be 0`)
  return value
}

/** An object with these methods. */
export function checkPart(name: string, methods: readonly string[], part: unknown): void {
  if (part === undefined) return
  if (typeof part === 'function')
    fail('BAD_OPTION', `${name} is a function: call it, as in ${name}: ${part.name || 'json'}()`)
  if (typeof part !== 'object' || part === null) fail('BAD_OPTION', `${name} must be an object`)
  needMethods(part, name, methods)
}

export function needMethods(part: object, name: string, methods: readonly string[]): void {
  for (const method of methods)
    needFunction((part as Record<string, unknown> | null)?.[method], `${name}.${method}`)
}

export function checkLogger(logger: unknown): void {
  for (const level of LEVELS) {
    const log = (logger as Partial<Record<string, unknown>> | undefined)?.[level]
    if (log !== undefined) needFunction(log, `logger.${level}`)
  }
}

export function needAddress(address: unknown, name: string): string {
  if (typeof address === 'string') return address
  return fail('BAD_OPTION', `${name} takes an address as a string, not ${typeof address}`)
}

export function addressesOf(connect: unknown): readonly string[] {
  const addresses: readonly unknown[] = Array.isArray(connect) ? connect : [connect]
  return addresses.map((address) => needAddress(address, 'connect'))
}
