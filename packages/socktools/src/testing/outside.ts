import child_process from 'node:child_process'
import nodeCrypto from 'node:crypto'
import dgram from 'node:dgram'
import dns from 'node:dns'
import fs from 'node:fs'
import module from 'node:module'
import net from 'node:net'
import timers from 'node:timers'
import timersPromises from 'node:timers/promises'
import { fail } from '../errors.ts'
import type { Timer } from '../platform/platform.ts'

/** What takes the place of the outside while a simulation runs. */
export interface Inside {
  /** Milliseconds that never go back, and milliseconds since 1970. */
  readonly now: () => number
  readonly wall: () => number
  readonly random: () => number
  readonly setTimer: (fn: () => void, ms: number) => Timer
  /** A promise was rejected, and nobody took that. */
  readonly onUnhandled: (thrown: unknown) => void
}

/**
 * Replaces what user code knows of time and chance in this process, and makes real I/O throw SIMULATION_REAL_IO.
 * Gives what puts everything back, which resolves when the last of `onUnhandled` has come.
 *
 * Code that took a function out of its module beforehand (`const { readFile } = fs`) goes past this; code that imports
 * by name does not.
 */
export function replaceOutside(inside: Inside): () => Promise<void> {
  const realSoon = setImmediate
  const { onUnhandled } = inside
  const undo: (() => void)[] = []
  const set = (on: object, name: string, value: unknown): void => {
    const before = Object.getOwnPropertyDescriptor(on, name)
    Object.defineProperty(on, name, {
      value,
      writable: true,
      configurable: true,
      enumerable: before?.enumerable ?? true,
    })
    undo.push(() => {
      if (before === undefined) Reflect.deleteProperty(on, name)
      else Object.defineProperty(on, name, before)
    })
  }
  const setAll = (on: object, values: object): void => {
    for (const [name, value] of Object.entries(values)) set(on, name, value)
  }

  const functions = simTimers(inside)
  set(globalThis, 'Date', simDate(inside))
  set(Math, 'random', inside.random)
  set(performance, 'now', inside.now)
  set(AbortSignal, 'timeout', timeoutSignal(inside))
  setAll(globalThis, functions)
  setAll(timers, functions)
  setAll(timersPromises, promised(inside.setTimer))
  set(process, 'hrtime', simHrtime(inside))
  setAll(globalThis.crypto, { getRandomValues: filler(inside), randomUUID: uuid(inside) })
  setAll(nodeCrypto, nodeRandom(inside))
  for (const [on, names] of REAL) for (const name of names) if (name in on) set(on, name, refused(name))
  for (const name of ASYNC_FILES) set(fs, name, refused(`fs.${name}`))
  for (const [name, value] of Object.entries(fs.promises))
    if (typeof value === 'function') set(fs.promises, name, refused(`fs.promises.${name}`))
  module.syncBuiltinESMExports()
  // Those of a test runner, say, would take them for their own.
  const others = process.listeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection').on('unhandledRejection', onUnhandled)
  return async () => {
    for (const one of undo.reverse()) one()
    module.syncBuiltinESMExports()
    // These are told when the loop turns, which it has not done since.
    await new Promise((resolve) => realSoon(resolve))
    process.off('unhandledRejection', onUnhandled)
    for (const other of others) process.on('unhandledRejection', other)
  }
}

/** Doors to the real network and to other processes. */
const REAL: readonly (readonly [object, readonly string[]])[] = [
  [net.Socket.prototype, ['connect']],
  [net.Server.prototype, ['listen']],
  [dgram.Socket.prototype, ['bind', 'send', 'connect']],
  [dns, ['lookup', 'resolve', 'resolve4', 'resolve6', 'reverse']],
  [dns.promises, ['lookup', 'resolve', 'resolve4', 'resolve6', 'reverse']],
  [child_process, ['spawn', 'exec', 'execFile', 'fork']],
  [globalThis, ['fetch']],
]

/** Every function of node:fs that calls back: those that have a twin whose name ends in Sync. */
const ASYNC_FILES = Object.keys(fs).filter((name) => `${name}Sync` in fs)

const refused = (name: string) => (): never =>
  fail(
    'SIMULATION_REAL_IO',
    `${name} would leave the simulation, where real time stands still and its answer never comes`,
  )

function simDate({ wall }: Inside): DateConstructor {
  return new Proxy(Date, {
    construct: (target, args: readonly unknown[], made) =>
      Reflect.construct(target, args.length === 0 ? [wall()] : args, made) as Date,
    apply: (target) => new target(wall()).toString(),
    get: (target, name) => (name === 'now' ? wall : (Reflect.get(target, name) as unknown)),
  })
}

/** What setTimeout and its kin give: enough of Node's Timeout for code that uses it. */
class SimTimeout {
  readonly #arm: () => Timer
  #timer: Timer | undefined

  constructor(arm: () => Timer) {
    this.#arm = arm
    this.#timer = arm()
  }

  refresh(): this {
    this.#timer?.cancel()
    this.#timer = this.#arm()
    return this
  }

  close(): this {
    this.#timer?.cancel()
    this.#timer = undefined
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  hasRef(): boolean {
    return this.#timer !== undefined
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

function simTimers({ setTimer }: Inside): object {
  const { clearTimeout: realClear, clearImmediate: realClearImmediate } = globalThis
  type Fn = (...args: unknown[]) => unknown
  const ms = (delay: unknown): number => Math.max(1, Number(delay) || 0)
  const setTimeout = (fn: Fn, delay?: number, ...args: unknown[]): SimTimeout =>
    new SimTimeout(() => setTimer(() => void fn(...args), ms(delay)))
  const setInterval = (fn: Fn, delay?: number, ...args: unknown[]): SimTimeout => {
    const timeout: SimTimeout = new SimTimeout(() =>
      setTimer(() => {
        timeout.refresh()
        fn(...args)
      }, ms(delay)),
    )
    return timeout
  }
  const setImmediate = (fn: Fn, ...args: unknown[]): SimTimeout =>
    new SimTimeout(() => setTimer(() => void fn(...args), 0))
  const clear =
    (real: (timer: never) => void) =>
    (timer: unknown): void => {
      if (timer instanceof SimTimeout) timer.close()
      else real(timer as never)
    }
  // What util.promisify looks for.
  const { setTimeout: sleep, setImmediate: turn } = promised(setTimer)
  Object.assign(setTimeout, { [PROMISIFY]: sleep })
  Object.assign(setImmediate, { [PROMISIFY]: turn })
  const clearTimeout = clear(realClear)
  const clearImmediate = clear(realClearImmediate)
  return { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval: clearTimeout, clearImmediate }
}

const PROMISIFY = Symbol.for('nodejs.util.promisify.custom')

interface Waiting {
  readonly signal?: AbortSignal
}

/** Those of node:timers/promises. */
function promised(setTimer: Inside['setTimer']): {
  setTimeout: <T>(ms?: number, value?: T, options?: Waiting) => Promise<T>
  setImmediate: <T>(value?: T, options?: Waiting) => Promise<T>
  setInterval: <T>(ms?: number, value?: T, options?: Waiting) => AsyncGenerator<T>
} {
  const wait = <T>(ms: number, value: T, { signal }: Waiting = {}): Promise<T> =>
    new Promise((resolve, reject) => {
      const onAbort = (): void => {
        timer.cancel()
        reject(new DOMException('The operation was aborted', 'AbortError'))
      }
      const timer = setTimer(() => {
        signal?.removeEventListener('abort', onAbort)
        resolve(value)
      }, ms)
      signal?.addEventListener('abort', onAbort, { once: true })
      if (signal?.aborted === true) onAbort()
    })
  return {
    setTimeout: (ms = 1, value, options) => wait(Math.max(1, ms), value as never, options),
    setImmediate: (value, options) => wait(0, value as never, options),
    async *setInterval(ms = 1, value, options) {
      for (;;) yield await wait(Math.max(1, ms), value as never, options)
    },
  }
}

function timeoutSignal({ setTimer }: Inside): (ms: number) => AbortSignal {
  return (ms) => {
    const aborter = new AbortController()
    setTimer(() => {
      aborter.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'))
    }, ms)
    return aborter.signal
  }
}

function simHrtime({ now }: Inside): object {
  const bigint = (): bigint => BigInt(Math.round(now() * 1e6))
  const hrtime = (since: [number, number] = [0, 0]): [number, number] => {
    const elapsed = bigint() - (BigInt(since[0]) * 1_000_000_000n + BigInt(since[1]))
    return [Number(elapsed / 1_000_000_000n), Number(elapsed % 1_000_000_000n)]
  }
  return Object.assign(hrtime, { bigint })
}

function filler({ random }: Inside): <T extends ArrayBufferView>(into: T) => T {
  return (into) => {
    const bytes = new Uint8Array(into.buffer, into.byteOffset, into.byteLength)
    for (let i = 0; i < bytes.length; i++) bytes[i] = Math.floor(random() * 256)
    return into
  }
}

function uuid(inside: Inside): () => string {
  const fill = filler(inside)
  return () => {
    const bytes = fill(new Uint8Array(16))
    bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40
    bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
  }
}

/** Those of node:crypto, where they are called without a callback. */
function nodeRandom(inside: Inside): object {
  const fill = filler(inside)
  return {
    randomUUID: uuid(inside),
    randomBytes: (length: number) => fill(Buffer.alloc(length)),
    randomFillSync: fill,
    randomInt: (low: number, high?: number) =>
      high === undefined
        ? Math.floor(inside.random() * low)
        : low + Math.floor(inside.random() * (high - low)),
  }
}
