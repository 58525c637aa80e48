import { SimPlatform } from '../../src/testing/sim-platform.ts'
import { memory, type Weather } from '../../src/net/memory.ts'
import { type World, transportSuite } from './transport-suite.ts'

const simulated = (weather: (random: () => number) => Weather): World => {
  const platform = new SimPlatform(7)
  return {
    transport: memory(platform, weather(platform.random)),
    free: () => 'memory:here',
    run: (scenario) => platform.run(scenario),
  }
}

transportSuite('memory on a simulated platform', () => simulated(() => ({})))

transportSuite('memory with latency, in slices', () =>
  simulated((random) => ({ latency: () => random() * 50, slice: () => 1 + random() * 4000 })),
)
