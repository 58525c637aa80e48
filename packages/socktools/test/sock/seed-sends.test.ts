/** The seed's rows `send_msg` and `send_raw(data, to_peer)`. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type PipeSock, json, type Peer } from '../../src/index.ts'
import { all, Arrivals, next } from '../support/events.ts'
import { ANY, at, frame, GUARD, open, Plain } from '../support/tcp.ts'
import { simulate, type World } from '../support/world.ts'

/** A server and three clients, each with what it received. */
async function star(
  world: World,
): Promise<{ server: PipeSock; clients: PipeSock[]; got: Arrivals[]; peers: readonly Peer[] }> {
  const server = await world.open({ bind: 'memory:a' })
  const got = [new Arrivals(), new Arrivals(), new Arrivals()]
  const clients: PipeSock[] = []
  for (const { push } of got) clients.push(await world.open({ connect: 'memory:a', handlers: { 0: push } }))
  return { server, clients, got, peers: server.knownPeers }
}

const lists = (got: readonly Arrivals[]): string[] => got.map(({ list }) => list.join())

for (const method of ['sendMsg', 'sendRaw'] as const) {
  const send = (sock: PipeSock, text: string, options?: Parameters<PipeSock['sendRaw']>[1]): Promise<void> =>
    method === 'sendMsg' ? sock.sendMsg(0, text, options) : sock.sendRaw(Buffer.from(text), options)

  describe(method, GUARD, () => {
    test('to every peer', () =>
      simulate(async (world) => {
        const { server, got } = await star(world)
        await send(server, 'x')
        await world.quiet()
        assert.deepEqual(lists(got), ['x', 'x', 'x'])
      }))

    test('to one: a peer, or its address', () =>
      simulate(async (world) => {
        const { server, got, peers } = await star(world)
        await send(server, 'peer', { to: peers[1]! })
        await send(server, 'address', { to: peers[2]!.address })
        await world.quiet()
        assert.deepEqual(lists(got), ['', 'peer', 'address'])
      }))

    test('to several: an array, a set, of peers and addresses; twice the same is once', () =>
      simulate(async (world) => {
        const { server, got, peers } = await star(world)
        await send(server, 'array', { to: [peers[0]!, peers[1]!.address, peers[0]!] })
        await send(server, 'set', { to: new Set([peers[2]!, peers[0]!]) })
        await send(server, 'nobody', { to: [] })
        await world.quiet()
        assert.deepEqual(lists(got), ['array,set', 'array', 'set'])
      }))

    test('to everyone except some', () =>
      simulate(async (world) => {
        const { server, got, peers } = await star(world)
        await send(server, 'a', { except: peers[0]! })
        await send(server, 'b', { except: [peers[1]!.address, peers[2]!] })
        await send(server, 'c', { to: [peers[0]!, peers[1]!], except: peers[1]! })
        await world.quiet()
        assert.deepEqual(lists(got), ['b,c', 'a', 'a'])
      }))

    test('with nobody there it resolves, however often', () =>
      simulate(async (world) => {
        const got = new Arrivals()
        const server = await world.open({ bind: 'memory:a' })
        for (let i = 0; i < 3; i++) {
          await send(server, 'into the void')
          await world.quiet()
        }
        await world.open({ connect: 'memory:a', handlers: { 0: got.push } })
        await send(server, 'heard')
        await world.quiet()
        assert.deepEqual(got.list, ['heard'])
      }))

    test('a peer that is gone does not keep the rest from it', () =>
      simulate(async (world) => {
        const { server, got, peers } = await star(world)
        peers[1]!.close()
        const dropped = all(server, 'dropped')
        await send(server, 'to some', { to: peers })
        await send(server, 'to all')
        await world.quiet()
        assert.deepEqual(lists(got), ['to some,to all', '', 'to some,to all'])
        assert.deepEqual(
          dropped.map(({ peer, reason, messages }) => [peer, reason, messages]),
          [[peers[1], 'gone', 1]],
        )
      }))
  })
}

describe('the bytes', GUARD, () => {
  test('sendMsg goes through the codec, sendRaw past it; both are framed', async (t) => {
    const server = await open(t, { bind: ANY, codec: json() })
    const client = await Plain.dial(t, at(server))
    if (server.knownPeers.length === 0) await next(server, 'peer')
    await server.sendMsg('say', { text: 'hi' })
    await server.sendRaw(Buffer.from('hi'))
    await server.sendRaw(new Uint8Array(0))
    void server.drain()
    const expected = `${frame('["say",{"text":"hi"}]').toString('hex')}00000002686900000000`
    assert.equal((await client.everything).toString('hex'), expected)
  })

  test('raw(): bytes as they are, text as UTF-8', async (t) => {
    const server = await open(t, { bind: ANY })
    const client = await Plain.dial(t, at(server))
    if (server.knownPeers.length === 0) await next(server, 'peer')
    await server.sendMsg(0, 'é')
    await server.sendMsg(0, Uint8Array.of(0, 255))
    void server.drain()
    assert.equal((await client.everything).toString('hex'), '00000002c3a90000000200ff')
  })
})
