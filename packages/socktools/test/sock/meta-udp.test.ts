/** A sock over datagrams in a MetaSock, and one whose class has hooks. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  DatagramSock,
  type DatagramParts,
  type Handler,
  json,
  memoryDatagrams,
  type Message,
  type RawCodec,
} from '../../src/index.ts'
import { coded } from '../support/coded.ts'
import { all, Arrivals } from '../support/events.ts'
import { GUARD } from '../support/tcp.ts'
import { simulateUdp } from '../support/udp-world.ts'
import { simulate } from '../support/world.ts'

describe('datagrams and streams in one MetaSock', GUARD, () => {
  test('reach one table of handlers, and a send to all reaches the peers of both', async () => {
    await simulateUdp(async (udp) => {
      const { world } = udp
      const heard: string[] = []
      const say: Handler = (data, { sock, peer }) => {
        heard.push(`${String(data)} over ${peer.address.split(':')[0] ?? ''}`)
        assert.ok(sock.knownPeers.includes(peer), 'the sock that has the peer')
      }
      const meta = world.meta({ handlers: { say } })
      const streams = meta.add(world.sock({ codec: json(), bind: 'memory:room' }))
      const datagrams = meta.add(udp.sock({ codec: json(), bind: 'udp://127.0.0.1:4000' }))
      await meta.start()
      assert.deepEqual(meta.addresses, [streams.address, datagrams.address])

      const got: string[] = []
      const take: Handler = (data) => void got.push(String(data))
      const [ann, bob] = [
        await world.open({ codec: json(), handlers: { said: take } }),
        await udp.open({ codec: json(), handlers: { said: take } }),
      ]
      await (await ann.connectTo('memory:room')).sendMsg('say', 'ann')
      await (await bob.connectTo('udp://127.0.0.1:4000')).sendMsg('say', 'bob')
      await world.quiet()
      assert.deepEqual(heard.sort(), ['ann over memory', 'bob over udp'])

      await meta.sendMsg('said', 'all')
      const [, stranger] = meta.knownPeers
      await meta.sendMsg('said', 'one', { to: stranger ?? [] })
      await meta.sendMsg('said', 'both', { to: meta.knownPeers })
      await world.quiet()
      assert.deepEqual(got.sort(), ['all', 'all', 'both', 'both', 'one'])
    })
  })

  test('it dials with whichever knows the scheme, and starts what is not up yet', async () => {
    await simulateUdp(async (udp) => {
      const far = new Arrivals()
      await udp.open({ bind: 'udp://127.0.0.1:4000', handlers: { 0: far.push } })
      const meta = udp.world.meta()
      meta.add(udp.world.sock())
      const own = meta.add(udp.sock({ connect: 'udp://127.0.0.1:4000' }))
      await own.start()
      await meta.start()
      const peer = await meta.connectTo('udp://127.0.0.1:4000')
      assert.equal(own.knownPeers[0], peer)
      await meta.sendMsg(0, 'hi')
      assert.deepEqual(await far.atLeast(1), ['hi'])
      await assert.rejects(meta.connectTo('tcp://127.0.0.1:1'), coded('BAD_ADDRESS', /udp:/))
    })
  })

  test('to several it drops where to one it would reject, also if only one of them is over datagrams', async () => {
    await simulateUdp(
      async (udp) => {
        const { world } = udp
        const meta = world.meta()
        meta.add(world.sock({ bind: 'memory:room' }))
        const own = meta.add(udp.sock({ bind: 'udp://127.0.0.1:4000', maxQueue: 150, highWaterMark: 100 }))
        await meta.start()
        const heard = new Arrivals()
        const ann = await world.open({ handlers: { 0: heard.push } })
        await ann.connectTo('memory:room')
        const bob = await meta.connectTo('udp://127.0.0.1:4001')
        const dropped = all(own, 'dropped')
        void bob.sendRaw(new Uint8Array(120))
        await meta.sendMsg(0, 'too much for bob, but not for ann', { to: meta.knownPeers })
        await assert.rejects(meta.sendMsg(0, 'and this is for him alone, so he tells', { to: bob }), {
          code: 'SLOW_PEER',
        })
        await world.quiet()
        assert.deepEqual(heard.list, ['too much for bob, but not for ann'])
        assert.deepEqual(
          dropped.map(({ reason, messages }) => [reason, messages]),
          [['slow', 2]],
        )
      },
      { weather: () => ({ hold: () => 10 }) },
    )
  })

  test('`except` a peer that has left, or whose sock was removed: everyone else still hears', async () => {
    await simulateUdp(async (udp) => {
      const { world } = udp
      const room = world.meta()
      const datagrams = room.add(udp.sock({ bind: 'udp://127.0.0.1:4000' }))
      const streams = room.add(world.sock({ bind: 'memory:room' }))
      const third = room.add(world.sock({ bind: 'memory:third' }))
      await room.start()
      const got = new Arrivals()
      await (await world.open({ handlers: { 0: got.push } })).connectTo('memory:room')
      const ann = await room.connectTo('udp://127.0.0.1:4001')
      await (await world.open()).connectTo('memory:third')
      const bob = third.knownPeers[0]!
      const sends: Promise<void>[] = []
      room.on('gone', ({ peer }) => void sends.push(room.sendMsg(0, 'left', { except: peer })))
      ann.close()
      await Promise.all(sends.splice(0))
      await assert.rejects(room.sendMsg(0, 'x', { to: ann }), { code: 'PEER_GONE' })

      // With two socks left, and then with one, which is then asked by itself.
      room.remove(datagrams)
      await room.sendMsg(0, 'removed', { except: [ann] })
      room.remove(third)
      await room.sendMsg(0, 'one left', { except: [ann, bob] })
      await room.sendMsg(0, 'to some', { to: streams.knownPeers, except: ann })
      await world.quiet()
      assert.deepEqual(got.list, ['left', 'removed', 'one left', 'to some'])
      await assert.rejects(room.sendMsg(0, 'x', { to: bob }), coded('UNKNOWN_PEER', /another sock/))
    })
  })

  test('a UDP sock alone: `except` a peer of another kind, or of another sock, changes nothing', async () => {
    await simulateUdp(async (udp) => {
      const got = new Arrivals()
      await udp.open({ bind: 'udp://127.0.0.1:4000', handlers: { 0: got.push } })
      await udp.world.open({ bind: 'memory:a' })
      const stream = await (await udp.world.open()).connectTo('memory:a')
      const other = await (await udp.open()).connectTo('udp://127.0.0.1:4000')
      const sock = await udp.open({ connect: 'udp://127.0.0.1:4000' })
      await sock.sendMsg(0, 'x', { except: [stream, other] })
      await sock.sendMsg(0, 'y', { except: other })
      await udp.quiet()
      assert.deepEqual(got.list, ['x', 'y'])
      await assert.rejects(sock.sendMsg(0, 'z', { except: 'p9' }), { code: 'UNKNOWN_PEER' })
    })
  })

  test('a sock without peers has no say in what is sent to all', async () => {
    await simulateUdp(async (udp) => {
      const { world } = udp
      const meta = world.meta()
      meta.add(udp.sock({ bind: 'udp://127.0.0.1:4000' }))
      meta.add(world.sock())
      meta.add(world.sock({ codec: json(), bind: 'memory:room' }))
      await meta.start()
      const got: unknown[] = []
      const ann = await world.open({ codec: json(), handlers: { say: (data) => void got.push(data) } })
      await ann.connectTo('memory:room')
      await world.quiet()
      // Too long for UDP, and of a type that raw() does not have.
      await meta.sendMsg('say', 'x'.repeat(3000))
      await world.quiet()
      assert.deepEqual(got, ['x'.repeat(3000)])
    })
  })

  test('an address over UDP that is no peer’s can be sent to, as with the sock alone', async () => {
    await simulateUdp(async (udp) => {
      const far = new Arrivals()
      await udp.open({ bind: 'udp://127.0.0.1:4001', handlers: { 0: far.push } })
      const meta = udp.world.meta()
      meta.add(udp.world.sock())
      meta.add(udp.sock({ bind: 'udp://127.0.0.1:4000' }))
      await meta.start()
      await meta.sendMsg(0, 'hi', { to: 'udp://127.0.0.1:4001' })
      assert.deepEqual(await far.atLeast(1), ['hi'])
      await assert.rejects(meta.sendMsg(0, 'hi', { to: 'tcp://127.0.0.1:4001' }), coded('UNKNOWN_PEER', /./))
    })
  })

  test('a type that is text for a number is that number in every meta', async () => {
    await simulate(async (world) => {
      const got: unknown[] = []
      const meta = world.meta({ handlers: { 7: (data, { type }) => void got.push([data, type]) } })
      meta.add(world.sock({ codec: json(), bind: 'memory:room' }))
      await meta.start()
      const ann = await world.open({ codec: json() })
      const peer = await ann.connectTo('memory:room')
      await peer.sendMsg('7', 'text')
      await peer.sendMsg(7, 'number')
      await world.quiet()
      assert.deepEqual(got, [
        ['text', 7],
        ['number', 7],
      ])
    })
  })
})

describe('hooks of a sock over datagrams', GUARD, () => {
  const log: string[] = []
  class Shouting extends DatagramSock {
    protected override async setUp(): Promise<void> {
      await Promise.resolve()
      log.push(`setUp, bound to ${this.address ?? 'nothing'}`)
      this.addHandler(0, (data) => void log.push(Buffer.from(data).toString()))
    }
    protected override parse(payload: Uint8Array): Message<Uint8Array> {
      return super.parse(new Uint8Array(Buffer.from(Buffer.from(payload).toString().toUpperCase())))
    }
    protected override serialise(type: string | number, data: Uint8Array | string): Uint8Array {
      return super.serialise(type, `${String(data)}!`)
    }
    protected override goodPeer(): boolean {
      log.push('goodPeer')
      return true
    }
  }

  for (const [how, begin] of [
    ['start', (sock: Shouting) => sock.start()],
    ['startServer', (sock: Shouting) => sock.startServer()],
    ['a dial', (sock: Shouting) => sock.connectTo('udp://127.0.0.1:4001')],
    ['a send', (sock: Shouting) => sock.sendMsg(0, 'x', { to: 'udp://127.0.0.1:4001' })],
  ] as const) {
    test(`setUp is done before ${how} binds; parse, serialise and goodPeer are asked`, async () => {
      await simulate(async (world) => {
        log.length = 0
        const parts: DatagramParts = { platform: world.platform, network: memoryDatagrams(world.sim) }
        const sock = new Shouting({ bind: 'udp://127.0.0.1:4000' }, parts)
        const plain = new DatagramSock<RawCodec>({ bind: 'udp://127.0.0.1:4001' }, parts)
        await plain.start()
        await begin(sock)
        await world.quiet()
        assert.equal(log[0], 'setUp, bound to nothing')
        const heard = plain.messages()
        await plain.sendMsg(0, 'hello', { to: 'udp://127.0.0.1:4000' })
        await sock.sendMsg(0, 'hi', { to: 'udp://127.0.0.1:4001' })
        const { value } = await heard.next()
        assert.equal(Buffer.from(value?.[0] ?? []).toString(), 'hi!')
        await world.quiet()
        assert.ok(log.includes('HELLO'))
        assert.equal(log.filter((one) => one === 'goodPeer').length, 1)
        assert.equal(log.filter((one) => one.startsWith('setUp')).length, 1)
        await sock.close()
        await plain.close()
      })
    })
  }
})
