import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { memoryDatagrams } from '../../src/net/memory-datagrams.ts'
import type { DatagramWeather } from '../../src/net/memory-datagrams.ts'
import type { Datagrams, DatagramAddress } from '../../src/net/datagrams.ts'
import { SimPlatform } from '../../src/testing/sim-platform.ts'
import { datagramSuite, type World } from './datagram-suite.ts'

const simulated = (host: string, weather: (random: () => number) => DatagramWeather): World => {
  const platform = new SimPlatform(7)
  return {
    network: memoryDatagrams(platform, weather(platform.random)),
    host,
    ...(host.includes(':') ? {} : { broadcast: '255.255.255.255' }),
    group: { host: host.includes(':') ? 'ff02::123' : '239.1.2.3', on: host },
    run: (scenario) => platform.run(scenario),
  }
}

for (const host of ['127.0.0.1', '::1']) {
  datagramSuite(`in memory on ${host}`, () => simulated(host, () => ({})))
  // Latency that is drawn would let them overtake each other, which some of the suite rules out.
  datagramSuite(`in memory on ${host}, slowly`, () =>
    simulated(host, () => ({ latency: () => 20, hold: () => 3 })),
  )
}

describe('weather of datagrams', () => {
  const at = (port: number): DatagramAddress => ({
    address: `udp://127.0.0.1:${port}`,
    host: '127.0.0.1',
    port,
    family: 4,
  })

  /** Sends `n` numbered datagrams; what arrives, and when. */
  async function under(weather: DatagramWeather, n: number): Promise<[number, number][]> {
    const platform = new SimPlatform()
    const heard: [number, number][] = []
    await platform.run(async () => {
      const network = memoryDatagrams(platform, weather)
      const [near, far] = [await network.open(at(0), {}), await network.open(at(9), {})] as [
        Datagrams,
        Datagrams,
      ]
      far.attach({ message: ([i]) => heard.push([i ?? -1, platform.now()]), error: () => assert.fail() })
      for (let i = 0; i < n; i++) near.send(Uint8Array.of(i), at(9), () => undefined)
      await platform.sleep(1_000)
    })
    return heard
  }

  test('a datagram is under way for exactly its latency, and overtakes slower ones', async () => {
    const latencies = [30, 10, 20]
    assert.deepEqual(await under({ latency: () => latencies.shift() ?? 0 }, 3), [
      [1, 10],
      [2, 20],
      [0, 30],
    ])
  })

  test('copies: none is a loss, two a double', async () => {
    const copies = [1, 0, 2]
    const heard = await under({ copies: () => copies.shift() ?? 0 }, 3)
    assert.deepEqual(
      heard.map(([i]) => i),
      [0, 2, 2],
    )
  })

  test('copies may depend on the length, as a path that carries no fragments has it', async () => {
    assert.deepEqual(await under({ copies: (bytes) => (bytes > 0 ? 0 : 1) }, 2), [])
  })

  test('hold: one after another, each after its time, and send says so', async () => {
    const heard = await under({ hold: () => 5 }, 3)
    assert.deepEqual(heard, [
      [0, 5],
      [1, 10],
      [2, 15],
    ])
    const platform = new SimPlatform()
    await platform.run(async () => {
      const network = memoryDatagrams(platform, { hold: () => 5 })
      const near = await network.open(at(0), {})
      const results: (string | undefined)[] = []
      const taken = [1, 2].map(() =>
        near.send(Uint8Array.of(1), at(9), (error) =>
          results.push((error as { code?: string } | undefined)?.code),
        ),
      )
      assert.deepEqual(taken, [false, false])
      await platform.sleep(7)
      await near.close()
      await platform.sleep(100)
      assert.deepEqual(results, [undefined, 'SEND_FAILED'])
    })
  })

  test('limit: what is longer is TOO_LARGE', async () => {
    const platform = new SimPlatform()
    await platform.run(async () => {
      const network = memoryDatagrams(platform, { limit: 100 })
      const near = await network.open(at(0), {})
      const send = (n: number): Promise<string | undefined> =>
        new Promise((resolve) => {
          near.send(new Uint8Array(n), at(9), (error) =>
            resolve((error as { code?: string } | undefined)?.code),
          )
        })
      assert.deepEqual([await send(100), await send(101)], [undefined, 'TOO_LARGE'])
    })
  })

  test('two networks do not hear each other', async () => {
    const platform = new SimPlatform()
    await platform.run(async () => {
      const [one, other] = [memoryDatagrams(platform), memoryDatagrams(platform)]
      const far = await other.open(at(9), {})
      far.attach({ message: () => assert.fail('another network'), error: () => assert.fail() })
      const near = await one.open(at(9), {})
      near.send(Uint8Array.of(1), at(9), () => undefined)
      await platform.sleep(1_000)
    })
  })
})
