/**
 * What the compiler knows of socks under a protocol. Each `@ts-expect-error` is a wrong use that must not compile:
 * `npm run check` fails where one does. What runs here shows that the same holds of the values.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type } from 'arktype'
import * as v from 'valibot'
import { z } from 'zod'
import {
  bytes,
  call,
  channel,
  type Codec,
  type DropReason,
  feed,
  type HandlersOf,
  json,
  latest,
  type Message,
  MetaSock,
  type MiddlewareContext,
  type MiddlewareOf,
  msg,
  nothing,
  type Outcome,
  type Peer,
  type PeerOf,
  type Protocol,
  type RawCodec,
  type Sock,
  type SockOf,
  type SockOptions,
  TcpSock,
  type TcpSockOptions,
  ttl,
  UdpSock,
  type UdpSockOptions,
} from '../../../src/index.ts'
import { msgpack } from '../../../src/wire/msgpack/msgpack.ts'
import { GUARD } from '../../support/tcp.ts'

// One type of each library, and data that are not on the way what they are at its ends.
const Line = z.object({ text: z.string(), at: z.string().transform(Number) })
const Room = v.object({ room: v.string() })
const Lines = type({ text: 'string' }).array()

const chat = {
  say: msg(Line),
  note: msg(Room),
  mark: msg(Lines),
  blob: msg(bytes()),
  history: call(Room, Lines, { errors: { NO_ROOM: undefined, FULL: z.object({ free: z.number() }) } }),
  ping: call(nothing(), nothing()),
  follow: feed(Room, Line),
  talk: channel(Line, Room),
}
type Chat = typeof chat
/** As arktype has it. */
interface Text {
  text: string
}
interface Said extends Text {
  at: number
}

/** True where the two are the very same type. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- how the compiler compares two types
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
/** `typed<Wanted>().as(value)` compiles where the value is of the very type that is wanted. */

const typed = <Wanted>(): { as<T>(value: T, ...not: Same<T, Wanted> extends true ? [] : [never]): void } => ({
  as: () => undefined,
})

/** Compiled, never run: what goes out. */
export async function sends(sock: Sock<RawCodec, Chat>, peer: Peer<RawCodec, Chat>): Promise<void> {
  for (const one of [sock, peer]) {
    await one.sendMsg('say', { text: 'hi', at: '1' })
    await one.sendMsg('note', { room: 'lobby' }, { headers: { trace: '1' } })
    await one.sendMsg('mark', [{ text: 'hi' }])
    await one.sendMsg('blob', Uint8Array.of(1))
    // @ts-expect-error: no such type
    await one.sendMsg('shout', { text: 'hi', at: '1' })
    // @ts-expect-error: what is sent is the input of the schema: text
    await one.sendMsg('say', { text: 'hi', at: 1 })
    // @ts-expect-error: a property is missing
    await one.sendMsg('say', { text: 'hi' })
    // @ts-expect-error: the data are missing
    await one.sendMsg('say')
    // @ts-expect-error: the data of another type
    await one.sendMsg('note', { text: 'hi', at: '1' })
    // @ts-expect-error: a call is asked, not sent
    await one.sendMsg('history', { room: 'lobby' })
    // @ts-expect-error: a feed is asked for, not sent
    await one.sendMsg('follow', { room: 'lobby' })
    // @ts-expect-error: a channel is opened
    await one.sendMsg('talk', undefined)
    // @ts-expect-error: types have names here
    await one.sendMsg(0, Uint8Array.of(1))
    // @ts-expect-error: headers are texts
    await one.sendMsg('note', { room: 'lobby' }, { headers: { trace: 1 } })
    // @ts-expect-error: no such option
    await one.sendMsg('note', { room: 'lobby' }, { header: {} })
  }
  await sock.sendMsg('note', { room: 'lobby' }, { to: peer, except: [peer, 'p1'], headers: {} })
}

/** Compiled, never run: receipts. */
export async function receipts(peer: Peer<RawCodec, Chat>, untyped: Peer): Promise<void> {
  const { accepted, outcome } = peer.send('say', { text: 'hi', at: '1' }, { headers: {} })
  typed<Promise<void>>().as(accepted)
  typed<Promise<Outcome>>().as(outcome)
  const one = await outcome
  if (one.status === 'not-delivered') typed<DropReason | 'failed'>().as(one.reason)
  if (one.status === 'not-delivered' && one.reason === 'failed') typed<string>().as(one.code)
  void peer.send('say', { text: 'hi', at: '1' }, { ack: 'processed' })
  // @ts-expect-error: durable is of what is posted
  void peer.send('say', { text: 'hi', at: '1' }, { ack: 'durable' })
  // @ts-expect-error: what was delivered has no reason
  if (one.status === 'delivered') one.reason.trim()
  // @ts-expect-error: no such type
  peer.send('shout', { text: 'hi', at: '1' })
  // @ts-expect-error: what is sent is the input of the schema: text
  peer.send('say', { text: 'hi', at: 1 })
  // @ts-expect-error: a call is asked, not sent
  peer.send('history', { room: 'lobby' })
  untyped.send(0, 'any type, any data of its codec')
}

/** Compiled, never run: what becomes of what a lost session leaves. */
export function lost(sock: Sock<RawCodec, Chat>): void {
  const options: SockOptions<RawCodec, Chat> = {
    sessionLost: 'resend',
    handlers: {
      say: (_, { redelivered }) => typed<boolean>().as(redelivered),
      history: (_, { redelivered }) => (redelivered ? [] : []),
    },
  }
  typed<'fail' | 'resend' | 'drop' | undefined>().as(options.sessionLost)
  // @ts-expect-error: no such policy
  const wrong: SockOptions = { sessionLost: 'retry' }
  // @ts-expect-error: datagrams have no sessions
  const elsewhere: UdpSockOptions = { sessionLost: 'drop' }
  typed<(SockOptions | UdpSockOptions)[]>().as([wrong, elsewhere])
  sock.on('sessionLost', ({ peer, reason, ...counts }) => {
    typed<Peer<RawCodec, Chat>>().as(peer)
    typed<Record<'deliveredThrough' | 'unknown' | 'neverSent' | 'resent', number>>().as(counts)
    // @ts-expect-error: no such reason
    return reason === 'bored'
  })
}

/** Compiled, never run: what is kept until it is done. */
export async function posts(sock: TcpSock<RawCodec, Chat>, peer: Peer<RawCodec, Chat>): Promise<void> {
  const { accepted, outcome } = sock.post(
    'bob',
    'say',
    { text: 'hi', at: '1' },
    { headers: {}, ack: 'durable' },
  )
  typed<Promise<number>>().as(accepted)
  typed<Promise<Outcome>>().as(outcome)
  sock.claim(peer, 'bob')
  await sock.connectTo('tcp://127.0.0.1:1', { name: 'bob' })
  // @ts-expect-error: no such type
  sock.post('bob', 'shout', { text: 'hi', at: '1' })
  // @ts-expect-error: what is posted is the input of the schema: text
  sock.post('bob', 'say', { text: 'hi', at: 1 })
  // @ts-expect-error: a call is asked, not posted
  sock.post('bob', 'history', { room: 'lobby' })
  // @ts-expect-error: that it was received is not enough to forget it
  sock.post('bob', 'say', { text: 'hi', at: '1' }, { ack: 'received' })
  // @ts-expect-error: a message is posted to a name, not to a peer
  sock.post(peer, 'say', { text: 'hi', at: '1' })
  // @ts-expect-error: a name is a text
  sock.claim(peer, 1)
}

/** Compiled, never run: what is declared of deliveries. */
export function deliveries(): unknown[] {
  const key = ({ id }: { id: number }): number => id
  return [
    msg(Line, {
      delivery: latest((line) => {
        typed<{ text: string; at: string }>().as(line)
        return line.at
      }),
    }),
    msg(z.object({ id: z.number(), x: z.number() }), { delivery: latest(key) }),
    msg(Line, { delivery: latest(), priority: 'low' }),
    msg(Line, { delivery: ttl(5) }),
    msg(Line, { delivery: 'volatile' }),
    call(Line, Line, { idempotent: true }),
    // @ts-expect-error: a key of other data
    msg(Line, { delivery: latest(key) }),
    // @ts-expect-error: a key is a text or a number
    msg(Line, { delivery: latest((line) => line) }),
    // @ts-expect-error: no such class
    () => msg(Line, { delivery: 'latest' }),
    // @ts-expect-error: to be called
    () => msg(Line, { delivery: ttl }),
    // @ts-expect-error: milliseconds
    () => msg(Line, { delivery: ttl('1s') }),
    // @ts-expect-error: an answer is always reliable
    () => call(Line, Line, { delivery: 'volatile' }),
    // @ts-expect-error: only calls are
    () => msg(Line, { idempotent: true }),
  ]
}

/** Compiled, never run: what is asked. */
export async function asks(peer: Peer<RawCodec, Chat>): Promise<void> {
  const lines = await peer.request('history', { room: 'lobby' }, { timeout: 5, headers: { trace: '1' } })
  typed<Text[]>().as(lines)
  typed<Promise<undefined>>().as(peer.request('ping'))
  await peer.request('ping', undefined, { timeout: 5 })
  // @ts-expect-error: nothing is sent with it
  await peer.request('ping', 1)
  // @ts-expect-error: a message has no answer
  await peer.request('say', { text: 'hi', at: '1' })
  // @ts-expect-error: a feed has many
  await peer.request('follow', { room: 'lobby' })
  // @ts-expect-error: no such type
  await peer.request('shout')
  // @ts-expect-error: the question is missing
  await peer.request('history')
  // @ts-expect-error: another question
  await peer.request('history', { room: 1 })
  // @ts-expect-error: no such option
  await peer.request('history', { room: 'lobby' }, { deadline: 5 })
  // @ts-expect-error: another answer
  lines.map(({ at }) => at)

  for await (const line of peer.stream('follow', { room: 'lobby' }, { headers: {} })) typed<Said>().as(line)
  // @ts-expect-error: a call has one answer
  peer.stream('history', { room: 'lobby' })
  // @ts-expect-error: a message has none
  peer.stream('say', { text: 'hi', at: '1' })
  // @ts-expect-error: the question is missing
  peer.stream('follow')

  const end = peer.channel('talk', { headers: {} })
  await end.send({ text: 'hi', at: '1' })
  for await (const item of end) typed<{ room: string }>().as(item)
  await end.end()
  // @ts-expect-error: that is what the other end sends
  await end.send({ room: 'lobby' })
  // @ts-expect-error: no channel
  peer.channel('follow')
  // @ts-expect-error: a channel is opened with nothing
  peer.channel('talk', { text: 'hi', at: '1' })
}

/** Compiled, never run: what arrives, for all kinds of socks alike. */
export function handlers(): unknown[] {
  const right: SockOptions<RawCodec, Chat>['handlers'] = {
    say: (line, { peer, headers, signal, sock }) => {
      typed<Said>().as(line)
      typed<Peer<RawCodec, Chat>>().as(peer)
      typed<Sock<RawCodec, Chat>>().as(sock)
      typed<AbortSignal>().as(signal)
      return peer.request('history', { room: headers['room'] ?? '' })
    },
    note: ({ room }) => room.trim(),
    mark: (lines) => lines.map(({ text }) => text),
    blob: (data) => data.byteLength,
    history: async ({ room }, { timeLeft }) => Promise.resolve([{ text: `${room} ${timeLeft ?? 0}` }]),
    ping: () => undefined,
    async *follow({ room }, { signal }) {
      await Promise.resolve()
      if (!signal.aborted) yield { text: room, at: '1' }
    },
    async talk(here, { peer }) {
      for await (const { at } of here) await here.send({ room: peer.id + at.toFixed() })
      await here.end()
    },
  }
  return [
    new TcpSock({ protocol: chat, handlers: right }),
    new UdpSock({
      protocol: chat,
      handlers: { say: ({ at }, { peer }) => peer.sendMsg('note', { room: `${at}` }) },
    }),
    new MetaSock({
      protocol: chat,
      handlers: {
        history: ({ room }) => [{ text: room }],
        say: ({ at }, { peer }) => peer.request('ping', at === 1 ? undefined : undefined),
      },
    }),
    // Some may be missing; a handler that waits is one that answers nothing.
    new TcpSock({ protocol: chat, handlers: { ping: async () => Promise.resolve() } }),
    // @ts-expect-error: no such type
    new TcpSock({ protocol: chat, handlers: { shout: () => undefined } }),
    // @ts-expect-error: no such type
    new UdpSock({ protocol: chat, handlers: { shout: () => undefined } }),
    // @ts-expect-error: no such type
    new MetaSock({ protocol: chat, handlers: { shout: () => undefined } }),
    // @ts-expect-error: an answer of the wrong shape
    new TcpSock({ protocol: chat, handlers: { history: ({ room }) => [{ txt: room }] } }),
    // @ts-expect-error: an answer of the wrong shape
    new MetaSock({ protocol: chat, handlers: { history: ({ room }) => [{ txt: room }] } }),
    // @ts-expect-error: no answer
    new TcpSock({ protocol: chat, handlers: { history: () => undefined } }),
    // @ts-expect-error: one answer in the place of many: no generator
    new TcpSock({ protocol: chat, handlers: { follow: ({ room }) => ({ text: room, at: '1' }) } }),
    // @ts-expect-error: the same of an async function
    new TcpSock({ protocol: chat, handlers: { follow: async () => Promise.resolve([]) } }),
    new TcpSock({
      protocol: chat,
      handlers: {
        // @ts-expect-error: an item of the wrong shape
        async *follow({ room }) {
          await Promise.resolve()
          yield { text: room }
        },
      },
    }),
    // @ts-expect-error: what arrives has been transformed: a number
    new TcpSock({ protocol: chat, handlers: { say: ({ at }) => at.trim() } }),
    // @ts-expect-error: that is what the other end sends
    new TcpSock({ protocol: chat, handlers: { talk: async (here) => here.send({ text: 'hi', at: '1' }) } }),
    // @ts-expect-error: the context has no such thing
    new TcpSock({ protocol: chat, handlers: { say: (_line, { pear }) => pear } }),
    // @ts-expect-error: a protocol is of declarations
    new TcpSock({ protocol: { say: Line } }),
  ]
}

/** Compiled, never run: what is added later, and what is read. */
export async function reads(sock: Sock<RawCodec, Chat>): Promise<void> {
  sock.addHandler('say', (line, { peer }) => {
    typed<Said>().as(line)
    return peer.sendMsg('note', { room: 'lobby' })
  })
  sock.addHandler('history', ({ room }) => [{ text: room }], { exclusive: true })
  sock.addHandler('follow', async function* ({ room }) {
    await Promise.resolve()
    yield { text: room, at: '1' }
  })
  sock.addHandler('talk', async (here) => here.send({ room: 'lobby' }))
  // @ts-expect-error: no such type
  sock.addHandler('shout', () => undefined)
  // @ts-expect-error: types have names here
  sock.addHandler(0, () => undefined)
  // @ts-expect-error: an answer of the wrong shape
  sock.addHandler('history', ({ room }) => [{ txt: room }])
  // @ts-expect-error: no generator
  sock.addHandler('follow', ({ room }) => ({ text: room, at: '1' }))
  // @ts-expect-error: what arrives has been transformed: a number
  sock.addHandler('say', ({ at }) => at.trim())

  for await (const [line, { peer }] of sock.messages('say')) {
    typed<Said>().as(line)
    typed<Peer<RawCodec, Chat>>().as(peer)
  }
  for await (const [data, { type: name }] of sock.messages()) {
    typed<Said | { room: string } | Text[] | Uint8Array>().as(data)
    typed<string | number>().as(name)
  }
  // @ts-expect-error: no such type
  sock.messages('shout')
  // @ts-expect-error: calls are answered by their handler, nobody else hears of them
  sock.messages('history')

  typed<readonly Peer<RawCodec, Chat>[]>().as(sock.knownPeers)
  typed<Chat>().as(sock.protocol)
  await sock.knownPeers[0]?.request('ping')
  await (await sock.connectTo('memory:a')).request('ping')
  for await (const [, peer] of sock.readRaw()) await peer.request('ping')
  sock.on('peer', ({ peer }) => peer.request('ping'))
  sock.on('unhandled', ({ data }) => {
    typed<unknown>().as(data)
  })
  sock.use(async (message, { peer }, next) => {
    typed<unknown>().as(message.data)
    await peer.request('ping')
    return next()
  })
}

/** Compiled, never run: without a protocol there are messages and nothing else. */
export async function plain(peer: Peer, jsonPeer: Peer<Codec<unknown>>): Promise<void> {
  await peer.sendMsg(0, 'text')
  await jsonPeer.sendMsg('anything', { at: 1 })
  // @ts-expect-error: raw() sends bytes and text
  await peer.sendMsg(0, { at: 1 })
  // @ts-expect-error: no calls without a protocol
  await jsonPeer.request('history', { room: 'lobby' })
  // @ts-expect-error: no feeds
  jsonPeer.stream('follow', { room: 'lobby' })
  // @ts-expect-error: no channels
  jsonPeer.channel('talk')
  // @ts-expect-error: data of json() are unknown until somebody looks
  new TcpSock({ codec: json(), handlers: { say: (line) => line.text } })
  new TcpSock({ codec: json<Text>(), handlers: { say: ({ text }) => text.trim() } })
  const sock = new TcpSock()
  typed<undefined>().as(sock.protocol)
}

/** Compiled, never run: what is built of what. */
export async function kinds(): Promise<void> {
  const tcp = await TcpSock.open({ protocol: chat })
  typed<Chat>().as(tcp.protocol)
  const udp = await UdpSock.open({ protocol: chat, bind: 'udp://127.0.0.1:0' })
  typed<Chat>().as(udp.protocol)
  const meta = new MetaSock({ protocol: chat })
  typed<Chat>().as(meta.protocol)

  const added = meta.add(tcp)
  typed<typeof tcp>().as(added)
  meta.add(udp, { owned: false })
  meta.add(new TcpSock({ protocol: chat, wire: 'plain', codec: json() }))
  meta.add(new MetaSock({ protocol: chat }))
  meta.remove(tcp)
  // What the meta does not declare may be there as well.
  meta.add(new TcpSock({ protocol: { ...chat, extra: msg(Room) } }))
  // @ts-expect-error: some of its types are missing
  meta.add(new TcpSock({ protocol: { say: msg(Line) } }))
  // @ts-expect-error: a type is of another kind
  meta.add(new TcpSock({ protocol: { ...chat, say: call(Line, Line) } }))
  // @ts-expect-error: a type has other data
  meta.add(new TcpSock({ protocol: { ...chat, say: msg(z.number()) } }))
  // @ts-expect-error: no protocol at all
  meta.add(new TcpSock({ codec: json() }))
  // @ts-expect-error: this is no sock
  meta.add({ protocol: chat })

  // A meta without one takes in whatever there is, as it did.
  const loose: MetaSock = new MetaSock()
  loose.add(tcp)
  loose.add(new TcpSock({ codec: json() }))
  loose.add(meta)
  const numbers = new MetaSock<Codec<number, number>>()
  // @ts-expect-error: another codec
  numbers.add(new TcpSock())

  await meta.sendMsg('say', { text: 'hi', at: '1' }, { to: meta.knownPeers, headers: { trace: '1' } })
  await (await meta.connectTo('memory:a')).request('history', { room: 'lobby' })
  const sock: Sock<RawCodec, Chat> = meta
  await reads(tcp)
  await reads(udp)
  await reads(sock)

  // @ts-expect-error: datagrams have no handshake
  new UdpSock({ protocol: chat, wire: 'v1' })
  // @ts-expect-error: they carry no calls
  new UdpSock({ protocol: chat, callTimeout: 5 })
  new TcpSock({ protocol: chat, codec: [json()] })
  // @ts-expect-error: the wires are those of the socks in it
  new MetaSock({ protocol: chat, wire: 'v1' })
}

/** A class of one's own, for one protocol. */
class Room1 extends TcpSock<Codec<unknown>, Chat> {
  readonly heard: string[] = []

  constructor(options: Omit<TcpSockOptions<Codec<unknown>, Chat>, 'protocol'> = {}) {
    super({ ...options, protocol: chat })
  }

  protected override setUp(): void {
    this.addHandler('say', ({ at }) => this.heard.push(`say ${at.toFixed()}`))
    this.addHandler('history', ({ room }) => [{ text: room }])
  }

  protected override handleAll(
    message: Message,
    { peer }: MiddlewareContext<Codec<unknown>, Chat>,
    next: () => unknown,
  ): unknown {
    this.heard.push(`${message.type} of ${peer.id}`)
    return next()
  }

  greet(): Promise<void> {
    return this.sendMsg('note', { room: 'here' })
  }
}

/** Compiled, never run. */
export class Wrong extends TcpSock<Codec<unknown>, Chat> {
  async wrong(): Promise<void> {
    // @ts-expect-error: no such type
    await this.sendMsg('shout', 1)
    // @ts-expect-error: an answer of the wrong shape
    this.addHandler('history', ({ room }) => [{ txt: room }])
  }
}

/** Compiled, never run: what is written apart from a sock has its types by name, whichever codec the sock has. */
export async function apart(): Promise<void> {
  const members = new Map<PeerOf<Chat>, string>()
  const handlers = {
    say: ({ text }, { peer }) => members.set(peer, text),
    history: ({ room }) => [{ text: room }],
    *follow({ room }) {
      yield { text: room, at: '1' }
    },
  } satisfies HandlersOf<Chat>
  const around: MiddlewareOf<Chat> = ({ type }, { headers, peer }, next) =>
    headers['token'] === type && members.has(peer) ? next() : undefined
  const greet = (sock: SockOf<Chat>): Promise<void> => sock.sendMsg('note', { room: 'here' })
  for (const codec of [undefined, json(), [msgpack(), json()]]) {
    const sock = await TcpSock.open({ protocol: chat, handlers, ...(codec === undefined ? {} : { codec }) })
    sock.use(around)
    await greet(sock)
    for (const peer of sock.knownPeers) members.delete(peer)
  }
  const meta = new MetaSock({ protocol: chat, handlers })
  meta.use(around)
  await greet(meta)
  // @ts-expect-error: an answer of the wrong shape
  const wrong = { history: ({ room }) => [{ txt: room }] } satisfies HandlersOf<Chat>
  await greet(wrong as never)
}

/** A class of one's own, for any. */
class Counted<C extends Codec = RawCodec, P extends Protocol | undefined = undefined> extends MetaSock<C, P> {
  count = 0

  protected override handleAll(
    _message: unknown,
    _context: MiddlewareContext<C, P>,
    next: () => unknown,
  ): unknown {
    this.count++
    return next()
  }
}

describe('socks', GUARD, () => {
  test('of a class of one’s own have their protocol, and its types', async () => {
    await using server = new Room1({ bind: 'memory:types-room' })
    await server.start()
    await using meta = new Counted({ protocol: chat, handlers: { ping: () => undefined } })
    meta.add(server)
    await using client = await TcpSock.open({ protocol: chat })
    assert.equal(client.protocol, chat)
    assert.equal(server.protocol, chat)
    const notes = client.messages('note')
    const peer = await client.connectTo('memory:types-room')
    await peer.sendMsg('say', { text: 'hi', at: '7' })
    assert.deepEqual(await peer.request('history', { room: 'lobby' }), [{ text: 'lobby' }])
    await peer.request('ping')
    assert.deepEqual(server.heard, ['say of p1', 'say 7', 'history of p1', 'ping of p1'])
    assert.equal(meta.count, 2)
    await server.greet()
    const { value } = await notes.next()
    const told: { room: string } | undefined = value?.[0]
    assert.deepEqual(told, { room: 'here' })
  })
})
