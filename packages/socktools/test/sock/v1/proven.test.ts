/** What stands on proven ids: sessions belong to a key, and nobody takes the place of another node. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import {
  memorySecurity,
  msg,
  type Pipe,
  type PipeSock,
  type Security,
  type SockOptions,
  type Trust,
} from '../../../src/index.ts'
import { encodePrefix, prefixFlags } from '../../../src/wire/v1/bodies.ts'
import { EVENT, HEADER, writeHeader } from '../../../src/wire/v1/frame.ts'
import { decodeHello, decodeWelcome, encodeHello, encodeWelcome } from '../../../src/wire/v1/hello-bytes.ts'
import {
  type Hello,
  type Offer,
  RESENDS,
  type Session,
  SESSIONS,
  type Welcome,
} from '../../../src/wire/v1/hello.ts'
import { keyOf } from '../../../src/wire/v1/resumption.ts'
import { frame } from '../../support/tcp.ts'
import { simulate, type World } from '../../support/world.ts'
import { offerOf, payloadsIn } from './far.ts'

const protocol = { say: msg(z.string()) }
type Options = SockOptions<never, typeof protocol>
const ANYBODY = (): boolean => true

/** Somebody who has proven to be `id`, and says frames by hand. */
class Player {
  readonly pipe: Pipe
  #came = Buffer.alloc(0)

  constructor(pipe: Pipe) {
    this.pipe = pipe
    const nothing = (): void => undefined
    const data = (chunk: Uint8Array): void => void (this.#came = Buffer.concat([this.#came, chunk]))
    pipe.attach({ data, drain: nothing, end: nothing, close: nothing })
    pipe.resume()
  }

  static async dial(world: World, id: string, address: string): Promise<Player> {
    const pipe = await world.transports[0]!.dial(new URL(address), {})
    const { signal } = new AbortController()
    return new Player(await memorySecurity(id).secure(pipe, { dialed: true, signal }))
  }

  say(payload: Uint8Array): void {
    this.pipe.write([frame(payload)])
  }

  /** The first message of its session. */
  send(text: string, headers?: Record<string, string>): void {
    const prefix = headers === undefined ? new Uint8Array() : encodePrefix(undefined, headers)
    const payload = new Uint8Array(HEADER + prefix.length)
    writeHeader(payload, 0, EVENT, prefixFlags(undefined, headers), 0, 1, 1, 0)
    payload.set(prefix, HEADER)
    this.say(Buffer.concat([payload, Buffer.from(JSON.stringify(text))]))
  }

  get payloads(): Buffer[] {
    return payloadsIn(this.#came)
  }

  /** What a HELLO is answered with. */
  async hello(world: World, more: Partial<Hello> = {}): Promise<Welcome> {
    this.say(
      encodeHello({ low: 1, high: 1, ...offerOf(protocol), features: SESSIONS, resume: undefined, ...more }),
    )
    await world.quiet()
    return decodeWelcome(this.payloads[0] ?? assert.fail('it was not answered'))
  }
}

const node = async (
  world: World,
  id: string,
  more: Partial<Options> = {},
): Promise<PipeSock<never, typeof protocol>> => {
  const sock = world.sock({
    protocol,
    bind: `memory:${id}`,
    security: memorySecurity(id),
    trust: ANYBODY,
    ...more,
  })
  await sock.start()
  return sock
}

describe('a session belongs to a key', () => {
  /** Mallory has the token of the session of `alice`, who broke off, and asks to go on with it. */
  const resumed = (as: string, trust: Trust | (() => boolean) = ANYBODY): Promise<void> =>
    simulate(async (world) => {
      const server = await node(world, 'server', { trust })
      const first = await Player.dial(world, 'alice', 'memory:server')
      const { session } = (await first.hello(world)) as {
        session: { sessionId: Uint8Array; token: Uint8Array }
      }
      const [peer] = server.knownPeers
      first.pipe.destroy()
      await world.quiet()
      assert.deepEqual([peer?.state, peer?.identity], ['detached', 'alice'])
      const resume = { ...session, connGen: 1, lastRecv: 0 }

      const thief = await Player.dial(world, 'mallory', 'memory:server')
      const answer = await thief.hello(world, { resume })
      assert.ok(answer.result === 'rejected')
      assert.deepEqual([answer.code, answer.lastRecv], ['SESSION_LOST', undefined])
      assert.match(answer.text, /^not-yours/)
      assert.deepEqual([peer?.state, peer?.identity], ['detached', 'alice'], 'the session is as it was')

      const owner = await Player.dial(world, as, 'memory:server')
      assert.equal((await owner.hello(world, { resume: { ...resume, connGen: 2 } })).result, 'resumed')
      await world.quiet()
      assert.deepEqual([peer?.state, peer?.identity], ['open', as])
    })

  test('another key with the right token is refused, and the owner goes on', () => resumed('alice'))

  test('a key that took the place of the owner goes on', () =>
    resumed('alice-2', {
      judge: () => undefined,
      follows: (before, now) => before === 'alice' && now === 'alice-2',
    }))

  /** Whoever says where a message was sent before shows the key `as`: what is heard, and which sessions end by that. */
  async function resent(as: string): Promise<[string[], string[]]> {
    const [heard, ended]: [string[], string[]] = [[], []]
    await simulate(async (world) => {
      const server = await node(world, 'server', {
        trust: { judge: () => undefined, follows: (before, now) => before === 'alice' && now === 'alice-2' },
        handlers: { say: (text, { redelivered }) => void heard.push(redelivered ? `${text} again` : text) },
      })
      server.on('sessionLost', ({ peer }) => void ended.push(peer.identity ?? ''))
      const begin = async (id: string): Promise<[Player, string]> => {
        const player = await Player.dial(world, id, 'memory:server')
        const { session } = (await player.hello(world, { features: SESSIONS | RESENDS })) as {
          session: Session
        }
        return [player, keyOf(session.sessionId)]
      }
      const [before, session] = await begin('alice')
      before.send('once')
      await world.quiet()
      const [now] = await begin(as)
      now.send('once', { '-resent': `${session}/1` })
      await world.quiet()
    })
    return [heard, ended]
  }

  test('what was sent before is known by the key that took its place, and ends nothing by another', async () => {
    assert.deepEqual(await resent('alice'), [['once'], ['alice']])
    assert.deepEqual(await resent('alice-2'), [['once'], ['alice']])
    assert.deepEqual(await resent('mallory'), [['once', 'once again'], []])
  })

  test('a dialer goes on with nobody but the one whom it had dialed', () =>
    simulate(async (world) => {
      const came: Player[] = []
      const who = ['server', 'usurper', 'server']
      await world.transports[0]!.listen(new URL('memory:server'), {}, (pipe) => {
        const how = { dialed: false, signal: new AbortController().signal }
        void memorySecurity(who.shift() ?? 'server')
          .secure(pipe, how)
          .then((proven) => came.push(new Player(proven)))
      })
      const client = await node(world, 'client', { backoff: { first: 10, max: 10 } })
      const dialing = client.connectTo('memory:server')
      await world.quiet()
      const session = {
        sessionId: new Uint8Array(16).fill(1),
        token: new Uint8Array(16).fill(2),
        lastRecv: 0,
      }
      const offer = { ...offerOf(protocol), features: SESSIONS, session }
      came[0]?.say(encodeWelcome({ result: 'new', version: 1, ...offer }))
      const peer = await dialing
      came[0]?.pipe.destroy()
      await world.sim.sleep(100)
      assert.deepEqual(client.stats().refused, { WRONG_ID: 1 })
      assert.deepEqual(
        came.map(({ payloads }) => payloads.length),
        [1, 0, 1],
        'the usurper hears nothing, not even a HELLO',
      )
      assert.ok(decodeHello(came[2]?.payloads[0] ?? assert.fail()).resume !== undefined)
      assert.equal(peer.state, 'detached')
      assert.equal(peer.identity, 'server')
    }))
})

describe('two that dial each other, and have proven who they are', () => {
  for (const late of [0, 0.5, 1, 5]) {
    test(`${late} ms apart they keep one connection`, async () => {
      for (let seed = 1; seed <= 20; seed++) {
        await simulate(
          async (world) => {
            const [a, b] = [await node(world, 'a'), await node(world, 'b')]
            const first = a.connectTo('memory:b')
            await world.sim.sleep(late)
            const [there, here] = await Promise.all([first, b.connectTo('memory:a')])
            await world.sim.sleep(500)
            assert.deepEqual([a.knownPeers, b.knownPeers], [[there], [here]])
            assert.deepEqual([there.identity, here.identity], ['b', 'a'])
          },
          { seed, weather: (random) => ({ latency: () => random() * 3 }) },
        )
      }
    })
  }

  for (const [who, dialer] of [
    ['that was dialed', 'b'],
    ['that dialed', 'a'],
  ] as const)
    test(`one ${who}, and has changed its key since, is no third one`, () =>
      simulate(async (world) => {
        let key = 'a'
        const trust: Trust = {
          judge: () => undefined,
          follows: (before, now) => before === 'a' && now === 'a-2',
        }
        const security: Security = {
          name: 'memory',
          get id() {
            return key
          },
          secure: (pipe, how) => memorySecurity(key).secure(pipe, how),
        }
        const a = await node(world, 'a', { trust, security })
        const b = await node(world, 'b', { trust })
        const dial = (from: string): Promise<unknown> =>
          from === 'a' ? a.connectTo('memory:b') : b.connectTo('memory:a')
        await dial(dialer)
        await world.quiet()
        const [here, there] = [a.knownPeers, b.knownPeers]
        assert.deepEqual([here.length, there.length], [1, 1])
        key = 'a-2'
        assert.equal(await dial(dialer === 'a' ? 'b' : 'a'), dialer === 'a' ? there[0] : here[0])
        await world.sim.sleep(500)
        assert.deepEqual([a.knownPeers, b.knownPeers], [here, there])
        assert.deepEqual([here[0]?.state, there[0]?.state], ['open', 'open'])
      }))

  test('a liar who says to be a node that is connected is taken for himself', () =>
    simulate(async (world) => {
      const [a, b] = [await node(world, 'a'), await node(world, 'b')]
      const spy = await Player.dial(world, 'mallory', 'memory:a')
      const { nodeId, incarnation } = (await spy.hello(world, { features: 0n })) as Offer & Welcome
      const honest = await b.connectTo('memory:a')
      const liar = await Player.dial(world, 'mallory', 'memory:b')
      assert.equal((await liar.hello(world, { nodeId, incarnation })).result, 'new')
      assert.deepEqual(
        b.knownPeers.map(({ identity }) => identity),
        ['a', 'mallory'],
      )
      assert.equal(honest.state, 'open')
      assert.equal(a.knownPeers.length, 2)
    }))

  test('a liar who sends us on to a node that we know does not get its place', () =>
    simulate(async (world) => {
      const [, b] = [await node(world, 'a'), await node(world, 'b')]
      const honest = await b.connectTo('memory:a')
      const spy = await Player.dial(world, 'mallory', 'memory:a')
      const { nodeId } = (await spy.hello(world, { features: 0n })) as Offer & Welcome
      await world.transports[0]!.listen(new URL('memory:liar'), {}, (pipe) => {
        void memorySecurity('mallory')
          .secure(pipe, { dialed: false, signal: new AbortController().signal })
          .then(async (proven) => {
            const liar = new Player(proven)
            await world.quiet()
            decodeHello(liar.payloads[0] ?? assert.fail('no HELLO'))
            liar.say(
              encodeWelcome({
                result: 'rejected',
                version: 1,
                code: 'DUPLICATE',
                text: 'x',
                lastRecv: undefined,
                nodeId,
              }),
            )
          })
      })
      await assert.rejects(b.connectTo('memory:liar', { timeout: 1000 }), { code: 'CONNECT_TIMEOUT' })
      assert.deepEqual(b.knownPeers, [honest])
    }))
})

describe('a security', () => {
  test('whose far side has none ends with the time of a handshake, and says nothing to it', () =>
    simulate(async (world) => {
      const server = await node(world, 'server', { handshakeTimeout: 1000 })
      const refused: string[] = []
      server.on('refused', ({ error }) => refused.push(error.code))
      const plain = world.sock({ protocol, handshakeTimeout: 5000 })
      await assert.rejects(plain.connectTo('memory:server'), { code: 'PEER_NOT_SESSION' })
      assert.deepEqual([refused, server.stats().pending], [['HANDSHAKE_TIMEOUT'], 0])
    }))

  test('a policy that never answers ends with it, too', () =>
    simulate(async (world) => {
      const server = await node(world, 'server', {
        handshakeTimeout: 1000,
        trust: () => new Promise(() => undefined),
      })
      const client = await node(world, 'client')
      await assert.rejects(client.connectTo('memory:server'), { code: 'PEER_NOT_SESSION' })
      assert.deepEqual(server.stats().refused, { HANDSHAKE_TIMEOUT: 1 })
    }))

  test('that proves nothing lets nobody in', () =>
    simulate(async (world) => {
      const server = await node(world, 'server', { security: { name: 'none', secure: async (pipe) => pipe } })
      const plain = world.sock({ protocol })
      await assert.rejects(plain.connectTo('memory:server'), { code: 'PEER_NOT_SESSION' })
      assert.deepEqual(server.stats().refused, { UNPROVEN: 1 })
    }))

  test('a dial that is given up meanwhile is over at once, as is a sock that is closed', () =>
    simulate(async (world) => {
      await world.transports[0]!.listen(new URL('memory:silent'), {}, () => undefined)
      const client = await node(world, 'client')
      const aborter = new AbortController()
      const dialing = client.connectTo('memory:silent', { signal: aborter.signal })
      await world.quiet()
      aborter.abort()
      await assert.rejects(dialing, { code: 'ABORTED' })
      const other = client.connectTo('memory:silent')
      await world.quiet()
      await Promise.all([assert.rejects(other, { code: 'CLOSED' }), client.close()])
    }))
})
