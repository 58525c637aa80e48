/** UdpSock over real sockets, on loopback. */
import assert from 'node:assert/strict'
import dgram from 'node:dgram'
import { once } from 'node:events'
import { describe, test, type TestContext } from 'node:test'
import { type Codec, json, type RawCodec, TcpSock, UdpSock, type UdpSockOptions } from '../../src/index.ts'
import { carried } from '../support/carried.ts'
import { Child } from '../support/child.ts'
import { noCrashes } from '../support/crashes.ts'
import { all, Arrivals, next } from '../support/events.ts'
import { ipv6 } from '../support/ipv6.ts'

noCrashes()

const GUARD = { timeout: 60_000 }
const ANY = 'udp://127.0.0.1:0'

/** A sock that is up, and closed when the test is over. */
async function open<C extends Codec = RawCodec>(
  t: TestContext,
  options: UdpSockOptions<C> = {},
): Promise<UdpSock<C>> {
  const sock = await UdpSock.open<C>(options)
  t.after(() => sock.close())
  return sock
}

const at = ({ address }: { readonly address: string | undefined }): string =>
  address ?? assert.fail('not bound')

/** Someone who is no sock of ours. */
async function plain(t: TestContext): Promise<{ socket: dgram.Socket; address: string }> {
  const socket = dgram.createSocket('udp4')
  t.after(() => socket.close())
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return { socket, address: `udp://127.0.0.1:${socket.address().port}` }
}

describe('UdpSock', GUARD, () => {
  for (const [host, here] of [
    ['127.0.0.1', true],
    ['[::1]', ipv6],
  ] as const) {
    test(`question and answer on ${host}, with types`, {
      skip: !here && 'this machine has no ::1',
    }, async (t) => {
      const got: number[] = []
      const server = await open(t, {
        bind: `udp://${host}:0`,
        codec: json<number>(),
        handlers: { double: (n, { peer }) => peer.sendMsg('doubled', 2 * n) },
      })
      const client = await open(t, { codec: json<number>(), handlers: { doubled: (n) => got.push(n) } })
      const peer = await client.connectTo(at(server))
      assert.equal(peer.address, at(server))
      for (let i = 1; i <= 50; i++) {
        const answers = client.messages('doubled')
        await peer.sendMsg('double', i)
        await answers.next()
        await answers.return?.()
      }
      assert.deepEqual(
        got,
        Array.from({ length: 50 }, (_, i) => 2 * i + 2),
      )
      assert.deepEqual([server.stats().messagesIn, server.stats().peers], [50, 1])
    })
  }

  test('a datagram is the payload and nothing else, both ways', async (t) => {
    const got = new Arrivals()
    const server = await open(t, { bind: ANY, handlers: { 0: got.push } })
    const { socket, address } = await plain(t)
    const came = next(server, 'peer')
    for (const text of ['one', '', 'three']) socket.send(text, Number(new URL(at(server)).port), '127.0.0.1')
    await got.atLeast(3)
    assert.deepEqual(got.list, ['one', '', 'three'])
    const { peer } = await came
    assert.equal(peer.address, address)
    const answer = once(socket, 'message')
    await peer.sendMsg(0, 'answer')
    assert.equal(String((await answer)[0]), 'answer')
  })

  test('the longest datagram arrives whole', async (t) => {
    const bytes: Uint8Array[] = []
    const server = await open(t, { bind: ANY, maxFrame: 65_507, handlers: { 0: (data) => bytes.push(data) } })
    const packets = server.readRaw()
    const client = await open(t, { maxFrame: 65_507 })
    const sent = new Uint8Array(65_507).map((_, i) => i)
    await client.sendRaw(sent, { to: at(server) })
    await packets.next()
    assert.deepEqual(new Uint8Array(bytes[0] ?? []), sent)
    assert.deepEqual(client.knownPeers, [])
  })

  test('where nobody listens, sends resolve all the same, and nothing breaks', async (t) => {
    const gone = await open(t, { bind: ANY })
    const address = at(gone)
    await gone.close()
    const client = await open(t)
    const peer = await client.connectTo(address)
    for (let i = 0; i < 20; i++) await peer.sendMsg(0, 'anybody?')
    assert.equal(peer.state, 'open')
    assert.deepEqual([client.stats().messagesOut, client.stats().dropped], [20, {}])
  })

  test('a broadcast address without the option is BROADCAST_OFF', async (t) => {
    const client = await open(t)
    await assert.rejects(client.sendMsg(0, 'x', { to: 'udp://255.255.255.255:9' }), { code: 'BROADCAST_OFF' })
    assert.deepEqual(client.stats().dropped, { unsendable: 1 })
  })

  test('a port to which nothing can be sent is SEND_FAILED for that send', async (t) => {
    // Linux refuses what has no way out: loopback does not lead to other machines.
    const client = await open(t, { bind: ANY })
    await assert.rejects(client.sendMsg(0, 'x', { to: 'udp://192.0.2.77:9' }), { code: 'SEND_FAILED' })
    assert.equal(client.stats().dropped.unsendable, 1)
  })

  test('a port that is taken is ADDRESS_IN_USE; with reuseAddr both may have it', async (t) => {
    const one = await open(t, { bind: ANY, reuseAddr: true })
    await assert.rejects(open(t, { bind: at(one) }), { code: 'ADDRESS_IN_USE' })
    await open(t, { bind: at(one), reuseAddr: true })
    await one.close()
  })

  test('ports of UDP and TCP are not the same ports', async (t) => {
    const udp = await open(t, { bind: ANY })
    const tcp = await TcpSock.open({ bind: at(udp).replace('udp:', 'tcp:') }).catch(() => undefined)
    await tcp?.close()
    await assert.rejects(TcpSock.open({ bind: at(udp) }), { code: 'BAD_ADDRESS' })
  })

  test('a name is looked up, in the family of the socket', async (t) => {
    const client = await open(t, { bind: ANY })
    assert.equal((await client.connectTo('udp://localhost:9')).address, 'udp://127.0.0.1:9')
    await assert.rejects(client.connectTo('udp://nobody.invalid:9'), { code: 'CONNECT_FAILED' })
  })

  test('whoever awaits each of its sends lets timers and sockets have their turn', async (t) => {
    const { address } = await plain(t)
    const client = await open(t)
    const peer = await client.connectTo(address)
    const state = { fired: false }
    const timer = setTimeout(() => (state.fired = true), 1)
    let sent = 0
    while (!state.fired && sent < 200_000) {
      await peer.sendMsg(0, 'x')
      sent++
    }
    clearTimeout(timer)
    assert.ok(state.fired, `${sent} were sent before a timer had its turn`)
  })

  test('a flood of datagrams does not keep timers from theirs', async (t) => {
    const server = await open(t, { bind: ANY, handlers: { 0: () => undefined } })
    const client = await open(t)
    const peer = await client.connectTo(at(server))
    const state = { ticks: 0 }
    const timer = setInterval(() => state.ticks++, 1)
    for (let i = 0; i < 20_000 && state.ticks < 5; i++) await peer.sendMsg(0, 'x')
    clearInterval(timer)
    assert.ok(state.ticks >= 5)
    assert.ok(server.stats().messagesIn > 0)
  })

  test('a message that the answerer’s handler makes too long is a fault of its, no more', async (t) => {
    const server = await open(t, {
      bind: ANY,
      handlers: { 0: (_bytes, { peer }) => peer.sendRaw(new Uint8Array(2_000)) },
    })
    const faults = all(server, 'fault')
    const fault = next(server, 'fault')
    const client = await open(t)
    await client.sendMsg(0, 'x', { to: at(server) })
    const { error } = await fault
    assert.equal((error.cause as { code?: string }).code, 'TOO_LARGE')
    assert.equal(faults.length, 1)
  })

  test('once drained, nothing keeps the process', async (t) => {
    const child = Child.start(t, 'udp')
    const nothing = { unsent: 0, unhandled: 0 }
    assert.deepEqual(await child.hear(), { answer: 'hello', lost: [nothing, nothing] })
    assert.deepEqual(await child.exit, { code: 0, signal: null })
  })
})

const joins = await carried('udp4', '239.1.2.3', '127.0.0.1')

describe('groups on loopback', GUARD, () => {
  const multicast = { groups: ['udp://239.1.2.3'], interface: '127.0.0.1' }

  test('all members hear what one sends, and answer its sender', {
    skip: !joins && 'this system carries no multicast on loopback',
  }, async (t) => {
    const heard = [new Arrivals(), new Arrivals()]
    const first = await open(t, { bind: 'udp://0.0.0.0:0', reuseAddr: true, multicast })
    const second = await open(t, { bind: at(first), reuseAddr: true, multicast })
    const members = [first, second]
    members.forEach((sock, i) =>
      sock.addHandler(0, (bytes, { peer }) => {
        heard[i]!.push(bytes)
        return peer.sendMsg(0, `from ${i}`)
      }),
    )
    const answers = new Arrivals()
    const asker = await open(t, {
      multicast: { interface: '127.0.0.1' },
      handlers: { 0: answers.push },
    })
    await asker.sendMsg(0, 'who is there?', { to: at(first).replace('0.0.0.0', '239.1.2.3') })
    await answers.atLeast(2)
    assert.deepEqual([...answers.list].sort(), ['from 0', 'from 1'])
    assert.deepEqual(
      heard.map(({ list }) => list),
      [['who is there?'], ['who is there?']],
    )
    // Both share an address: to the asker they are one peer.
    assert.equal(asker.knownPeers.length, 1)
  })
})
