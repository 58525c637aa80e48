/**
 * Sessions for fuzz.test.ts and fuzz.full.test.ts: a connection is brought into some state, then frames come that are in
 * part what a good peer might send, in part damaged, in part nonsense. A session is told whole by its number:
 * `FUZZ=123 npm test -- sock/v1/fuzz.test` runs that one alone.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import {
  bytes,
  call,
  channel,
  feed,
  msg,
  nothing,
  type PipeSock,
  type RawCodec,
  type SockOptions,
} from '../../../src/index.ts'
import {
  encodeCredit,
  encodeDone,
  encodeFault,
  encodeGoaway,
  encodeGoodbye,
  encodePing,
} from '../../../src/wire/v1/bodies.ts'
import * as kinds from '../../../src/wire/v1/frame.ts'
import { HEADER, Header, writeHeader } from '../../../src/wire/v1/frame.ts'
import { type Dice, diceOf } from '../../support/dice.ts'
import { type Knocker, knocking } from '../../support/knock.ts'
import { frame } from '../../support/tcp.ts'
import type { World } from '../../support/world.ts'
import { arrives, type Far, payloadsIn, type Spoken } from './far.ts'

/** Sorted: ask 0, chat 1, count 2, say 3, take 4. */
export const protocol = {
  ask: call(z.number(), z.number()),
  chat: channel(z.string(), z.string()),
  count: feed(z.number(), z.number()),
  say: msg(z.string()),
  take: call(bytes(), nothing()),
}
// Most sessions end in a refusal, and nobody looks at its stack.
Error.stackTraceLimit = 0

export type Server = PipeSock<RawCodec, typeof protocol>
type Peer = Server['knownPeers'][number]

/** How a connection may end; undefined: in good order. */
const ENDS = new Set([undefined, 'PROTOCOL_ERROR', 'FRAME_TOO_LARGE', 'PIPE_FAILED'])
/** What is sent by a session, at most. */
const FRAMES = 200
/** Sessions of one world. */
const BATCH = 250

/** Registers a test that runs sessions from `first` on until `frames` have come, or only that of FUZZ. */
export function fuzz(first: number, frames: number): void {
  const only = process.env['FUZZ']
  test(`fuzz: sessions of ${frames.toLocaleString('en')} frames`, async () => {
    const tally = { frames: 0, ended: 0, lived: 0 }
    let n = only === undefined ? first : Number(only)
    while (tally.frames < frames) {
      const to = only === undefined ? n + BATCH : n + 1
      await knocking(async (world, door) => {
        const server = await opened(world)
        for (; n < to; n++) {
          try {
            await session(world, door, server, n, tally)
          } catch (error) {
            const replay = `FUZZ=${n} npm test -- sock/v1/fuzz.test`
            throw new Error(`session ${n}; replay: ${replay}\n${(error as Error).message}`, { cause: error })
          }
        }
        await stillGood(world, door, server)
      })
      if (only !== undefined) return
    }
    // One where nothing gets through, or everything, would show little.
    const share = tally.lived / (tally.lived + tally.ended)
    assert.ok(share > 0.02 && share < 0.9, `${tally.lived} of ${tally.lived + tally.ended} lived`)
    assert.ok(tally.frames / (tally.lived + tally.ended) > 8, 'they go on for a while')
  })
}

export const opened = async (world: World): Promise<Server> => {
  const server = await world.open({ bind: 'knock:any', ...serving((s) => world.sim.sleep(s)) })
  heard(server)
  return server
}

/** Everything small, and a handler of each kind. */
export const serving = (sleep: (ms: number) => Promise<void>): SockOptions<RawCodec, typeof protocol> => ({
  protocol,
  maxMessage: 200_000,
  readMark: 65_536,
  streamWindow: 65_536,
  maxCalls: 4,
  maxStreams: 40,
  maxPeers: 1000,
  maxConnectRate: 1e9,
  handlers: {
    ask: (n, { signal }) =>
      n % 2 === 0 ? n : new Promise((resolve) => signal.addEventListener('abort', () => resolve(n))),
    take: () => undefined,
    say: (text) => (text.length % 2 === 0 ? undefined : sleep(0.0001)),
    async *count(n, { signal }) {
      for (let i = 0; i < n; i++) yield i
      if (n < 0) await new Promise((resolve) => signal.addEventListener('abort', resolve))
    },
    async chat(ch) {
      for await (const text of ch) await ch.send(text)
    },
  },
})

/** Throws what is nobody's fault but ours. */
export function heard(server: Pick<Server, 'on'>): void {
  server.on('invalid', () => undefined)
  server.on('unhandled', () => undefined)
  // What the codec finds wrong with an item is the handler's error.
  server.on('fault', ({ error }) => {
    const { code } = error.cause as { code?: string }
    if (code !== 'BAD_MESSAGE' && code !== 'REMOTE_ERROR') throw error
  })
}

interface Tally {
  frames: number
  ended: number
  lived: number
}

/** `onSaid` hears what the far side says. */
export async function session(
  world: World,
  door: Knocker,
  server: Server,
  n: number,
  tally: Tally,
  onSaid?: (bytes: Uint8Array) => unknown,
): Promise<void> {
  const dice = diceOf(n)
  const { far, peer } = await arrives(world, door, server, protocol)
  if (onSaid !== undefined) {
    const say = far.pipe.say.bind(far.pipe)
    far.pipe.say = (bytes) => {
      onSaid(bytes)
      say(bytes)
    }
  }
  const code: { error?: string | undefined } = {}
  const off = server.on('gone', (event) => {
    if (event.peer === peer) code.error = event.error?.code
  })
  const ours = begin(dice, peer)
  await state(world, dice, far)
  let lane = 13
  const fresh = (): number => (lane += 2)
  const isGone = (): boolean => peer.state === 'gone'
  for (let left = FRAMES; left > 0 && !isGone(); ) {
    const chunk: Uint8Array[] = []
    far.ack = far.received
    for (let some = 1 + dice(20); some > 0; some--, left--) {
      chunk.push(frame(damaged(dice, next(dice, far, fresh))))
      tally.frames++
    }
    say(dice, far, Buffer.concat(chunk))
    await world.quiet()
  }
  const lived = peer.state === 'open'
  if (lived) tally.lived++
  else tally.ended++
  judge(far, lived || peer.state === 'ending')
  peer.close()
  far.pipe.break()
  await world.quiet()
  off()
  assert.ok(ENDS.has(code.error), `it ended with ${code.error}`)
  assert.deepEqual(ours.waits(), [], 'whoever waited for it has heard')
  assert.equal(server.stats().peers, 0)
}

/** What we have going with the far side. */
export function begin(dice: Dice, peer: Peer): { waits(): string[] } {
  const open = new Map<object, string>()
  const watch = (what: string, promise: Promise<unknown>): void => {
    open.set(promise, what)
    const over = (): void => void open.delete(promise)
    promise.then(over, over)
  }
  for (let some = dice(4); some > 0; some--) {
    switch (dice(4)) {
      case 0:
        watch('a call', peer.request('ask', 1, { timeout: 0 }))
        break
      case 1:
        watch('a long call', peer.request('take', new Uint8Array(150_000), { timeout: 0 }))
        break
      case 2: {
        const items = peer.stream('count', 5)
        watch(
          'a feed',
          (async () => {
            for await (const item of items) if (item > 3) break
          })(),
        )
        break
      }
      default: {
        const ch = peer.channel('chat')
        watch(
          'a channel',
          (async () => {
            for await (const text of ch) await ch.send(text)
          })(),
        )
        for (let i = 0; i < 5; i++) watch('a send', ch.send('x'.repeat(20_000)))
      }
    }
  }
  if (dice(5) === 0) watch('drain', peer.drain({ timeout: 1_000 }))
  return { waits: () => [...open.values()] }
}

/** Good frames that bring it somewhere. */
export async function state(world: Pick<World, 'quiet'>, dice: Dice, far: Far<Spoken>): Promise<void> {
  for (let some = dice(5); some > 0; some--) {
    const lane = 5 + 2 * dice(4)
    const busy = far.heard.some((one) => one.lane === lane) || open.get(far)?.has(lane) === true
    if (busy) continue
    if (!open.has(far)) open.set(far, new Set())
    switch (dice(6)) {
      case 0:
        open.get(far)?.add(lane)
        far.send(kinds.REQUEST, { lane, type: 0 }, '1')
        break
      case 1:
        open.get(far)?.add(lane)
        far.send(kinds.REQUEST, { lane, type: 4, flags: kinds.MORE }, 'part of it')
        break
      case 2:
        open.get(far)?.add(lane)
        far.send(kinds.OPEN, { lane, type: 2 }, '-1')
        break
      case 3:
        open.get(far)?.add(lane)
        far.send(kinds.OPEN, { lane, type: 1 })
        break
      case 4:
        far.send(kinds.EVENT, { lane: dice(4), type: 3 }, '"hi"')
        break
      default:
        far.send(kinds.GOAWAY, {}, encodeGoaway({ delay: 0, code: '' }))
    }
  }
  await world.quiet()
}
const open = new WeakMap<Far<Spoken>, Set<number>>()

const LANES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 0xffff_fffe, 0xffff_ffff]
const SEQUENCED = [1, 1, 1, 2, 2, 3, 4, 5, 5, 6, 6, 6, 7, 8, 9, 9, 10]
const OTHERS = [
  kinds.ACK,
  kinds.CREDIT,
  kinds.TABLE,
  kinds.PING,
  kinds.PONG,
  kinds.GOAWAY,
  kinds.GOODBYE,
  kinds.VOLATILE,
  0x41,
  0x0c,
]
const DATA = ['', '1', '-1', '2', '"text"', '"texts"', '{', 'null', '[1,2]', '"\\ud800"', '\xff\xfe']

/** What is legal nearly always. */
const HARMLESS = [1, 1, 1, 2, 2, 5, 5, 9, 9, 10, kinds.ACK, kinds.PING, kinds.PONG, kinds.VOLATILE, 0x41]

/** A frame as a peer might send it now: its seq is the next one, its lane one of few, its body of the right form. */
export function next(dice: Dice, far: Far<Spoken>, fresh: () => number): Uint8Array {
  const harmless = dice(60) > 0
  const from = harmless ? HARMLESS : dice(4) > 0 ? SEQUENCED : OTHERS
  const kind = from[dice(from.length)]!
  const event = kind === kinds.EVENT || kind === kinds.VOLATILE
  const opens = kind === kinds.REQUEST || kind === kinds.OPEN
  const own = harmless && opens ? fresh() : LANES[4 + dice(LANES.length - 4)]!
  const lane = event ? dice(4) : kind < 0x10 ? own : 0
  let type = 0
  if (event || opens) {
    if (dice(700) === 0) type = dice(8)
    else type = event ? 3 : kind === kinds.REQUEST ? dice(2) * 4 : 1 + dice(2)
  }
  const flags = kind <= kinds.ITEM && dice(60) === 0 ? kinds.MORE : 0
  const body = bodyOf(dice, kind)
  const payload = new Uint8Array(HEADER + body.length)
  const seq = kind >= 0x10 || dice(2000) === 0 ? 0 : dice(2000) === 0 ? dice(5) : far.seq++
  writeHeader(payload, 0, kind, flags, type, lane, seq, far.ack ?? 0)
  payload.set(body, HEADER)
  return payload
}

function bodyOf(dice: Dice, kind: number): Uint8Array {
  switch (kind) {
    case kinds.ERROR:
    case kinds.RESET:
      return encodeFault('CODE', 'text', Buffer.from(DATA[dice(DATA.length)]!, 'latin1'))
    case kinds.CREDIT:
      return encodeCredit([[LANES[dice(LANES.length)]!, dice(3) * 70_000 + 65_536]])
    case kinds.DONE:
      return encodeDone({ seq: 1, code: '' })
    case kinds.PING:
    case kinds.PONG:
      return encodePing({ ttl: dice(1e6), nonce: new Uint8Array(8) })
    case kinds.GOAWAY:
      return encodeGoaway({ delay: 1, code: '' })
    case kinds.GOODBYE:
      return encodeGoodbye('')
    case kinds.END:
    case kinds.CANCEL:
    case kinds.ACK:
      return new Uint8Array(0)
    default:
      return dice(100) === 0
        ? new Uint8Array(dice(65_600)).fill(0x31)
        : Buffer.from(DATA[dice(DATA.length)]!, 'latin1')
  }
}

/** Most frames as they are; of others one byte or a bit, or their length. */
export function damaged(dice: Dice, payload: Uint8Array): Uint8Array {
  switch (dice(900)) {
    case 0:
      return payload.subarray(0, dice(payload.length + 1))
    case 1:
      payload[dice(Math.min(payload.length, 40))] = [0, 1, 0x7f, 0x80, 0xff][dice(5)]!
      return payload
    case 2: {
      const at = dice(Math.min(payload.length, 40))
      payload[at] = payload[at]! ^ (1 << dice(8))
      return payload
    }
    case 3:
      return dice(5) === 0 ? Uint8Array.from({ length: dice(100) }, () => dice(256)) : payload
    default:
      return payload
  }
}

/** In one piece, or in two. */
export function say(dice: Dice, { pipe }: Far, bytes: Uint8Array): void {
  const at = dice(3) === 0 ? dice(bytes.length) : 0
  if (at > 0) pipe.say(bytes.subarray(0, at))
  pipe.say(bytes.subarray(at))
}

/** What it wrote is what a good peer writes, whatever it got. */
function judge(far: Far, alive: boolean): void {
  const last = inOrder(far)
  if (!alive) assert.equal(last, kinds.GOODBYE, 'it says that it goes')
  assert.equal(far.pipe.broken, false)
}

/** The kind of the last one. */
export function inOrder(far: Far<Spoken>): number {
  const header = new Header()
  let [seq, ack] = [0, 0]
  let last = 0
  for (const payload of payloadsIn(Buffer.concat(far.pipe.written)).slice(1)) {
    assert.notEqual(last, kinds.GOODBYE, 'nothing comes behind GOODBYE')
    header.read(payload)
    if (header.seq > 0) assert.equal(header.seq, ++seq)
    assert.ok(header.ack >= ack, `ack ${header.ack} behind ${ack}`)
    ack = header.ack
    last = header.kind
  }
  return last
}

/** Nothing of all that harmed the sock. */
export async function stillGood(world: World, door: Knocker, server: Server): Promise<void> {
  const { far, peer } = await arrives(world, door, server, protocol)
  far.send(kinds.REQUEST, { lane: 5, type: 0 }, '2')
  await world.quiet()
  assert.deepEqual(
    far.of('REPLY').map(({ body }) => body.toString()),
    ['2'],
  )
  peer.close()
}
