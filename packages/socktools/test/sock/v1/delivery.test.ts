/** Delivery classes: what becomes of a message that cannot leave at once. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { bytes, latest, msg, type Receipt, type SockError, ttl } from '../../../src/index.ts'
import { noCrashes } from '../../support/crashes.ts'
import { all } from '../../support/events.ts'
import { knocking } from '../../support/knock.ts'
import { GUARD } from '../../support/tcp.ts'
import { type CutPair, cutPair } from './cut-pair.ts'
import { far } from './far.ts'

noCrashes()

const Place = z.object({ id: z.string(), x: z.number() })
const protocol = {
  say: msg(z.string()),
  pos: msg(Place, { delivery: 'volatile' }),
  frame: msg(bytes(), { delivery: 'volatile' }),
  at: msg(Place, { delivery: latest(({ id }) => id) }),
  state: msg(z.number(), { delivery: latest() }),
  photo: msg(bytes(), { delivery: latest() }),
  alarm: msg(z.string(), { delivery: ttl(1000) }),
  film: msg(bytes(), { delivery: ttl(1000) }),
}
type Noted = CutPair<typeof protocol> & {
  /** What the server heard: of bytes, how many. */
  readonly heard: unknown[]
}

/** A client and a server that notes all that it hears. */
function noted(scenario: (pair: Noted) => Promise<void>): Promise<void> {
  const heard: unknown[] = []
  const note = (data: unknown): void => void heard.push(data instanceof Uint8Array ? data.length : data)
  const handlers = Object.fromEntries(Object.keys(protocol).map((name) => [name, note]))
  return cutPair(protocol, (pair) => scenario({ ...pair, heard }), { serving: { handlers } })
}

const statuses = async (receipts: readonly Receipt[]): Promise<string[]> =>
  (await Promise.all(receipts.map(({ outcome }) => outcome))).map((one) =>
    one.status === 'delivered' ? 'delivered' : one.reason,
  )
const reasons = (dropped: readonly { reason: string; messages: number }[]): unknown[] =>
  dropped.map(({ reason, messages }) => [reason, messages])
const place = (id: string, x: number): { id: string; x: number } => ({ id, x })

describe('volatile', GUARD, () => {
  test('arrives while there is a connection; what it leaves is not acknowledged', () =>
    noted(async ({ world, there, heard }) => {
      const receipt = there.send('pos', place('a', 1))
      await receipt.accepted
      assert.deepEqual(await receipt.outcome, { status: 'unknown', reason: 'volatile' })
      await there.sendMsg('pos', place('a', 2))
      await world.quiet()
      assert.deepEqual(heard, [place('a', 1), place('a', 2)])
    }))

  test('while the peer is detached it is dropped, and does not come later', () =>
    noted(async ({ world, cuts, client, there, part, heard }) => {
      const dropped = all(client, 'dropped')
      await part()
      await there.sendMsg('pos', place('a', 1))
      await client.sendMsg('pos', place('a', 2), { to: [there] })
      await there.sendMsg('say', 'later')
      assert.deepEqual(await statuses([there.send('pos', place('a', 3))]), ['away'])
      cuts.refuse = false
      await world.sim.sleep(1000)
      assert.deepEqual(heard, ['later'])
      assert.deepEqual(reasons(dropped), [['away', 3]])
      assert.deepEqual(there.stats().dropped, { away: 3 })
    }))

  test('what left with the connection that broke is not sent again', () =>
    noted(async ({ world, cuts, there, heard }) => {
      void there.sendMsg('pos', place('a', 1))
      void there.sendMsg('say', 'kept')
      cuts.cut()
      await world.sim.sleep(1000)
      assert.deepEqual(heard, ['kept'])
    }))

  test('over its mark a peer misses it, and nothing rejects', () =>
    knocking(async (world, door) => {
      const { server, peer, far: other } = await far(world, door, protocol, { highWaterMark: 100_000 })
      const dropped = all(server, 'dropped')
      other.pipe.stuck = true
      const first = peer.send('frame', new Uint8Array(50_000))
      await world.quiet()
      const fill = [1, 2, 3].map(() => peer.send('frame', new Uint8Array(50_000)))
      await world.quiet()
      assert.deepEqual(await statuses([first, ...fill]), ['volatile', 'volatile', 'slow', 'slow'])
      assert.equal(await world.stateOf(fill[2]!.accepted), 'resolved')
      assert.deepEqual(reasons(dropped), [['slow', 2]])
    }))

  test('one that waits when the connection breaks is dropped; so is one of which part has left', () =>
    noted(async ({ world, cuts, there, heard }) => {
      // Three chunks go, as much as the outbox takes; then one waits that has not begun.
      const receipts = [1, 2].map(() => there.send('frame', new Uint8Array(400_000)))
      cuts.cut()
      assert.deepEqual(await statuses(receipts), ['away', 'away'])
      await there.sendMsg('say', 'next')
      await world.sim.sleep(1000)
      assert.deepEqual(heard, ['next'])
      assert.deepEqual(there.stats().dropped, { away: 2 })
    }))
})

describe('latest', GUARD, () => {
  test('only the newest for each key waits, at the end of the queue', () =>
    noted(async ({ world, cuts, client, there, part, heard }) => {
      const dropped = all(client, 'dropped')
      await part()
      const receipts = [
        there.send('at', place('a', 1)),
        there.send('at', place('b', 1)),
        there.send('at', place('a', 2)),
        there.send('state', 1),
        there.send('state', 2),
      ]
      await client.sendMsg('state', 3, { to: [there] })
      await there.sendMsg('at', place('a', 3))
      cuts.refuse = false
      const ends = ['replaced', 'delivered', 'replaced', 'replaced', 'replaced']
      assert.deepEqual(await statuses(receipts), ends)
      await world.sim.sleep(1000)
      assert.deepEqual(heard, [place('b', 1), 3, place('a', 3)])
      assert.deepEqual(reasons(dropped), [['replaced', 4]])
    }))

  test('while nothing has to wait all of them arrive, and what has left is not replaced', () =>
    noted(async ({ cuts, there, part, heard }) => {
      const receipts = [1, 2, 3].map((n) => there.send('state', n))
      await part()
      receipts.push(there.send('state', 4))
      cuts.refuse = false
      assert.deepEqual(await statuses(receipts), ['delivered', 'delivered', 'delivered', 'delivered'])
      assert.deepEqual(heard, [1, 2, 3, 4])
    }))

  test('one of which part has left is finished, and the newer one comes after it', () =>
    noted(async ({ cuts, there, part, heard }) => {
      const receipts = [there.send('photo', new Uint8Array(500_000))]
      await part()
      for (const n of [1, 2]) receipts.push(there.send('photo', new Uint8Array(n)))
      cuts.refuse = false
      assert.deepEqual(await statuses(receipts), ['delivered', 'replaced', 'delivered'])
      assert.deepEqual(heard, [500_000, 2])
    }))

  test('where the queue is full, a newer one takes the place of the older one, or leaves it alone', () =>
    cutPair(
      protocol,
      async ({ there, part }) => {
        await part()
        const old = there.send('photo', new Uint8Array(300_000))
        const large = there.send('photo', new Uint8Array(500_000))
        assert.equal(await large.accepted.catch((error: unknown) => (error as SockError).code), 'SLOW_PEER')
        void there.send('photo', new Uint8Array(350_000))
        assert.deepEqual(await statuses([old, large]), ['replaced', 'slow'])
      },
      { asking: { highWaterMark: 200_000, maxQueue: 400_000 } },
    ))

  test('a key that is none is BAD_OPTION, and nothing is sent', () => {
    const wrong = {
      object: msg(Place, { delivery: latest((data) => data as never) }),
      throws: msg(Place, {
        delivery: latest(() => {
          throw new Error('no key')
        }),
      }),
    }
    return cutPair(wrong, async ({ client, there }) => {
      for (const type of ['object', 'throws'] as const) {
        const { accepted, outcome } = there.send(type, place('a', 1))
        await assert.rejects(accepted, {
          code: 'BAD_OPTION',
          message: /the key of latest\(\) of "(object|throws)"/,
        })
        assert.deepEqual(await outcome, { status: 'not-delivered', reason: 'unsendable' })
        await assert.rejects(client.sendMsg(type, place('a', 1), { to: [there] }), { code: 'BAD_OPTION' })
      }
    })
  })
})

describe('ttl', GUARD, () => {
  test('what waits for longer is dropped, what is in time arrives', () =>
    noted(async ({ world, cuts, client, there, part, heard }) => {
      const dropped = all(client, 'dropped')
      await part()
      const receipts = [there.send('alarm', 'old'), there.send('say', 'kept')]
      await world.sim.sleep(600)
      receipts.push(there.send('alarm', 'new'))
      await world.sim.sleep(600)
      cuts.refuse = false
      assert.deepEqual(await statuses(receipts), ['expired', 'delivered', 'delivered'])
      assert.deepEqual(heard, ['kept', 'new'])
      assert.deepEqual(reasons(dropped), [['expired', 1]])
    }))

  test('one that has begun to leave is never dropped: sent again, and finished', () =>
    noted(async ({ world, cuts, there, part, heard }) => {
      const receipts = [there.send('film', new Uint8Array(500_000)), there.send('alarm', 'behind it')]
      await part()
      await world.sim.sleep(5000)
      cuts.refuse = false
      assert.deepEqual(await statuses(receipts), ['delivered', 'expired'])
      await world.sim.sleep(1000)
      assert.deepEqual(heard, [500_000])
      assert.deepEqual(there.stats().dropped, { expired: 1 })
    }))

  test('one that waited, began to leave in time and was cut off is finished, too', () =>
    noted(async ({ world, cuts, there, part, heard }) => {
      await part()
      const receipts = [there.send('film', new Uint8Array(500_000)), there.send('alarm', 'behind it')]
      // One connection, which takes part of it.
      cuts.plan(() => {
        cuts.refuse = true
        return 100_000
      })
      cuts.refuse = false
      await world.sim.sleep(20)
      const { queued } = there.stats()
      assert.ok(queued > 0 && queued < 500_000, `${queued} bytes wait`)
      await world.sim.sleep(5000)
      cuts.plan(() => Infinity)
      cuts.refuse = false
      assert.deepEqual(await statuses(receipts), ['delivered', 'expired'])
      await world.sim.sleep(1000)
      assert.deepEqual(heard, [500_000])
    }))

  test('who waits for room goes on when what waited has expired', () =>
    cutPair(
      protocol,
      async ({ world, there, part }) => {
        await part()
        const waits = there.sendMsg('film', new Uint8Array(300_000))
        assert.equal(await world.stateOf(waits), 'waits')
        await world.sim.sleep(1100)
        assert.equal(await world.stateOf(waits), 'resolved')
        assert.equal(there.stats().queued, 0)
      },
      { asking: { highWaterMark: 200_000 } },
    ))
})
