import type { Platform } from '../../src/platform/platform.ts'
import type { SimPlatform } from '../../src/testing/sim-platform.ts'

/** The simulated platform, with some of it changed. */
export function over(sim: SimPlatform, changes: Partial<Platform>): Platform {
  const { now, setTimer, defer, afterPoll, random, randomBytes, hash, disk, unlink, report } = sim
  return { now, setTimer, defer, afterPoll, random, randomBytes, hash, disk, unlink, report, ...changes }
}
