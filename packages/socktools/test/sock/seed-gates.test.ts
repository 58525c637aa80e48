/** The seed's rows `good_peer`, `close_peer`, `known_peers`, and the refusals that it leaves silent. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Candidate, json } from '../../src/index.ts'
import { all, Arrivals, next, signal } from '../support/events.ts'
import { ANY, at, frame, GUARD, open, pair, Plain } from '../support/tcp.ts'
import { knocking } from '../support/knock.ts'
import { simulate } from '../support/world.ts'

describe('goodAddress', GUARD, () => {
  test('is asked at accept, with the host; a no closes the connection and raises `refused`', async (t) => {
    const hosts: string[] = []
    const server = await open(t, {
      bind: ANY,
      goodAddress: ({ host }) => {
        hosts.push(host)
        return false
      },
      goodPeer: () => assert.fail('the second gate is not asked about those the first turned away'),
    })
    const refused = next(server, 'refused')
    const client = await Plain.dial(t, at(server))
    const port = client.socket.localPort
    await client.everything
    const { host, address, dialed, error } = await refused
    assert.deepEqual(hosts, ['127.0.0.1'])
    assert.deepEqual(
      [host, address, dialed, error.code],
      ['127.0.0.1', `tcp://127.0.0.1:${port}`, false, 'REFUSED'],
    )
    assert.deepEqual(server.stats().refused, { REFUSED: 1 })
    assert.deepEqual(server.knownPeers, [])
  })

  test('is not asked about those that we dial', async (t) => {
    const server = await open(t, { bind: ANY })
    const client = await open(t, { goodAddress: () => false })
    await client.connectTo(at(server))
  })

  test('only `true` opens: a promise, from an async function by mistake, does not', () =>
    simulate(async (world) => {
      const answers = [async () => true, () => Promise.reject(new Error('later')), () => 1, () => undefined]
      for (const goodAddress of answers) {
        const server = await world.open({ bind: 'memory:a', goodAddress: goodAddress as never })
        const [refused, faults] = [all(server, 'refused'), all(server, 'fault')]
        await (await world.open()).connectTo('memory:a')
        await world.quiet()
        assert.deepEqual(
          refused.map(({ error }) => error.code),
          ['REFUSED'],
        )
        assert.equal(faults.length, answers.indexOf(goodAddress) < 2 ? 1 : 0)
        await server.close()
      }
    }))

  test('one that throws is a gate that is closed, and a fault', () =>
    simulate(async (world) => {
      const goodAddress = (): boolean => {
        throw new Error('broken gate')
      }
      const server = await world.open({ bind: 'memory:a', goodAddress })
      const [refused, fault] = [next(server, 'refused'), next(server, 'fault')]
      await (await world.open()).connectTo('memory:a')
      assert.equal((await refused).error.code, 'REFUSED')
      const { error, in: where } = await fault
      assert.deepEqual(
        [where, error.code, (error.cause as Error).message],
        ['goodAddress', 'HANDLER_FAILED', 'broken gate'],
      )
    }))
})

describe('goodPeer', GUARD, () => {
  test('is asked once about each, for those we dial too, with all that is known', async (t) => {
    const asked: Candidate[] = []
    const yes = (who: Candidate): boolean => asked.push(who) > 0
    const { server, toClient } = await pair(t, { goodPeer: yes }, { goodPeer: yes })
    asked.sort((a, b) => Number(a.dialed) - Number(b.dialed))
    assert.deepEqual(asked, [
      { host: '127.0.0.1', address: toClient.address, dialed: false },
      { host: '127.0.0.1', address: at(server), dialed: true },
    ])
  })

  test('may answer later; the connection is no peer before that, and what it sent meanwhile arrives then', () =>
    simulate(async (world) => {
      const got = new Arrivals()
      const answer = signal<boolean>()
      const server = await world.open({
        bind: 'memory:a',
        goodPeer: () => answer.promise,
        handlers: { 0: got.push },
      })
      const client = await world.open()
      const peer = await client.connectTo('memory:a')
      await peer.sendMsg(0, 'early')
      await world.sim.sleep(5_000)
      assert.deepEqual([server.knownPeers, server.stats().pending, got.list], [[], 1, []])
      answer.give(true)
      await world.quiet()
      assert.deepEqual([server.knownPeers.length, server.stats().pending, got.list], [1, 0, ['early']])
    }))

  test('no byte is decoded before it said yes', async (t) => {
    const decoded: number[] = []
    const codec = {
      ...json(),
      decode: (bytes: Uint8Array) => ({ type: 0, data: decoded.push(bytes.length) }),
    }
    const server = await open(t, { bind: ANY, codec, goodPeer: async () => false })
    const packets = server.readRaw()
    const refused = next(server, 'refused')
    const client = await Plain.dial(t, at(server))
    // A frame too large would be told by the decoder, were there one.
    await client.write(Buffer.concat([frame('[0,1]'), Buffer.from('ffffffff', 'hex')]))
    await client.everything
    assert.equal((await refused).error.code, 'REFUSED')
    await server.close()
    assert.deepEqual([decoded, (await packets.next()).done, server.stats().bytesIn], [[], true, 0])
  })

  const answers: [string, () => unknown, string][] = [
    ['no', () => false, 'REFUSED'],
    ['no, later', async () => false, 'REFUSED'],
    ['something that is not `true`', () => 'yes', 'REFUSED'],
    ['something that is not `true`, later', async () => 1, 'REFUSED'],
    [
      'by throwing',
      () => {
        throw new Error('broken')
      },
      'REFUSED',
    ],
    ['by rejecting', () => Promise.reject(new Error('broken')), 'REFUSED'],
    ['never', () => new Promise(() => undefined), 'GATE_TIMEOUT'],
  ]
  for (const [answer, goodPeer, code] of answers) {
    test(`answers ${answer}: the accepting side closes, with ${code}`, () =>
      simulate(async (world) => {
        const server = await world.open({
          bind: 'memory:a',
          goodPeer: goodPeer as () => boolean,
          gateTimeout: 3_000,
        })
        const faults = all(server, 'fault')
        const refused = next(server, 'refused')
        const client = await world.open()
        const gone = next(client, 'gone')
        await client.connectTo('memory:a')
        const { address, dialed, error } = await refused
        assert.deepEqual([address, dialed, error.code], ['memory:a#1', false, code])
        await gone
        assert.equal(server.stats().pending, 0)
        const broke = answer.startsWith('by')
        assert.deepEqual(
          faults.map(({ in: where }) => where),
          broke ? ['goodPeer'] : [],
        )
        assert.equal(world.sim.now() >= 3_000, code === 'GATE_TIMEOUT')
      }))

    test(`answers ${answer}: the dialing side closes, and connectTo rejects with ${code}`, () =>
      simulate(async (world) => {
        const server = await world.open({ bind: 'memory:a' })
        const client = await world.open({ goodPeer: goodPeer as () => boolean, gateTimeout: 3_000 })
        const faults = all(client, 'fault')
        const refused = all(client, 'refused')
        await assert.rejects(client.connectTo('memory:a'), { code })
        assert.deepEqual(
          refused.map(({ address, dialed }) => [address, dialed]),
          [['memory:a', true]],
        )
        if (server.knownPeers.length > 0) await next(server, 'gone')
        assert.deepEqual([client.knownPeers, client.stats().pending], [[], 0])
        assert.equal(faults.length, answer.startsWith('by') ? 1 : 0)
      }))
  }

  for (const ending of ['break', 'close'] as const) {
    test(`${ending === 'break' ? 'a connection that ends' : 'close()'} while the gate is asked: a later yes changes nothing`, () =>
      knocking(async (world, door) => {
        const answer = signal<boolean>()
        const server = await world.open({ bind: 'knock:any', goodPeer: () => answer.promise })
        const refused = next(server, 'refused')
        const pipe = door.knock()
        if (ending === 'break') pipe.break()
        else await server.close()
        assert.equal((await refused).error.code, ending === 'break' ? 'PEER_GONE' : 'CLOSED')
        answer.give(true)
        await world.quiet()
        assert.deepEqual([server.knownPeers, server.stats().pending, pipe.destroyed], [[], 0, true])
      }))
  }

  test('a gate that closes the sock and says yes: no peer in a closed sock', () =>
    simulate(async (world) => {
      const client = world.sock({
        goodPeer: () => {
          void client.close()
          return true
        },
      })
      const server = await world.open({ bind: 'memory:a' })
      await assert.rejects(client.connectTo('memory:a'), { code: 'CLOSED' })
      await world.quiet()
      assert.deepEqual([client.knownPeers, server.knownPeers], [[], []])
    }))
})

describe('closePeer and knownPeers', GUARD, () => {
  test('closePeer really closes the socket: the far side sees it end', async (t) => {
    const server = await open(t, { bind: ANY })
    const client = await Plain.dial(t, at(server))
    const { peer } =
      server.knownPeers.length > 0 ? { peer: server.knownPeers[0]! } : await next(server, 'peer')
    const gone = next(server, 'gone')
    assert.deepEqual(server.closePeer(peer), { unsent: 0, unhandled: 0 })
    assert.equal(peer.state, 'gone')
    assert.equal((await gone).peer, peer)
    await client.everything
    client.socket.end()
    await client.closed
  })

  test('closePeer takes an address, and tells what was lost by it', () =>
    simulate(async (world) => {
      const server = await world.open({
        bind: 'memory:a',
        handlers: { 0: () => new Promise(() => undefined) },
      })
      const client = await world.open({ connect: 'memory:a' })
      for (let i = 0; i < 5; i++) await client.sendMsg(0, 'x')
      await world.quiet()
      // Not flushed yet: this turn's.
      void server.sendMsg(0, 'y')
      const [peer] = server.knownPeers
      assert.deepEqual(server.closePeer(peer!.address), { unsent: 1, unhandled: 4 })
      assert.deepEqual(peer!.stats().dropped, { closed: 5 })
    }))

  test('closePeer takes the address of a peer that is ending', () =>
    simulate(async (world) => {
      const server = await world.open({ bind: 'memory:a', handlers: { 0: () => undefined } })
      const client = await world.open({
        connect: 'memory:a',
        handlers: { 0: () => new Promise(() => undefined) },
      })
      await server.sendMsg(0, 'never answered')
      const [peer] = server.knownPeers
      void peer!.drain()
      await world.quiet()
      assert.deepEqual([peer!.state, server.knownPeers], ['ending', [peer]])
      server.closePeer(peer!.address)
      assert.deepEqual([peer!.state, server.knownPeers], ['gone', []])
      await client.close()
    }))

  test('knownPeers: in the order in which they came, without those that are gone', () =>
    simulate(async (world) => {
      const server = await world.open({ bind: 'memory:a' })
      const client = await world.open()
      const dialed = [
        await client.connectTo('memory:a'),
        await client.connectTo('memory:a'),
        await client.connectTo('memory:a'),
      ]
      const known = server.knownPeers
      assert.deepEqual(
        known.map(({ id }) => id),
        ['p1', 'p2', 'p3'],
      )
      dialed[1]!.close()
      await world.quiet()
      assert.deepEqual(server.knownPeers, [known[0], known[2]])
      assert.deepEqual(client.knownPeers, [dialed[0], dialed[2]])
      // A list that was given out does not change under its reader.
      assert.equal(known.length, 3)
    }))

  test('a peer’s signal is aborted when it is gone, and tells why', async (t) => {
    const { toClient, client } = await pair(t)
    assert.equal(toClient.signal.aborted, false)
    const aborted = new Promise((resolve) => toClient.signal.addEventListener('abort', resolve))
    await client.close()
    await aborted
    assert.equal((toClient.signal.reason as { code?: string }).code, 'PEER_GONE')
  })
})
