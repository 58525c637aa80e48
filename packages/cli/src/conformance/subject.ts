/*
 * The contract of docs/conformance.md, served with the library: what the cases are run against when socktools is tested
 * against itself, and an example for others.
 */
import {
  call,
  CallError,
  channel,
  type Codec,
  feed,
  json,
  msg,
  type Peer,
  PipeSock,
  RemoteError,
  type Schema,
  SockError,
} from 'socktools'
import { PARTS } from '../transports.ts'
import { LIMITS } from './hello.ts'
import type { Wire } from './case.ts'
import type { Role } from './stage.ts'

function schema<T>(wanted: string, is: (value: unknown) => boolean): Schema<T> {
  const issues = [{ message: `expected ${wanted}` }]
  const validate = (value: unknown) => (is(value) ? { value: value as T } : { issues })
  return { '~standard': { version: 1, vendor: '@socktools/cli', validate } }
}

const isNumber = (value: unknown): boolean => typeof value === 'number'
const part = (value: unknown, name: string): unknown =>
  (value as Record<string, unknown> | null | undefined)?.[name]

interface Sum {
  readonly a: number
  readonly b: number
  /** Milliseconds. */
  readonly wait?: number
}
const sum = schema<Sum>('{ a, b }', (value) => isNumber(part(value, 'a')) && isNumber(part(value, 'b')))
const anything = schema<unknown>('anything', () => true)
const counted = schema<number | { n: number; size: number }>(
  'a number, or { n, size }',
  (value) => isNumber(value) || isNumber(part(value, 'n')),
)

const PROTOCOL = {
  add: call(sum, schema<number>('a number', isNumber), {
    version: 1,
    errors: { TOO_MUCH: schema<{ most: number }>('{ most }', (value) => isNumber(part(value, 'most'))) },
  }),
  chat: channel(anything, anything),
  count: feed(counted, anything, { version: 1 }),
  say: msg(anything),
}
type Subject = PipeSock<Codec, typeof PROTOCOL>
type Other = Peer<Codec, typeof PROTOCOL>

const MOST = 1_000_000

async function add({ a, b, wait = 0 }: Sum, { signal }: { readonly signal: AbortSignal }): Promise<number> {
  if (a + b > MOST) throw new CallError('TOO_MUCH', { most: MOST })
  if (wait > 0)
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, wait)
      signal.addEventListener('abort', () => {
        clearTimeout(timer)
        resolve()
      })
    })
  return a + b
}

async function* count(asked: number | { n: number; size: number }): AsyncGenerator {
  const [n, size] = typeof asked === 'number' ? [asked, undefined] : [asked.n, asked.size]
  for (let i = 0; i < n; i++) yield size === undefined ? i : `${i} `.padEnd(size, '.')
}

/** A message is said back, unless it is quiet, or says what to do. */
async function say(said: unknown, peer: Other): Promise<void> {
  if (part(said, 'quiet') === true) return
  const what = part(said, 'do')
  if (typeof what !== 'string') {
    await peer.sendMsg('say', said)
    return
  }
  // Not waited for: what it is to do may need what comes next.
  void obeyed(what, said, peer).catch(() => undefined)
}

async function obeyed(what: string, order: unknown, peer: Other): Promise<void> {
  if (what === 'drain') {
    await peer.drain()
    return
  }
  try {
    await peer.sendMsg('say', { did: what, ...(await ORDERS[what]?.(order, peer)) })
  } catch (error) {
    const told = error instanceof CallError ? declared(error) : { error: codeOf(error) }
    await peer.sendMsg('say', { did: what, ...told })
  }
}

const declared = ({ code, data }: { readonly code: string; readonly data: unknown }): object => ({
  error: code,
  data,
})

/** Of what the far side said, where it said it. */
const codeOf = (error: unknown): string => {
  if (error instanceof RemoteError) return error.remote.code
  return error instanceof SockError ? error.code : String(error)
}

const ORDERS: Readonly<Record<string, (order: unknown, peer: Other) => Promise<object>>> = {
  call: async (order, peer) => {
    const timeout = part(order, 'timeout')
    const options = typeof timeout === 'number' ? { timeout } : {}
    return { reply: await peer.request('add', part(order, 'data') as Sum, options) }
  },
  watch: async (order, peer) => {
    const take = Number(part(order, 'take') ?? Infinity)
    const items: unknown[] = []
    for await (const item of peer.stream('count', part(order, 'data') as number)) {
      items.push(item)
      if (items.length >= take) return { items }
    }
    return { items, end: true }
  },
  chat: async (order, peer) => {
    const chat = peer.channel('chat')
    const heard: unknown[] = []
    const back = chat[Symbol.asyncIterator]()
    for (const item of part(order, 'items') as unknown[]) {
      await chat.send(item)
      heard.push((await back.next()).value)
    }
    await chat.end()
    await back.next()
    return { items: heard }
  },
}

/** Often and soon: each case is another connection. */
const BACKOFF = { first: 1, max: 20, healthy: 1 }

const placeOf = (role: Role, address: string): { bind?: string; connect?: string } =>
  role === 'listener' ? { bind: address } : { connect: address }

/** Serves it. With the role dialer it dials again whenever a connection has ended. */
export function subject(wire: Wire, role: Role, address: string): PipeSock {
  const common = { ...placeOf(role, address), backoff: BACKOFF }
  if (wire === 'plain') {
    return new PipeSock({ ...common, handlers: { 0: (data, { peer }) => peer.sendMsg(0, data) } }, PARTS)
  }
  const options = {
    ...common,
    protocol: PROTOCOL,
    codec: json(),
    maxMessage: LIMITS.maxMessage,
    readMark: LIMITS.eventWindow,
    streamWindow: LIMITS.laneWindow,
    maxCalls: LIMITS.maxCalls,
    maxStreams: LIMITS.maxStreams,
    handlers: {
      add,
      count,
      chat: async (chat: AsyncIterable<unknown> & { send(item: unknown): Promise<void> }) => {
        for await (const item of chat) await chat.send(item)
      },
      say: (said: unknown, { peer }: { readonly peer: Other }) => say(said, peer),
    },
  }
  const sock: Subject = new PipeSock(options, PARTS)
  return sock as unknown as PipeSock
}
