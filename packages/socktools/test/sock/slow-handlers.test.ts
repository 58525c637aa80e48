/** Decision 5: what a slow handler costs is its own peer's time, and bounded memory. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { noCrashes } from '../support/crashes.ts'
import { all, next, signal, type Signal, turn } from '../support/events.ts'
import { knocking } from '../support/knock.ts'
import { frame, GUARD, pair, pattern } from '../support/tcp.ts'
import { simulate } from '../support/world.ts'

noCrashes()

describe('a slow handler', GUARD, () => {
  /** Each takes 100 bytes, and 64 more for waiting. */
  const message = pattern(100)

  test('pauses its pipe above readMark, and reads on when half of it is handled', () =>
    knocking(async (world, door) => {
      const ends: Signal[] = []
      const handler = (): Promise<void> => {
        const end = signal()
        ends.push(end)
        return end.promise
      }
      await world.open({ bind: 'knock:any', readMark: 10 * 228, handlers: { 0: handler } })
      const pipe = door.knock()
      await world.quiet()
      assert.equal(pipe.paused, false)
      // The first is being handled and waits no more.
      for (let i = 0; i < 11; i++) pipe.say(frame(message))
      assert.equal(pipe.paused, false)
      pipe.say(frame(message))
      assert.equal(pipe.paused, true)
      for (let handled = 1; handled <= 6; handled++) {
        assert.equal(pipe.paused, true, `${handled - 1} handled`)
        ends[handled - 1]!.give()
        await world.quiet()
      }
      assert.equal(pipe.paused, false, 'five wait')
    }))

  test('memory stays bounded on both sides, whatever is offered, and nothing is lost', () =>
    simulate(async (world) => {
      let handled = 0
      const handler = async (): Promise<void> => {
        await world.sim.sleep(1)
        handled++
      }
      const server = await world.open({ bind: 'memory:a', readMark: 100_000, handlers: { 0: handler } })
      const client = await world.open({ connect: 'memory:a', highWaterMark: 200_000 })
      let [waiting, queued] = [0, 0]
      for (let i = 0; i < 5_000; i++) {
        await client.sendMsg(0, pattern(10_000))
        waiting = Math.max(waiting, server.stats().waiting * 10_000)
        queued = Math.max(queued, client.stats().queued)
      }
      assert.ok(handled < 4_980, 'the sender was held back by the handler')
      // One message, or one write in flight, beyond the mark.
      assert.ok(waiting < 100_000 + 200_000, `${waiting} bytes waited`)
      assert.ok(queued < 200_000 + 20_000, `${queued} bytes were queued`)
      await client.drain({ timeout: 3_600_000 })
      await server.drain({ timeout: 3_600_000 })
      assert.equal(handled, 5_000)
    }))

  test('empty messages count as well: a flood of them is bounded', () =>
    knocking(async (world, door) => {
      const server = await world.open({
        bind: 'knock:any',
        readMark: 64_000,
        handlers: { 0: () => new Promise(() => undefined) },
      })
      const pipe = door.knock()
      await world.quiet()
      for (let i = 0; i < 100_000 && !pipe.paused; i++) pipe.say(Buffer.alloc(4))
      assert.equal(pipe.paused, true)
      assert.equal(server.stats().waiting, 501)
    }))

  test('meanwhile idle and frame deadlines stand still: the far side cannot help it', () =>
    knocking(async (world, door) => {
      const end = signal()
      const server = await world.open({
        bind: 'knock:any',
        readMark: 0,
        timeout: 5_000,
        frameGrace: 2_000,
        handlers: { 0: () => end.promise },
      })
      const [late, gone] = [all(server, 'gone'), next(server, 'gone')]
      const pipe = door.knock()
      await world.quiet()
      pipe.say(frame('being handled'))
      // The next, which waits, and the beginning of a third.
      pipe.say(Buffer.concat([frame('waits'), frame('begun').subarray(0, 6)]))
      assert.equal(pipe.paused, true)
      await world.sim.sleep(3_600_000)
      assert.deepEqual(late, [])
      end.give()
      await world.quiet()
      assert.equal(pipe.paused, false)
      // Both clocks go on from where they stood: with the whole grace of the frame still to come.
      const resumed = world.sim.now()
      assert.equal((await gone).error?.code, 'FRAME_STALLED')
      const after = world.sim.now() - resumed
      assert.ok(after >= 1_990 && after <= 2_100, `${after} ms after`)
    }))

  test('on TCP: the sender is held back by the handler, and the far side loses nothing', async (t) => {
    const [begun, end] = [signal(), signal()]
    let handled = 0
    const handler = async (): Promise<void> => {
      begun.give()
      await end.promise
      handled++
    }
    const { server, client } = await pair(t, { handlers: { 0: handler } }, { maxQueue: 2 ** 30 })
    const payload = pattern(1_000_000)
    // Far more than the kernel and both marks take.
    const sends = Array.from({ length: 64 }, () => client.sendMsg(0, payload, { to: client.knownPeers[0]! }))
    await begun.promise
    // All that can leave has left when the queue no longer shrinks between two looks at it, with the loop idle between.
    for (let before = -1; before !== client.stats().queued; ) {
      before = client.stats().queued
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    assert.ok(client.stats().queued > 30_000_000, `${client.stats().queued} still wait at the sender`)
    assert.ok(server.stats().waiting <= 3)
    end.give()
    await Promise.all(sends)
    await client.drain()
    await server.drain()
    assert.equal(handled, 64)
  })

  test('what was handled is let go of, though the peer stays', async (t) => {
    setFlagsFromString('--expose-gc')
    const gc = runInNewContext('gc') as () => void
    const payloads: WeakRef<Uint8Array>[] = []
    const handler = (data: Uint8Array): Promise<void> => {
      payloads.push(new WeakRef(data))
      return turn()
    }
    const { client, server } = await pair(t, { handlers: { 0: handler } })
    for (let i = 0; i < 600; i++) await client.sendMsg(0, pattern(50_000))
    while (payloads.length < 600 || server.stats().waiting > 0) await turn()
    // The last one's handler, and a turn for the WeakRefs, which hold their targets until it is over.
    await turn()
    await turn()
    gc()
    const alive = payloads.filter((ref) => ref.deref() !== undefined).length
    assert.ok(alive < 20, `${alive} of 600 payloads are still held`)
  })
})
