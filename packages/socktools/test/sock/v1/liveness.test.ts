/** Whether the far side lives: pings, half-open connections, writes that do not leave. On the simulated clock. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { call, msg } from '../../../src/index.ts'
import type { Pipe, PipeSink, PipeSock, Platform, SockError, Transport } from '../../../src/index.ts'
import { memory } from '../../../src/index.ts'
import { encodePing } from '../../../src/wire/v1/bodies.ts'
import * as kinds from '../../../src/wire/v1/frame.ts'
import { noCrashes } from '../../support/crashes.ts'
import { all, next } from '../../support/events.ts'
import { knocking } from '../../support/knock.ts'
import { GUARD } from '../../support/tcp.ts'
import { simulate, type World } from '../../support/world.ts'
import { far } from './far.ts'
import { pair } from './pair.ts'

noCrashes()

const protocol = { say: msg(z.string()), ask: call(z.number(), z.number()) }

/** A memory network whose cable can be cut: what is written then vanishes, and nobody is told. */
class Cable implements Transport {
  readonly scheme = 'cable'
  cut = false
  /** Bytes written by either side. */
  bytes = 0
  readonly #inner: Transport

  constructor(platform: Platform) {
    this.#inner = memory(platform)
  }

  async dial(to: URL, options: Parameters<Transport['dial']>[1]): Promise<Pipe> {
    return this.#over(await this.#inner.dial(new URL(to.href.replace('cable', 'memory')), options))
  }

  listen(at: URL, options: object, onPipe: (pipe: Pipe) => void): ReturnType<Transport['listen']> {
    const inner = new URL(at.href.replace('cable', 'memory'))
    return this.#inner.listen(inner, options, (pipe) => onPipe(this.#over(pipe)))
  }

  #over(pipe: Pipe): Pipe {
    return {
      remote: pipe.remote,
      attach: (sink: PipeSink) => pipe.attach(sink),
      write: (chunks) => {
        for (const { length } of chunks) this.bytes += length
        return this.cut ? true : pipe.write(chunks)
      },
      pause: () => pipe.pause(),
      resume: () => pipe.resume(),
      end: () => (this.cut ? undefined : pipe.end()),
      destroy: () => (this.cut ? undefined : pipe.destroy()),
    }
  }
}

type Ends = {
  server: PipeSock<never, typeof protocol>
  client: PipeSock<never, typeof protocol>
  cable: Cable
}

function cabled(options: object, scenario: (world: World, ends: Ends) => Promise<void>): Promise<void> {
  let cable: Cable | undefined
  return simulate(
    async (world) => {
      const server = await world.open({ protocol, bind: 'cable:a', handlers: { ask: (n) => n }, ...options })
      const client = await world.open({ protocol, ...options })
      await client.connectTo('cable:a')
      await scenario(world, { server, client, cable } as unknown as Ends)
    },
    { transports: (platform) => [(cable = new Cable(platform))] },
  )
}

describe('half-open', GUARD, () => {
  for (const [heartbeat, timeout] of [
    [15_000, 45_000],
    [1_000, 3_000],
    [5_000, 6_000],
  ] as const) {
    const within = `within heartbeat (${heartbeat}) + timeout (${timeout}) + 10 %, and not before the timeout`
    const noticed = (sessions: boolean): Promise<void> =>
      cabled({ heartbeat, timeout, sessions }, async (world, { server, client, cable }) => {
        // At an odd moment of both their clocks.
        await world.sim.sleep(heartbeat * 1.37)
        const gone = [server, client].map((sock) =>
          next(sock, sessions ? 'detached' : 'gone').then(
            ({ error }) => [error?.code, world.sim.now()] as const,
          ),
        )
        cable.cut = true
        const cutAt = world.sim.now()
        for (const [code, at] of await Promise.all(gone)) {
          assert.equal(code, 'IDLE_TIMEOUT')
          const took = at - cutAt
          assert.ok(took <= (heartbeat + timeout) * 1.1, `${took} ms`)
          assert.ok(took > timeout - heartbeat * 1.1, `${took} ms`)
        }
      })
    test(`is noticed on both sides ${within}: the session waits for another connection`, () => noticed(true))
    test(`is noticed on both sides ${within}: without sessions that is the end`, () => noticed(false))
  }

  test('an open call is OUTCOME_UNKNOWN by then', () =>
    cabled({ callTimeout: 0, sessions: false }, async (world, { client, cable }) => {
      cable.cut = true
      const asked = client.knownPeers[0]
        ?.request('ask', 1)
        .then(String, (error: unknown) => (error as SockError).code)
      assert.equal(await asked, 'OUTCOME_UNKNOWN')
      assert.ok(world.sim.now() <= 66_000, `${world.sim.now()} ms`)
    }))

  test('two that are silent and well stay together for a day', () =>
    cabled({}, async (world, { server, client, cable }) => {
      const before = cable.bytes
      await world.sim.sleep(86_000_000)
      assert.deepEqual([server.stats().peers, client.stats().peers], [1, 1])
      const rounds = 86_000_000 / 15_000
      // One PING and one PONG of 40 bytes in each round is enough for both, two of each at the most.
      const bytes = cable.bytes - before
      assert.ok(bytes >= rounds * 80 * 0.9 && bytes <= rounds * 160 * 1.1, `${bytes} bytes`)
    }))
})

describe('pings', GUARD, () => {
  test('to one that is silent for a heartbeat, at most two without a sign; it is answered at once', () =>
    knocking(async (world, door) => {
      const { far: dialer } = await far(world, door, protocol, { heartbeat: 1_000, timeout: 60_000 })
      await world.sim.sleep(900)
      assert.equal(dialer.of('PING').length, 0)
      await world.sim.sleep(200)
      assert.equal(dialer.of('PING').length, 1)
      await world.sim.sleep(20_000)
      assert.equal(dialer.of('PING').length, 2)
      assert.equal(dialer.of('PING')[0]?.body.readUInt32BE(0), 60_000, 'it tells when it gives up')
      // Any byte is a sign, half a frame as well.
      dialer.pipe.say(Uint8Array.of(0))
      await world.sim.sleep(1_100)
      assert.equal(dialer.of('PING').length, 3)
    }))

  test('are answered at once with the same twelve bytes, whatever else waits', () =>
    knocking(async (world, door) => {
      const { far: dialer, peer } = await far(world, door, protocol)
      for (let i = 0; i < 30; i++) peer.sendMsg('say', 'x'.repeat(100_000)).catch(() => undefined)
      const ping = encodePing({ ttl: 45_000, nonce: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) })
      dialer.send(kinds.PING, {}, ping)
      await world.quiet()
      assert.deepEqual(
        dialer.of('PONG').map(({ body }) => Buffer.from(body)),
        [Buffer.from(ping)],
      )
    }))

  test('a busy peer is not pinged', () =>
    knocking(async (world, door) => {
      const { far: dialer } = await far(world, door, protocol, {
        heartbeat: 1_000,
        handlers: { say: () => undefined },
      })
      for (let i = 0; i < 30; i++) {
        dialer.send(kinds.EVENT, { lane: 1, type: 1 }, '"x"')
        await world.sim.sleep(900)
      }
      assert.equal(dialer.of('PING').length, 0)
    }))

  test('heartbeat 0 and timeout 0: none, and no end', () =>
    knocking(async (world, door) => {
      const { far: dialer, server } = await far(world, door, protocol, {
        heartbeat: 0,
        timeout: 0,
        stallTimeout: 0,
      })
      await world.sim.sleep(10_000_000)
      assert.deepEqual([dialer.heard, server.stats().peers], [[], 1])
    }))

  test('a handler that takes its time is no silence: the peer is read meanwhile', () =>
    simulate(async (world) => {
      const { there, client, server } = await pair(world, protocol, {
        handlers: { say: () => world.sim.sleep(200_000) },
      })
      for (let i = 0; i < 3; i++) await there.sendMsg('say', 'x')
      await world.sim.sleep(500_000)
      assert.deepEqual([server.stats().peers, client.stats().peers], [1, 1])
      await world.sim.sleep(200_000)
    }))
})

describe('a write that does not leave', GUARD, () => {
  test('ends the peer with WRITE_STALLED, within half as long again', () =>
    knocking(async (world, door) => {
      const { far: dialer, peer, server } = await far(world, door, protocol, { stallTimeout: 2_000 })
      const gone = all(server, 'gone')
      dialer.pipe.stuck = true
      await peer.sendMsg('say', 'x')
      // It lives as far as reading goes.
      for (let ms = 0; ms < 1_900; ms += 100) {
        dialer.send(kinds.PONG, { ack: 0 }, new Uint8Array(12))
        await world.sim.sleep(100)
      }
      assert.equal(gone.length, 0)
      for (let ms = 0; ms < 1_300; ms += 100) {
        dialer.send(kinds.PONG, { ack: 0 }, new Uint8Array(12))
        await world.sim.sleep(100)
      }
      assert.deepEqual(
        gone.map(({ error }) => error?.code),
        ['WRITE_STALLED'],
      )
      assert.equal(dialer.pipe.broken, false)
    }))

  test('one that goes slowly is no stall', () =>
    knocking(async (world, door) => {
      const { far: dialer, peer, server } = await far(world, door, protocol, { stallTimeout: 2_000 })
      dialer.pipe.stuck = true
      for (let i = 0; i < 20; i++) {
        await peer.sendMsg('say', 'x')
        await world.sim.sleep(1_500)
        dialer.pipe.drain()
      }
      assert.equal(server.stats().peers, 1)
    }))
})
