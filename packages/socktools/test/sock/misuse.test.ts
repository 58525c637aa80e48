/** What goes wrong by the hand of whoever uses a sock: coded errors that say what to do, and never a crash. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  PipeSock,
  type Framing,
  json,
  lengthPrefixed,
  lines,
  MetaSock,
  type Peer,
  type SockError,
  TcpSock,
  UdpSock,
} from '../../src/index.ts'
import { coded } from '../support/coded.ts'
import { noCrashes } from '../support/crashes.ts'
import { all, Arrivals, next } from '../support/events.ts'
import { ANY, at, frame, GUARD, open, Plain } from '../support/tcp.ts'
import { simulate, type World } from '../support/world.ts'

noCrashes()

const two = async (world: World): Promise<{ server: PipeSock; client: PipeSock; peer: Peer }> => {
  const server = await world.open({ bind: 'memory:a' })
  const client = await world.open()
  return { server, client, peer: await client.connectTo('memory:a') }
}

describe('starting and binding', GUARD, () => {
  test('startServer twice: ALREADY_STARTED, one after the other or at once; the first goes on', async (t) => {
    const sock = await open(t)
    const first = sock.startServer({ bind: ANY })
    await assert.rejects(sock.startServer({ bind: ANY }), coded('ALREADY_STARTED', /second TcpSock/))
    await Plain.dial(t, await first)
    await assert.rejects(sock.startServer(), coded('ALREADY_STARTED', /once per sock/))
    await Plain.dial(t, at(sock))
  })

  test('start twice: ALREADY_STARTED', () =>
    simulate(async (world) => {
      const sock = world.sock()
      const first = sock.start()
      await assert.rejects(sock.start(), coded('ALREADY_STARTED', /once/))
      await first
      await assert.rejects(sock.start(), coded('ALREADY_STARTED', /once/))
    }))

  test('binding twice, in the constructor and in startServer: BIND_TWICE; without the second it starts', () =>
    simulate(async (world) => {
      const sock = world.sock({ bind: 'memory:a' })
      await assert.rejects(sock.startServer({ bind: 'memory:b' }), coded('BIND_TWICE', /memory:a .*memory:b/))
      assert.equal(await sock.startServer(), 'memory:a')
    }))

  test('no address at all: NOT_BOUND, and what to give', () =>
    simulate(async (world) => {
      await assert.rejects(world.sock().startServer(), coded('NOT_BOUND', /bind: "tcp:/))
    }))

  const addresses: [string, unknown, RegExp][] = [
    ['a host and port without a scheme', '127.0.0.1:4000', /did you mean "tcp:\/\/127\.0\.0\.1:4000"/],
    ['a name and port, which reads as a scheme', 'myhost:4000', /did you mean "tcp:\/\/myhost:4000"/],
    ['an address over UDP', 'udp://127.0.0.1:4000', /for udp: there is UdpSock/],
    ['a tuple, as the seed has it', ['127.0.0.1', 4000], /an address is a string, not a object/],
    ['a port', 4000, /an address is a string, not a number/],
    ['nothing', undefined, /an address is a string/],
    [
      'a scheme that is not here',
      'carrier-pigeon:coop',
      /needs a transport that is not here; there are tcp:, unix:, memory:/,
    ],
    ['no port', 'tcp://127.0.0.1', /names no port/],
    ['a port beyond 65,535', 'tcp://127.0.0.1:65536', /is no address/],
  ]
  for (const [what, address, message] of addresses) {
    test(`${what} as an address: BAD_ADDRESS`, async (t) => {
      const sock = await open(t)
      await assert.rejects(sock.connectTo(address as string), coded('BAD_ADDRESS', message))
      if (address !== undefined) {
        await assert.rejects(sock.startServer({ bind: address as string }), coded('BAD_ADDRESS', message))
        // As an option, what is no text at all is a wrong option already.
        const [code, fix] = typeof address === 'string' ? ['BAD_ADDRESS', message] : ['BAD_OPTION', /connect/]
        await assert.rejects(TcpSock.open({ connect: [address as string] }), coded(code, fix))
      }
    })
  }
})

describe('wrong peers', GUARD, () => {
  const wrong: [string, (world: World) => unknown, RegExp][] = [
    ['an address nobody has', () => 'memory:b', /no peer has this address \(memory:b\).*knownPeers/],
    [
      'a peer of another sock',
      async (world) => (await world.open()).connectTo('memory:a'),
      /belongs to another sock/,
    ],
    ['null', () => null, /neither a peer nor an address/],
    ['a number', () => 4000, /neither a peer nor an address/],
    ['an object', () => ({ address: 'memory:a' }), /neither a peer nor an address/],
  ]
  for (const [what, make, message] of wrong) {
    test(`${what}: UNKNOWN_PEER wherever a peer is asked for`, () =>
      simulate(async (world) => {
        const { client } = await two(world)
        const to = (await make(world)) as string
        const expected = coded('UNKNOWN_PEER', message)
        await assert.rejects(client.sendMsg(0, 'x', { to }), expected)
        await assert.rejects(client.sendMsg(0, 'x', { to: [to] }), expected)
        if (what !== 'a peer of another sock')
          await assert.rejects(client.sendRaw(new Uint8Array(1), { except: to }), expected)
        assert.throws(() => client.closePeer(to), expected)
        assert.equal(client.knownPeers.length, 1)
      }))
  }
})

describe('use after the end', GUARD, () => {
  test('of a sock: CLOSED, whatever is called', () =>
    simulate(async (world) => {
      const { client } = await two(world)
      await client.close()
      const expected = coded('CLOSED', /open a new one/)
      await assert.rejects(client.start(), expected)
      await assert.rejects(client.startServer({ bind: 'memory:b' }), expected)
      await assert.rejects(client.connectTo('memory:a'), expected)
      await assert.rejects(client.sendMsg(0, 'x'), expected)
      await assert.rejects(client.sendRaw(new Uint8Array(1)), expected)
      assert.throws(() => client.messages(), expected)
      assert.throws(() => client.readRaw(), expected)
      assert.deepEqual([client.knownPeers, client.stats().peers], [[], 0])
    }))

  test('of a peer: PEER_GONE, and the messages are counted as dropped', () =>
    simulate(async (world) => {
      const { client, peer } = await two(world)
      peer.close()
      const expected = coded('PEER_GONE', /connect again/)
      await assert.rejects(peer.sendMsg(0, 'x'), expected)
      await assert.rejects(peer.sendRaw(new Uint8Array(1)), expected)
      await assert.rejects(peer.flushed(), expected)
      await assert.rejects(client.sendMsg(0, 'x', { to: peer }), expected)
      await peer.drain()
      assert.deepEqual(peer.close(), { unsent: 0, unhandled: 0 })
      assert.deepEqual([peer.stats().dropped, client.stats().dropped], [{ gone: 3 }, { gone: 3 }])
    }))

  test('of a peer that is draining: DRAINING', () =>
    simulate(async (world) => {
      const { peer } = await two(world)
      const drained = peer.drain()
      await Promise.resolve()
      await assert.rejects(peer.sendMsg(0, 'x'), coded('DRAINING', /nothing new is taken/))
      await drained
      assert.deepEqual(peer.stats().dropped, { ending: 1 })
    }))
})

describe('messages that cannot be sent', GUARD, () => {
  test('4 GiB: TOO_LARGE at the sender, before anything is written', async (t) => {
    const got = new Arrivals()
    const server = await open(t, { bind: ANY, handlers: { 0: got.push } })
    const client = await open(t, { maxFrame: 2 ** 32 - 1 })
    const peer = await client.connectTo(at(server))
    const huge = new Uint8Array(2 ** 32)
    const expected = coded('TOO_LARGE', /4294967296 bytes, and 4294967295 is the most.*split/)
    await assert.rejects(peer.sendMsg(0, huge), expected)
    await assert.rejects(client.sendMsg(0, huge), expected)
    await assert.rejects(client.sendRaw(huge, { to: [peer] }), expected)
    await peer.sendMsg(0, 'fine')
    assert.deepEqual(await got.atLeast(1), ['fine'])
    assert.equal(server.stats().bytesIn, frame('fine').length)
    assert.deepEqual(client.stats().dropped, { unsendable: 3 })
  })

  test('maxFrame beyond what the framing can say: BAD_OPTION', () => {
    assert.throws(() => new TcpSock({ maxFrame: 2 ** 32 }), coded('BAD_OPTION', /carries 4294967295 bytes/))
    assert.throws(
      () => new TcpSock({ framing: lines(), maxFrame: 100_000 }),
      coded('BAD_OPTION', /carries 65536 bytes/),
    )
  })

  test('over maxFrame: TOO_LARGE', () =>
    simulate(async (world) => {
      await world.open({ bind: 'memory:a' })
      const client = await world.open({ connect: 'memory:a', maxFrame: 10 })
      const expected = coded('TOO_LARGE', /11 bytes, and 10 is the most.*maxFrame/)
      await assert.rejects(client.sendMsg(0, 'x'.repeat(11)), expected)
      await assert.rejects(client.knownPeers[0]!.sendMsg(0, 'x'.repeat(11)), expected)
      await client.sendMsg(0, 'x'.repeat(10))
    }))

  test('what the codec cannot carry: CANNOT_ENCODE', () =>
    simulate(async (world) => {
      const { client, peer } = await two(world)
      for (const data of [undefined, null, 5, { text: 'x' }, ['x']] as unknown as string[]) {
        await assert.rejects(client.sendMsg(0, data), coded('CANNOT_ENCODE', /raw\(\) cannot send/))
        await assert.rejects(peer.sendMsg(0, data), coded('CANNOT_ENCODE', /raw\(\) cannot send/))
      }
      await assert.rejects(
        client.sendMsg('say', 'x'),
        coded('CANNOT_ENCODE', /raw\(\) carries no type but 0/),
      )
      const talker = await world.open({ connect: 'memory:a', codec: json() })
      const circle: { self?: unknown } = {}
      circle.self = circle
      for (const data of [circle, 5n, () => 5, new Uint8Array(1)]) {
        await assert.rejects(talker.sendMsg('say', data), coded('CANNOT_ENCODE', /json\(\) cannot/))
      }
    }))

  test('what is no Uint8Array at all, under sendRaw: CANNOT_ENCODE', () =>
    simulate(async (world) => {
      const { client, peer } = await two(world)
      const dropped = all(client, 'dropped')
      for (const payload of [undefined, null, 5, 'text', [1, 2]] as unknown as Uint8Array[]) {
        const expected = coded('CANNOT_ENCODE', /a payload is a Uint8Array/)
        await assert.rejects(client.sendRaw(payload), expected)
        await assert.rejects(peer.sendRaw(payload), expected)
      }
      await world.quiet()
      assert.ok(
        dropped.every(({ bytes }) => bytes === 0),
        'nothing that is no payload has a length',
      )
    }))

  test('what the framing cannot carry: CANNOT_FRAME, and nobody is sent a part of it', () =>
    simulate(async (world) => {
      const got = new Arrivals()
      await world.open({ bind: 'memory:a', framing: lines(), handlers: { 0: got.push } })
      const client = await world.open({ connect: 'memory:a', framing: lines() })
      await client.sendMsg(0, 'one')
      await assert.rejects(client.sendMsg(0, 'two\nlines'), coded('CANNOT_FRAME', /line feed/))
      await assert.rejects(client.knownPeers[0]!.sendMsg(0, 'two\nlines'), coded('CANNOT_FRAME', /line feed/))
      await assert.rejects(
        client.sendMsg(0, `${'x'.repeat(20_000)}\r`),
        coded('CANNOT_FRAME', /carriage return/),
      )
      await client.sendMsg(0, 'three')
      await world.quiet()
      assert.deepEqual(got.list, ['one', 'three'])
    }))

  test('a codec of one’s own that throws, or gives no bytes', () =>
    simulate(async (world) => {
      await world.open({ bind: 'memory:a' })
      const broken = {
        name: 'broken',
        encode: (type: string | number) => {
          if (type === 0) return 'text' as unknown as Uint8Array
          throw new Error('my codec')
        },
        decode: () => ({ type: 0, data: undefined }),
      }
      const client = await world.open({ connect: 'memory:a', codec: broken })
      for (const target of [client, client.knownPeers[0]!]) {
        await assert.rejects(target.sendMsg(0, undefined), coded('CANNOT_ENCODE', /Uint8Array, not string/))
        await assert.rejects(target.sendMsg(1, undefined), (error: SockError) => {
          assert.deepEqual([error.code, (error.cause as Error).message], ['CANNOT_ENCODE', 'my codec'])
          return true
        })
      }
    }))

  test('a send whose promise nobody looks at ends no process', () =>
    simulate(async (world) => {
      const { client, peer } = await two(world)
      const dropped = all(client, 'dropped')
      peer.close()
      void peer.sendMsg(0, 'x')
      void client.sendMsg(1, 'x')
      void client.sendMsg(0, 'x', { to: 'memory:nobody' })
      await world.quiet()
      assert.equal(
        dropped.reduce((sum, { messages }) => sum + messages, 0),
        3,
      )
    }))
})

describe('wrong options', GUARD, () => {
  const wrong: [object | null | string, RegExp][] = [
    [null, /options must be an object/],
    ['tcp://127.0.0.1:4000', /options must be an object/],
    [{ tick_interval: 0.25 }, /there is no option "tick_interval"/],
    [{ handler: {} }, /there is no option "handler"/],
    [{ timeout: '10' }, /timeout must be a number/],
    [{ timeout: -1 }, /timeout must be a number from 0 up/],
    [{ timeout: NaN }, /timeout must be a number/],
    [{ timeout: 2 ** 31 }, /timeout is at most 2147483647 ms/],
    [{ tickInterval: 0 }, /tickInterval cannot be 0/],
    [{ concurrency: 0 }, /concurrency cannot be 0/],
    [{ maxPeers: 0 }, /maxPeers cannot be 0/],
    [{ tick: 5 }, /tick must be a function/],
    [{ goodPeer: true }, /goodPeer must be a function/],
    [{ goodAddress: '127.0.0.1' }, /goodAddress must be a function/],
    [{ handlers: { say: 'hello' } }, /handler for "say" is no function/],
    [{ slowPeer: 'wait' }, /slowPeer is 'reject', 'drop' or 'close', not "wait"/],
    [{ connect: 4000 }, /connect/],
    [{ connect: { host: 'x' } }, /connect/],
    [{ backoff: { first: '100' } }, /backoff\.first/],
    [{ backoff: { max: NaN } }, /backoff\.max/],
    [{ backoff: { max: 2 ** 31 } }, /backoff\.max/],
    [{ framing: 'lines' }, /framing/],
    [{ codec: 'json' }, /codec/],
    [{ logger: 'console' }, /logger/],
  ]
  for (const [options, message] of wrong) {
    test(`${JSON.stringify(options)}: BAD_OPTION`, () => {
      const make = (): unknown => new PipeSock(options as object, { platform: {} as never, transports: [] })
      assert.throws(make, coded('BAD_OPTION', message))
    })
  }

  test('a `sock` that is none: BAD_OPTION', () => {
    assert.throws(
      () => new TcpSock({ sock: {} as never }),
      coded('BAD_OPTION', /net\.Server or a net\.Socket/),
    )
  })

  test('what is no function, given to addHandler, use or on: BAD_OPTION', () =>
    simulate(async (world) => {
      const sock = await world.open()
      for (const fn of [undefined, null, 'x', {}] as unknown as (() => void)[]) {
        assert.throws(() => sock.addHandler(0, fn), coded('BAD_OPTION', /function/))
        assert.throws(() => sock.use(fn), coded('BAD_OPTION', /function/))
        assert.throws(() => sock.on('peer', fn), coded('BAD_OPTION', /function/))
      }
    }))
})

describe('what would do nothing, or something else, in silence', GUARD, () => {
  const wrong = (what: () => unknown, fix: RegExp): void => assert.throws(what, coded('BAD_OPTION', fix))

  test('options of framings, codecs and addHandler that do not exist', () => {
    wrong(() => lengthPrefixed({ size: 2 } as object), /lengthPrefixed\(\) has no "size"; it has length/)
    wrong(() => lines({ eol: '\r\n' } as object), /lines\(\) has no "eol"; it has max, crlf/)
    wrong(() => json({ maxSize: 2 } as object), /json\(\) has no "maxSize"; it has max/)
    const sock = new TcpSock()
    wrong(() => sock.addHandler(0, () => undefined, { exclusiv: true } as object), /has no "exclusiv"/)
    wrong(() => sock.addHandler(0, () => undefined, true as unknown as object), /\{ exclusive: true \}/)
  })

  for (const [what, third] of [
    ['the name of the seed', (peer: Peer) => ({ to_peer: peer })],
    ['a peer in place of the options', (peer: Peer) => peer],
    ['an address in their place', (peer: Peer) => peer.address],
    ['null', () => null],
  ] as const) {
    test(`${what} where a send says whom it is for: BAD_OPTION, and nobody gets it`, () =>
      simulate(async (world) => {
        const got = new Arrivals()
        const server = await world.open({ bind: 'memory:a' })
        const meta = world.meta()
        const inner = meta.add(world.sock({ bind: 'memory:b' }))
        meta.add(world.sock())
        await meta.start()
        for (const name of ['a', 'a', 'b', 'b']) {
          const client = await world.open({ handlers: { 0: got.push } })
          await client.connectTo(`memory:${name}`)
        }
        await world.quiet()
        for (const sock of [server, inner, meta]) {
          const options = third(sock.knownPeers[0] as Peer) as object
          await assert.rejects(sock.sendMsg(0, 'secret', options), coded('BAD_OPTION', /\{ to: peer \}/))
          await assert.rejects(
            sock.sendRaw(new Uint8Array(1), options),
            coded('BAD_OPTION', /\{ to: peer \}/),
          )
        }
        await world.quiet()
        assert.deepEqual(got.list, [])
      }))
  }

  test('an event that does not exist', () => {
    wrong(
      () => new TcpSock().on('message' as 'peer', () => undefined),
      /no event "message"; there are listening/,
    )
  })

  test('a codec or framing that was not called', () => {
    wrong(() => new TcpSock({ codec: json as never }), /codec is a function: call it, as in codec: json\(\)/)
    wrong(() => new TcpSock({ framing: lines as never }), /as in framing: lines\(\)/)
  })

  test('seconds where milliseconds are meant', () => {
    wrong(() => new TcpSock({ tickInterval: 0.25 }), /tickInterval is in milliseconds: for 0.25 s write 250/)
    new TcpSock({ tickInterval: 1, timeout: 0 })
  })

  test('open() called on a class of one’s own gives one of it, with its gate', async (t) => {
    class Closed extends TcpSock {
      protected override goodPeer(): boolean {
        return false
      }
    }
    class Udp extends UdpSock {}
    const sock = await Closed.open({ bind: 'memory:gated' })
    t.after(() => sock.close())
    assert.ok(sock instanceof Closed)
    const refused = next(sock, 'refused')
    const dialer = await open(t)
    await dialer.connectTo('memory:gated')
    assert.equal((await refused).error.code, 'REFUSED')
    const udp = await Udp.open()
    assert.ok(udp instanceof Udp)
    await udp.close()
  })

  test('a gate on a MetaSock, which would never be asked', () => {
    class Gate extends MetaSock {
      protected override goodPeer(): boolean {
        return false
      }
    }
    wrong(() => new Gate(), /a MetaSock never calls goodPeer/)
  })
})

test('a decoder that throws is told as a framing that failed, not as the network', () =>
  simulate(async (world) => {
    const framing: Framing = {
      ...lengthPrefixed(),
      decoder: () => ({
        push: () => {
          throw new Error('oops')
        },
        stop: () => undefined,
        partial: 0,
      }),
    }
    const server = await world.open({ bind: 'memory:a', framing })
    const gone = next(server, 'gone')
    const client = await world.open()
    await (await client.connectTo('memory:a')).sendMsg(0, 'x')
    const { error } = await gone
    assert.equal(error?.code, 'BAD_FRAME')
    assert.match(error.message, /oops/)
  }))
