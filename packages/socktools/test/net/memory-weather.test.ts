/** What the memory transport alone can do: weather, on a clock that stands still until it is moved. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseAddress } from '../../src/address.ts'
import { memory, type Weather } from '../../src/net/memory.ts'
import { SimPlatform } from '../../src/testing/sim-platform.ts'
import { pattern } from '../wire/bytes.ts'
import { Side } from './side.ts'

const at = parseAddress('memory:here')

/** Runs `scenario` with both ends of a connection, the accepted one resumed. */
function under(
  weather: Weather,
  scenario: (ends: { near: Side; far: Side }, platform: SimPlatform) => Promise<void>,
): Promise<void> {
  const platform = new SimPlatform()
  return platform.run(async () => {
    const transport = memory(platform, weather)
    const accepted = new Promise<Side>((resolve) => {
      void transport.listen(at, {}, (pipe) => resolve(new Side(pipe)))
    })
    const near = new Side(await transport.dial(at, {}))
    const far = await accepted
    far.resume()
    await scenario({ near, far }, platform)
  })
}

describe('weather', () => {
  test('a chunk is under way for exactly its latency', () =>
    under({ latency: () => 30 }, async ({ near, far }, platform) => {
      const began = platform.now()
      near.write(pattern(10))
      await far.until(() => far.bytes === 10)
      assert.equal(platform.now() - began, 30)
    }))

  test('chunks keep their order, whatever latencies are drawn', () => {
    const latencies = [0, 50, 10, 0, 40]
    return under({ latency: () => latencies.shift() ?? 0 }, async ({ near, far }) => {
      for (let i = 0; i < 4; i++) near.write(Uint8Array.of(i))
      near.end()
      await far.until(() => far.ends === 1)
      assert.deepEqual([...far.read()], [0, 1, 2, 3])
    })
  })

  test('a chunk comes in slices of the sizes drawn, never of none', () => {
    const sizes = [1, 2, 0, 1.9, 3]
    return under({ slice: () => sizes.shift() ?? 100 }, async ({ near, far }) => {
      near.write(pattern(20))
      await far.until(() => far.bytes === 20)
      assert.deepEqual(
        far.chunks.map(({ length }) => length),
        [1, 2, 1, 1, 3, 12],
      )
      assert.equal(Buffer.compare(far.read(), pattern(20)), 0)
    })
  })

  test('a connection that breaks takes as long as a chunk to tell', () =>
    under({ latency: () => 30 }, async ({ near, far }, platform) => {
      far.pause()
      near.write(pattern(10))
      await platform.sleep(100)
      far.destroy()
      await near.until(() => near.closes.length === 1)
      assert.equal(platform.now(), 160)
      assert.match(String(near.closes[0]), /reset/)
    }))

  test('an abort ends a dial at once, however far its answer is', async () => {
    const platform = new SimPlatform()
    await platform.run(async () => {
      const aborter = new AbortController()
      const dialing = memory(platform, { latency: () => 3_600_000 }).dial(at, { signal: aborter.signal })
      platform.setTimer(() => aborter.abort('why'), 50)
      await assert.rejects(dialing, { code: 'ABORTED', cause: 'why', address: 'memory:here' })
      assert.equal(platform.now(), 50)
    })
  })

  test('a listener never hears of a dial that was aborted', async () => {
    const platform = new SimPlatform()
    await platform.run(async () => {
      const transport = memory(platform, { latency: () => 30 })
      await transport.listen(at, {}, () => assert.fail('it was given up'))
      const aborter = new AbortController()
      const dialing = transport.dial(at, { signal: aborter.signal })
      aborter.abort()
      await assert.rejects(dialing, { code: 'ABORTED' })
      await platform.sleep(100)
    })
  })
})

describe('memory', () => {
  test('two transports are two networks', async () => {
    const platform = new SimPlatform()
    await platform.run(async () => {
      const [one, other] = [memory(platform), memory(platform)]
      await one.listen(at, {}, () => undefined)
      await assert.rejects(other.dial(at, {}), { code: 'CONNECT_FAILED' })
      await other.listen(at, {}, () => undefined)
    })
  })

  test('what cannot be an address is BAD_ADDRESS', async () => {
    for (const text of ['memory:', 'memory://host/name', 'memory:%zz']) {
      const transport = memory(new SimPlatform())
      await assert.rejects(transport.dial(new URL(text), {}), { code: 'BAD_ADDRESS' }, text)
      await assert.rejects(
        transport.listen(new URL(text), {}, () => undefined),
        { code: 'BAD_ADDRESS' },
        text,
      )
    }
  })
})
