/** Functions of the application that throw or reject: contained, reported as `fault`, and the peer lives on. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type PipeSock, json, type Peer, type SockEvents } from '../../src/index.ts'
import { coded } from '../support/coded.ts'
import { noCrashes } from '../support/crashes.ts'
import { all, Arrivals, next } from '../support/events.ts'
import { GUARD } from '../support/tcp.ts'
import { simulate, type World } from '../support/world.ts'

noCrashes()

const two = async (world: World): Promise<{ server: PipeSock; client: PipeSock; peer: Peer }> => {
  const server = await world.open({ bind: 'memory:a' })
  const client = await world.open()
  return { server, client, peer: await client.connectTo('memory:a') }
}

describe('functions of yours that fail', GUARD, () => {
  const boom = (): never => {
    throw new Error('boom')
  }
  const reject = (): Promise<never> => Promise.reject(new Error('boom'))

  for (const [how, fail] of [
    ['throws', boom],
    ['rejects', reject],
  ] as const) {
    const places: [string, (sock: PipeSock) => void][] = [
      ['handler', (sock) => void sock.addHandler(0, fail)],
      ['one of several handlers', (sock) => [fail, fail].forEach((fn) => sock.addHandler(0, fn))],
      ['middleware', (sock) => void sock.use(fail)],
      ['listener', (sock) => void sock.on('unhandled', fail)],
    ]
    for (const [place, install] of places) {
      test(`a ${place} that ${how} is contained and reported as a fault; the peer lives on`, () =>
        simulate(async (world) => {
          const { server, client } = await two(world)
          const faults: SockEvents['fault'][] = all(server, 'fault')
          install(server)
          await client.sendMsg(0, 'one')
          await client.sendMsg(0, 'two')
          await world.quiet()
          const each = place === 'one of several handlers' ? 2 : 1
          assert.equal(faults.length, 2 * each)
          for (const { error, peer } of faults) {
            assert.ok(coded('HANDLER_FAILED', /boom.*your own function/)(error))
            assert.equal((error.cause as Error).message, 'boom')
            assert.equal(peer, place === 'listener' ? undefined : server.knownPeers[0])
          }
          assert.deepEqual([server.stats().faults, server.stats().messagesIn], [2 * each, 2])
          const answered = new Arrivals()
          client.addHandler(0, answered.push)
          await server.sendMsg(0, 'alive')
          await world.quiet()
          assert.deepEqual(answered.list, ['alive'])
        }))
    }

    test(`a listener of every event that ${how} harms nobody`, () =>
      simulate(async (world) => {
        const names = [
          'listening',
          'peer',
          'gone',
          'refused',
          'dialFailed',
          'dropped',
          'invalid',
          'unhandled',
          'closed',
        ] as const
        const server = world.sock({ bind: 'memory:a', connect: 'memory:nobody', codec: json() })
        const faults = all(server, 'fault')
        const seen = new Set<string>()
        for (const name of names) {
          server.on(name, fail)
          // Those after it still hear of the event.
          server.on(name, () => void seen.add(name))
        }
        await server.start()
        const client = await world.open({ connect: 'memory:a' })
        await client.sendMsg(0, 'no JSON')
        await client.sendMsg(0, '[0,0]')
        await world.quiet()
        void server.sendMsg(0, 5n)
        await client.close()
        await world.quiet()
        const refusing = await world.open({ bind: 'memory:b', goodAddress: () => false })
        refusing.on('refused', fail)
        const refusals = all(refusing, 'fault')
        await (await world.open()).connectTo('memory:b')
        await world.quiet()
        assert.equal(refusals.length, 1)
        await server.close()
        await world.quiet()
        assert.deepEqual(
          names.filter((name) => !seen.has(name)),
          ['refused'],
        )
        const where = new Set(faults.map((fault) => fault.in))
        assert.equal(where.size, names.length - 1)
      }))

    test(`a listener of fault that ${how}: the last resort hears of it, and nothing loops`, () =>
      simulate(async (world) => {
        const { server, client } = await two(world)
        server.on('fault', fail)
        server.addHandler(0, fail)
        await client.sendMsg(0, 'x')
        await world.quiet()
        assert.deepEqual(
          world.sim.reports.splice(0).map((error) => 'code' in error && error.code),
          ['HANDLER_FAILED'],
        )
        assert.equal(server.stats().faults, 1)
      }))

    test(`a logger that ${how} harms nobody`, () =>
      simulate(async (world) => {
        const log = fail as () => void
        const logger = { debug: log, info: log, warn: log, error: log }
        const got = new Arrivals()
        const server = await world.open({ bind: 'memory:a', logger, handlers: { 0: got.push } })
        const client = await world.open({ connect: 'memory:a' })
        await client.sendMsg(0, 'x')
        await world.quiet()
        assert.deepEqual(got.list, ['x'])
        await server.close()
        await world.quiet()
        // The logger could not be told that the logger failed.
        assert.ok(world.sim.reports.splice(0).length > 0)
      }))
  }

  test('a fault that nobody listens for goes to the last resort: it does not vanish', () =>
    simulate(async (world) => {
      const { server, client } = await two(world)
      server.addHandler(0, boom)
      await client.sendMsg(0, 'x')
      await world.quiet()
      const [report] = world.sim.reports.splice(0)
      assert.ok(coded('HANDLER_FAILED', /handler: boom/)(report))
    }))

  test('whatever is thrown: a string, nothing, an object that cannot be printed', () =>
    simulate(async (world) => {
      const unprintable = { toString: boom }
      const { server, client } = await two(world)
      const faults = all(server, 'fault')
      const thrown = ['text', undefined, unprintable, Object.create(null), Symbol('x')] as const
      let i = 0
      server.addHandler(0, () => {
        throw thrown[i++]
      })
      for (const _ of thrown) await client.sendMsg(0, 'x')
      await world.quiet()
      assert.deepEqual(
        faults.map(({ error }) => error.cause),
        thrown,
      )
    }))

  test('a codec whose decode throws: `invalid`, and the next message is read', () =>
    simulate(async (world) => {
      const handled: unknown[] = []
      const server = await world.open({
        bind: 'memory:a',
        codec: json(),
        handlers: { say: (data) => handled.push(data) },
      })
      const invalid = all(server, 'invalid')
      const client = await world.open({ connect: 'memory:a' })
      for (const payload of ['{', '[]', '[null,1]', `["say",${'['.repeat(100)}`, '["say","fine"]'])
        await client.sendMsg(0, payload)
      await world.quiet()
      assert.deepEqual(handled, ['fine'])
      assert.deepEqual(
        invalid.map(({ error }) => error.code),
        Array.from({ length: 4 }, () => 'BAD_MESSAGE'),
      )
      assert.deepEqual([server.stats().invalid, server.knownPeers.length], [4, 1])
    }))

  test('a middleware that calls next() twice, or late, is its own affair', () =>
    simulate(async (world) => {
      const { server, client } = await two(world)
      const got = new Arrivals()
      server.addHandler(0, got.push)
      server.use((_message, _context, next) => {
        void next()
        return next()
      })
      await client.sendMsg(0, 'x')
      await world.quiet()
      assert.deepEqual(got.list, ['x', 'x'])
    }))

  test('no event has the power of Node’s `error`', () =>
    simulate(async (world) => {
      const server = await world.open({ bind: 'memory:a', maxFrame: 1 })
      const client = await world.open({ connect: 'memory:a' })
      // Nobody listens to anything of the server.
      await client.sendMsg(0, 'too long for it')
      await next(client, 'gone')
      assert.deepEqual(server.stats().failed, { FRAME_TOO_LARGE: 1 })
    }))
})
