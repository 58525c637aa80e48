/** The handshake of wire v1, between two socks and with strangers. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { call, feed, json, lengthPrefixed, msg, type SockError } from '../../../src/index.ts'
import { msgpack } from '../../../src/wire/msgpack/msgpack.ts'
import * as kinds from '../../../src/wire/v1/frame.ts'
import { MAGIC } from '../../../src/wire/v1/hello-bytes.ts'
import { encodePing } from '../../../src/wire/v1/bodies.ts'
import { coded } from '../../support/coded.ts'
import { noCrashes } from '../../support/crashes.ts'
import { all, next, signal } from '../../support/events.ts'
import { knocking } from '../../support/knock.ts'
import { frame, GUARD } from '../../support/tcp.ts'
import { simulate } from '../../support/world.ts'
import { Far, far, helloOf, welcomeOf } from './far.ts'
import { pair } from './pair.ts'

noCrashes()

const protocol = { say: msg(z.string()), add: call(z.object({ a: z.number(), b: z.number() }), z.number()) }
const code = ({ error }: { readonly error: SockError | undefined }): string | undefined => error?.code

describe('two of wire v1', GUARD, () => {
  test('know each other, and both ways work', () =>
    simulate(async (world) => {
      const said: unknown[] = []
      const handlers = {
        say: (text: string) => said.push(text),
        add: ({ a, b }: { a: number; b: number }) => a + b,
      }
      const { there, here, server, client } = await pair(world, protocol, { handlers }, { handlers })
      assert.deepEqual([there.wire, here.wire, there.dialed, here.dialed], ['v1', 'v1', true, false])
      await there.sendMsg('say', 'from the client')
      await here.sendMsg('say', 'from the server')
      assert.deepEqual(
        await Promise.all([there.request('add', { a: 1, b: 2 }), here.request('add', { a: 3, b: 4 })]),
        [3, 7],
      )
      await world.quiet()
      assert.deepEqual(said.sort(), ['from the client', 'from the server'])
      assert.deepEqual([server.stats().pending, client.stats().pending], [0, 0])
    }))

  test('the first of the dialer’s codecs that the acceptor takes is spoken', () =>
    simulate(async (world) => {
      const got: unknown[] = []
      const bytes = { raw: msg(z.instanceof(Uint8Array)) }
      const server = await world.open({
        protocol: bytes,
        bind: 'memory:a',
        codec: [json(), msgpack()] as never,
        handlers: { raw: (data) => got.push(data) },
      })
      const client = await world.open({ protocol: bytes, codec: [msgpack(), json()] as never })
      const peer = await client.connectTo('memory:a')
      // What json() cannot say.
      await peer.sendMsg('raw', Uint8Array.of(1, 2))
      await world.quiet()
      assert.deepEqual(got, [Uint8Array.of(1, 2)])
      assert.equal(server.stats().invalid, 0)
    }))

  test('no codec in common: NO_COMMON_CODEC on both sides, with the lists of both', () =>
    simulate(async (world) => {
      const server = await world.open({ protocol, bind: 'memory:a', codec: json() as never })
      const refused = next(server, 'refused')
      const client = await world.open({ protocol, codec: msgpack() as never })
      await assert.rejects(
        client.connectTo('memory:a'),
        coded('NO_COMMON_CODEC', /dialer takes msgpack.*acceptor json/),
      )
      const { error } = await refused
      assert.ok(coded('NO_COMMON_CODEC', /dialer takes msgpack.*acceptor json/)(error))
      assert.equal(server.stats().pending, 0)
    }))

  test('what stands behind HELLO and WELCOME is not lost', () =>
    knocking(async (world, door) => {
      const got: string[] = []
      const handlers = {
        say: (text: string, { peer }: { peer: { sendMsg(t: 'say', d: string): Promise<void> } }) => {
          got.push(text)
          return peer.sendMsg('say', 'early too')
        },
      }
      await world.open({ protocol, bind: 'knock:any', handlers })
      const dialer = new Far(door.knock())
      const event = new Uint8Array([...header(kinds.EVENT, 1, 1, 1), ...Buffer.from('"early"')])
      dialer.pipe.say(Buffer.concat([frame(helloOf(protocol)), frame(event)]))
      await world.quiet()
      assert.deepEqual(got, ['early'])
      // And as the side that dials.
      const acceptor = new Far(door.pipe())
      door.answer = () => {
        acceptor.pipe.say(Buffer.concat([frame(welcomeOf(protocol)), frame(event)]))
        return acceptor.pipe
      }
      await (await world.open({ protocol, handlers })).connectTo('knock:any')
      await world.quiet()
      assert.deepEqual(got, ['early', 'early'])
    }))
})

const header = (kind: number, lane: number, type: number, seq: number, ack = 0): Uint8Array => {
  const bytes = new Uint8Array(kinds.HEADER)
  kinds.writeHeader(bytes, 0, kind, 0, type, lane, seq, ack)
  return bytes
}

describe('one of wire v1 and one of the plain wire', GUARD, () => {
  test('v1 dials plain: PEER_NOT_SESSION there, WIRE_MISMATCH here', () =>
    simulate(async (world) => {
      const plain = await world.open({ bind: 'memory:a', handlers: { 0: () => assert.fail('handled') } })
      const gone = next(plain, 'gone')
      const client = await world.open({ protocol })
      await assert.rejects(client.connectTo('memory:a'), coded('PEER_NOT_SESSION', /wire/))
      assert.equal(code(await gone), 'WIRE_MISMATCH')
    }))

  test('an answer that is no WELCOME, long or short: PEER_NOT_SESSION', () =>
    knocking(async (world, door) => {
      const client = await world.open({ protocol })
      for (const answer of ['', 'hello', 'x'.repeat(5000)]) {
        const pipe = door.pipe()
        door.answer = () => pipe
        pipe.say(frame(answer))
        await assert.rejects(client.connectTo('knock:any'), coded('PEER_NOT_SESSION', /WELCOME/))
        assert.equal(pipe.destroyed, true)
      }
    }))

  test('plain dials v1: WIRE_MISMATCH there, and nothing is said to it', () =>
    knocking(async (world, door) => {
      const server = await world.open({ protocol, bind: 'knock:any' })
      const refused = all(server, 'refused')
      for (const first of ['hello', '', 'y'.repeat(5000)]) {
        const pipe = door.knock()
        pipe.say(frame(first))
        await world.quiet()
        assert.equal(pipe.destroyed, true)
        assert.deepEqual(pipe.written, [])
      }
      assert.deepEqual(refused.map(code), ['WIRE_MISMATCH', 'WIRE_MISMATCH', 'WIRE_MISMATCH'])
      assert.deepEqual(server.stats().refused, { WIRE_MISMATCH: 3 })
    }))
})

describe('wire: auto', GUARD, () => {
  test('serves both', () =>
    simulate(async (world) => {
      const got: string[] = []
      const server = await world.open({
        protocol,
        wire: 'auto',
        bind: 'memory:a',
        handlers: { say: (text, { peer }) => got.push(`${peer.wire} ${text}`), add: ({ a, b }) => a + b },
      })
      const v1 = await (await world.open({ protocol })).connectTo('memory:a')
      const plain = await (await world.open({ protocol, wire: 'plain' })).connectTo('memory:a')
      await plain.sendMsg('say', 'hi')
      await v1.sendMsg('say', 'hi')
      assert.equal(await v1.request('add', { a: 1, b: 1 }), 2)
      await assert.rejects(plain.request('add', { a: 1, b: 1 }), coded('OVER_PLAIN', /v1/))
      await world.quiet()
      assert.deepEqual(got.sort(), ['plain hi', 'v1 hi'])
      assert.deepEqual(server.knownPeers.map(({ wire }) => wire).sort(), ['plain', 'v1'])
    }))

  test('one that is silent is plain after autoWait, and not before', () =>
    knocking(async (world, door) => {
      const server = await world.open({ protocol, wire: 'auto', bind: 'knock:any', autoWait: 300 })
      door.knock()
      await world.sim.sleep(299)
      assert.equal(server.knownPeers.length, 0)
      await world.sim.sleep(20)
      assert.deepEqual(
        server.knownPeers.map(({ wire }) => wire),
        ['plain'],
      )
    }))

  test('a HELLO in single bytes, slower than autoWait all together, is v1', () =>
    knocking(async (world, door) => {
      const server = await world.open({ protocol, wire: 'auto', bind: 'knock:any', autoWait: 300 })
      const pipe = door.knock()
      for (const byte of frame(helloOf(protocol))) {
        pipe.say(Uint8Array.of(byte))
        await world.sim.sleep(10)
      }
      assert.deepEqual(
        server.knownPeers.map(({ wire }) => wire),
        ['v1'],
      )
    }))

  test('plain in single bytes is plain from the first byte that no HELLO has, and no byte is lost', () =>
    knocking(async (world, door) => {
      const got: string[] = []
      const server = await world.open({
        protocol,
        wire: 'auto',
        bind: 'knock:any',
        handlers: { say: (text) => got.push(text) },
      })
      const pipe = door.knock()
      for (const byte of frame('{"type":"say","data":"socktools wire!"}')) {
        pipe.say(Uint8Array.of(byte))
        await world.quiet()
      }
      assert.deepEqual(
        server.knownPeers.map(({ wire }) => wire),
        ['plain'],
      )
      assert.equal(server.stats().messagesIn, 1)
    }))
})

describe('contracts that differ', GUARD, () => {
  test('by TABLE each knows what the other has: what is in both works, under numbers of each side', () =>
    simulate(async (world) => {
      const ours = { aaa: msg(z.string()), add: protocol.add, say: protocol.say, both: msg(z.string()) }
      const theirs = {
        say: protocol.say,
        both: call(z.string(), z.string()),
        add: protocol.add,
        zzz: msg(z.string()),
      }
      const got: string[] = []
      const server = await world.open({
        protocol: ours,
        bind: 'memory:a',
        handlers: { say: (text) => got.push(text), add: ({ a, b }) => a + b },
      })
      const client = await world.open({
        protocol: theirs,
        handlers: { say: (text) => got.push(text), add: ({ a, b }) => a * b },
      })
      const there = await client.connectTo('memory:a')
      await world.quiet()
      const here = server.knownPeers[0]!
      await there.sendMsg('say', 'up')
      await here.sendMsg('say', 'down')
      assert.deepEqual(
        [await there.request('add', { a: 3, b: 4 }), await here.request('add', { a: 3, b: 4 })],
        [7, 12],
      )
      await world.quiet()
      assert.deepEqual(got.sort(), ['down', 'up'])
      await assert.rejects(there.sendMsg('zzz', 'x'), coded('UNKNOWN_TYPE', /far side has no type "zzz"/))
      await assert.rejects(here.sendMsg('aaa', 'x'), coded('UNKNOWN_TYPE', /far side has no type "aaa"/))
      await assert.rejects(there.request('both', 'x'), coded('UNKNOWN_TYPE', /call here and a msg there/))
      await assert.rejects(here.sendMsg('both', 'x'), coded('UNKNOWN_TYPE', /msg here and a call there/))
      // Nothing of that harmed the connection.
      assert.equal(await there.request('add', { a: 1, b: 1 }), 2)
    }))

  test('with 4,000 types the TABLE is cut into chunks', () =>
    simulate(async (world) => {
      const names = Array.from({ length: 4000 }, (_, i) => `a-rather-long-name-of-a-type-${i}`)
      const many = { ...Object.fromEntries(names.map((name) => [name, msg(z.string())])), ...protocol }
      await world.open({
        protocol: many,
        bind: 'memory:a',
        handlers: { add: ({ a, b }: { a: number; b: number }) => a + b },
      })
      const peer = await (await world.open({ protocol })).connectTo('memory:a')
      assert.equal(await peer.request('add', { a: 2, b: 2 }), 4)
    }))

  test('something else where TABLE is due ends the connection', () =>
    knocking(async (world, door) => {
      const server = await world.open({ protocol, bind: 'knock:any' })
      const refused = next(server, 'refused')
      const dialer = new Far(door.knock())
      dialer.raw(helloOf(protocol, { fingerprint: new Uint8Array(16) }))
      dialer.send(kinds.PING, {}, encodePing({ ttl: 1, nonce: new Uint8Array(8) }))
      assert.ok(coded('PROTOCOL_ERROR', /PING where TABLE is due/)((await refused).error))
      assert.equal(server.stats().pending, 0)
    }))

  test('what is asked that this side has not, by one who does not look: UNKNOWN_TYPE, and an event is unhandled', () =>
    knocking(async (world, door) => {
      const server = await world.open({
        protocol: { ...protocol, more: feed(z.string(), z.string()) },
        bind: 'knock:any',
      })
      const unhandled = all(server, 'unhandled')
      const dialer = new Far(door.knock())
      dialer.raw(helloOf(protocol, { fingerprint: new Uint8Array(16) }))
      // a: a call, f: a feed, m: a msg.
      const entry = (kind: number, name: string): Buffer =>
        Buffer.concat([Buffer.of(kind, name.length), Buffer.from(name), Buffer.alloc(8)])
      dialer.send(
        kinds.TABLE,
        {},
        Buffer.concat([Buffer.of(0, 3), entry(2, 'a'), entry(3, 'f'), entry(1, 'm')]),
      )
      await world.quiet()
      dialer.send(kinds.REQUEST, { lane: 5, type: 0 })
      dialer.send(kinds.OPEN, { lane: 7, type: 1 })
      dialer.send(kinds.EVENT, { lane: 1, type: 2 })
      await world.quiet()
      assert.deepEqual(
        dialer.of('ERROR', 'RESET').map((one) => [one.kind, one.lane, Far.code(one)]),
        [
          ['ERROR', 5, 'UNKNOWN_TYPE'],
          ['RESET', 7, 'UNKNOWN_TYPE'],
        ],
      )
      assert.deepEqual(
        unhandled.map(({ type }) => type),
        ['m'],
      )
    }))
})

describe('versions', GUARD, () => {
  test('none in common: VERSION_MISMATCH on both sides', () =>
    knocking(async (world, door) => {
      const server = await world.open({ protocol, bind: 'knock:any' })
      const refused = next(server, 'refused')
      const dialer = new Far(door.knock())
      dialer.raw(helloOf(protocol, { low: 2, high: 3 }))
      assert.ok(
        coded('VERSION_MISMATCH', /dialer speaks version 2 to 3, the acceptor 1/)((await refused).error),
      )
      const answer = Buffer.concat(dialer.pipe.written).toString('latin1')
      assert.match(answer, /VERSION_MISMATCH/)
      // The same bytes, to a sock that dialed.
      const pipe = door.pipe()
      door.answer = () => pipe
      pipe.say(Buffer.concat(dialer.pipe.written))
      const client = await world.open({ protocol })
      await assert.rejects(client.connectTo('knock:any'), coded('VERSION_MISMATCH', /2 to 3/))
    }))
})

describe('what is no handshake', GUARD, () => {
  const strangers: [what: string, bytes: Uint8Array, code: string][] = [
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), 'FOREIGN_PROTOCOL'],
    [
      'a TLS hello',
      Buffer.from('16030100c5010000c10303aabbccddeeff00112233445566778899', 'hex'),
      'FOREIGN_PROTOCOL',
    ],
    ['SSH', Buffer.from('SSH-2.0-OpenSSH_9.6\r\n'), 'FOREIGN_PROTOCOL'],
    ['bytes at random', Buffer.from('ff00ff00ff00ff00ff00ff00', 'hex'), 'WIRE_MISMATCH'],
    [
      'a HELLO of more than 4 KiB',
      Buffer.concat([Buffer.from([0, 0, 0x10, 1]), MAGIC, Buffer.alloc(4081)]),
      'WIRE_MISMATCH',
    ],
    ['a HELLO that is cut off', frame(helloOf(protocol).subarray(0, 60)), 'BAD_HELLO'],
    ['the magic alone', frame(MAGIC), 'BAD_HELLO'],
    ['a WELCOME', frame(welcomeOf(protocol)), 'WIRE_MISMATCH'],
    ['a message that is neither', frame(Buffer.concat([MAGIC, Buffer.of(3, 1, 1)])), 'WIRE_MISMATCH'],
  ]
  for (const [what, bytes, expected] of strangers) {
    test(`${what}, at once and byte by byte: ${expected}`, () =>
      knocking(async (world, door) => {
        const server = await world.open({ protocol, bind: 'knock:any' })
        const refused = all(server, 'refused')
        const [whole, slow] = [door.knock(), door.knock()]
        whole.say(bytes)
        for (const byte of bytes) {
          slow.say(Uint8Array.of(byte))
          await world.quiet()
        }
        await world.sim.sleep(1_500)
        assert.deepEqual(refused.map(code), [expected, expected])
        assert.deepEqual([whole.destroyed, slow.destroyed, server.stats().pending], [true, true, 0])
        // Nothing is said to who may speak anything.
        if (expected === 'WIRE_MISMATCH') assert.deepEqual([whole.written, slow.written], [[], []])
      }))
  }

  test('a HELLO in single bytes is one like any other', () =>
    knocking(async (world, door) => {
      const server = await world.open({ protocol, bind: 'knock:any' })
      const pipe = door.knock()
      for (const byte of frame(helloOf(protocol))) {
        pipe.say(Uint8Array.of(byte))
        await world.quiet()
      }
      assert.equal(server.knownPeers.length, 1)
    }))
})

describe('time', GUARD, () => {
  for (const [what, said, awaited] of [
    ['silence', '', /no HELLO within 700 ms/],
    ['half a HELLO', frame(helloOf(protocol)).subarray(0, 50), /no HELLO within 700 ms/],
    [
      'HELLO of another contract, and no TABLE',
      frame(helloOf(protocol, { fingerprint: new Uint8Array(16) })),
      /no TABLE within 700 ms/,
    ],
  ] as const) {
    test(`${what}: HANDSHAKE_TIMEOUT at the acceptor, on time`, () =>
      knocking(async (world, door) => {
        const server = await world.open({ protocol, bind: 'knock:any', handshakeTimeout: 700 })
        const refused = all(server, 'refused')
        const pipe = door.knock()
        pipe.say(Buffer.from(said))
        await world.quiet()
        assert.equal(server.stats().pending, 1)
        await world.sim.sleep(698)
        assert.equal(refused.length, 0)
        await world.sim.sleep(1_700)
        assert.deepEqual(refused.map(code), ['HANDSHAKE_TIMEOUT'])
        assert.match(refused[0]?.error.message ?? '', awaited)
        assert.deepEqual([server.stats().pending, pipe.destroyed], [0, true])
      }))
  }

  test('no WELCOME: HANDSHAKE_TIMEOUT at the dialer', () =>
    knocking(async (world, door) => {
      const client = await world.open({ protocol, handshakeTimeout: 700 })
      const pipe = door.pipe()
      door.answer = () => pipe
      const began = world.sim.now()
      await assert.rejects(
        client.connectTo('knock:any'),
        coded('HANDSHAKE_TIMEOUT', /no WELCOME within 700 ms/),
      )
      const took = world.sim.now() - began
      assert.ok(took >= 700 && took < 720, `${took} ms`)
      assert.deepEqual([pipe.destroyed, client.stats().pending], [true, 0])
    }))

  test('the signal and the timeout of connectTo hold during the handshake', () =>
    knocking(async (world, door) => {
      const client = await world.open({ protocol })
      const pipes = [door.pipe(), door.pipe()]
      let dials = 0
      door.answer = () => pipes[dials++]!
      const aborter = new AbortController()
      const given = client.connectTo('knock:any', { signal: aborter.signal })
      given.catch(() => undefined)
      await world.quiet()
      assert.equal(client.stats().pending, 1)
      aborter.abort(new Error('enough'))
      await assert.rejects(given, coded('ABORTED', /signal/))
      await assert.rejects(client.connectTo('knock:any', { timeout: 50 }), coded('CONNECT_TIMEOUT', /50 ms/))
      assert.deepEqual([pipes.map(({ destroyed }) => destroyed), client.stats().pending], [[true, true], 0])
    }))
})

describe('somebody leaves in the middle', GUARD, () => {
  for (const how of ['finish', 'break'] as const) {
    test(`the dialer (${how}) before, in and behind HELLO`, () =>
      knocking(async (world, door) => {
        const server = await world.open({
          protocol,
          bind: 'knock:any',
          goodPeer: () => new Promise(() => undefined),
        })
        const refused = all(server, 'refused')
        const hello = frame(helloOf(protocol))
        for (const said of [0, 1, 30, hello.length]) {
          const pipe = door.knock()
          pipe.say(hello.subarray(0, said))
          await world.quiet()
          pipe[how]()
          await world.quiet()
          assert.equal(server.stats().pending, 0, `after ${said} bytes`)
        }
        assert.deepEqual(refused.map(code), Array(4).fill('PEER_GONE'))
      }))

    test(`the acceptor (${how}) before and in WELCOME`, () =>
      knocking(async (world, door) => {
        const client = await world.open({ protocol })
        const welcome = frame(welcomeOf(protocol))
        for (const said of [0, 1, 30]) {
          const pipe = door.pipe()
          door.answer = () => pipe
          const dialing = client.connectTo('knock:any')
          dialing.catch(() => undefined)
          await world.quiet()
          pipe.say(welcome.subarray(0, said))
          await world.quiet()
          pipe[how]()
          await assert.rejects(dialing, coded('PEER_NOT_SESSION', /before it answered/))
          assert.equal(client.stats().pending, 0)
        }
      }))
  }

  test('closing the sock during the handshake: CLOSED, on both sides of the gate', () =>
    knocking(async (world, door) => {
      const server = await world.open({
        protocol,
        bind: 'knock:any',
        goodPeer: () => new Promise(() => undefined),
      })
      const refused = all(server, 'refused')
      const pipes = [door.knock(), door.knock()] as const
      pipes[1].say(frame(helloOf(protocol)))
      await world.quiet()
      assert.equal(server.stats().pending > 0, true)
      await server.close()
      await world.sim.sleep(2_000)
      assert.deepEqual(refused.map(code), ['CLOSED', 'CLOSED'])
      assert.deepEqual(
        [pipes[0].destroyed, pipes[1].destroyed || pipes[1].ended, server.stats().pending],
        [true, true, 0],
      )
      const client = await world.open({ protocol })
      const pipe = door.pipe()
      door.answer = () => pipe
      const dialing = client.connectTo('knock:any')
      dialing.catch(() => undefined)
      await world.quiet()
      await client.close()
      await assert.rejects(dialing, coded('CLOSED', /closed/))
      assert.equal(pipe.destroyed, true)
    }))
})

describe('goodPeer', GUARD, () => {
  test('hears who it is, after HELLO; a yes, now or later, opens', () =>
    simulate(async (world) => {
      const asked: unknown[] = []
      const gate = signal<boolean>()
      const server = await world.open({
        protocol,
        bind: 'memory:a',
        goodPeer: ({ id, dialed }) => {
          asked.push([id?.length, dialed])
          return gate.promise
        },
      })
      const client = await world.open({
        protocol,
        goodPeer: ({ id }) => typeof id === 'string' && id.length === 32,
      })
      const dialing = client.connectTo('memory:a')
      dialing.catch(() => undefined)
      assert.equal(await world.stateOf(dialing), 'waits')
      assert.deepEqual([asked, server.stats().pending, client.stats().pending], [[[32, false]], 1, 1])
      gate.give(true)
      assert.equal((await dialing).state, 'open')
      assert.deepEqual([server.stats().pending, client.stats().pending], [0, 0])
    }))

  for (const [what, goodPeer, faults] of [
    ['no', () => false, 0],
    ['no, later', async () => false, 0],
    ['what is not true', () => 1 as never, 0],
    [
      'a throw',
      () => {
        throw new Error('boom, with secrets')
      },
      1,
    ],
    ['a rejection', () => Promise.reject(new Error('boom, with secrets')), 1],
  ] as const) {
    test(`${what}: REFUSED at both, and the dialer is told no more`, () =>
      simulate(async (world) => {
        const server = await world.open({ protocol, bind: 'memory:a', goodPeer })
        const [refused, told] = [next(server, 'refused'), all(server, 'fault')]
        const client = await world.open({ protocol })
        await assert.rejects(client.connectTo('memory:a'), (error: SockError) => {
          assert.equal(error.code, 'REFUSED')
          assert.doesNotMatch(error.message, /secrets/)
          return true
        })
        assert.equal(code(await refused), 'REFUSED')
        assert.deepEqual([told.length, server.stats().pending, server.stats().peers], [faults, 0, 0])
      }))
  }

  test('no answer in time: GATE_TIMEOUT at both', () =>
    simulate(async (world) => {
      const server = await world.open({
        protocol,
        bind: 'memory:a',
        gateTimeout: 200,
        goodPeer: () => new Promise(() => undefined),
      })
      const refused = next(server, 'refused')
      const client = await world.open({ protocol })
      await assert.rejects(client.connectTo('memory:a'), coded('GATE_TIMEOUT', /far side said/))
      assert.equal(code(await refused), 'GATE_TIMEOUT')
    }))

  test('a dialer that refuses: the acceptor loses the peer', () =>
    simulate(async (world) => {
      const server = await world.open({ protocol, bind: 'memory:a' })
      const gone = next(server, 'gone')
      const client = await world.open({ protocol, goodPeer: () => false })
      await assert.rejects(client.connectTo('memory:a'), coded('REFUSED', /goodPeer/))
      await gone
      assert.equal(server.stats().peers, 0)
    }))
})

test('the types of a stranger that knows the contract are those of the contract', GUARD, () =>
  knocking(async (world, door) => {
    const got: string[] = []
    const { far: dialer } = await far(world, door, protocol, { handlers: { say: (text) => got.push(text) } })
    dialer.send(kinds.EVENT, { lane: 1, type: 1 }, '"hi"')
    await world.quiet()
    assert.deepEqual(got, ['hi'])
  }),
)

test('a plain framing of its own is refused under v1', GUARD, () =>
  simulate(async (world) => {
    assert.throws(() => world.sock({ protocol, framing: lengthPrefixed() }), coded('BAD_OPTION', /framing/))
  }),
)
