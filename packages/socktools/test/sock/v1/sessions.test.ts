/** Sessions: what is underway when a connection breaks goes on over the next one. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { call, channel, feed, msg } from '../../../src/index.ts'
import { cuttable } from '../../support/cuts.ts'
import { simulate } from '../../support/world.ts'

const protocol = {
  say: msg(z.number()),
  double: call(z.number(), z.number()),
  slow: call(z.number(), z.number()),
  count: feed(z.number(), z.number()),
  echo: channel(z.number(), z.number()),
}

describe('a session', () => {
  test('goes on over another connection: nothing is lost, nothing comes twice, all in order', () =>
    simulate(async (world) => {
      const cuts = cuttable(world.transports[0]!)
      const got: number[] = []
      const server = await world.open({
        protocol,
        bind: 'memory:a',
        handlers: { say: (n) => void got.push(n), double: (n) => 2 * n },
      })
      const client = world.sock({ protocol }, world.platform, [cuts.transport])
      const events: string[] = []
      for (const name of ['detached', 'resumed', 'gone'] as const) client.on(name, () => events.push(name))
      const peer = await client.connectTo('memory:a')
      for (let n = 0; n < 100; n++) {
        await peer.sendMsg('say', n)
        if (n % 10 === 5) cuts.cut()
        if (n % 10 === 7) await world.sim.sleep(500)
      }
      assert.equal(await peer.request('double', 21), 42)
      assert.deepEqual(got, Array.from({ length: 100 }, (_, n) => n))
      assert.equal(server.knownPeers.length, 1)
      assert.deepEqual(events.slice(0, 4), ['detached', 'resumed', 'detached', 'resumed'])
      assert.equal(peer.state, 'open')
    }))
})
