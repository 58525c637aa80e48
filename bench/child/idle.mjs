// Idle connections: one process listens and weighs itself, the other dials, first 1,000, then the rest.
import { IDLE_FIRST } from '../workloads.mjs'
import { dialMany, print, readNumber, sleep, until } from './control.mjs'

const ignore = () => {}

/**
 * @param {import('../contenders/index.mjs').Listen} listen
 * @param {import('../workloads.mjs').Job} job
 */
export async function holdConnections(listen, job) {
  const end = await listen(ignore, job)
  print({ port: end.port })
  await until(() => end.peers() >= IDLE_FIRST)
  const before = await weigh()
  print({ ready: true })
  await until(() => end.peers() > IDLE_FIRST)
  const [fromPeers, from] = [end.peers(), performance.now()]
  await until(() => end.peers() >= job.peers)
  const seconds = (performance.now() - from) / 1000
  print({
    connectionsPerSecond: (job.peers - fromPeers) / seconds,
    bytesPerConnection: ((await weigh()) - before) / (job.peers - IDLE_FIRST),
  })
}

/**
 * @param {import('../contenders/index.mjs').Dial} dial
 * @param {import('../workloads.mjs').Job} job
 */
export async function openConnections(dial, job) {
  const port = await readNumber()
  const held = await dialMany(dial, port, IDLE_FIRST, ignore, job)
  held.push(...(await dialMany(dial, port, await readNumber(), ignore, job)))
  await readNumber() // keeps the connections until the bench ends this process
}

/** Resident bytes once what is garbage has been collected. */
async function weigh() {
  for (let i = 0; i < 3; i++) {
    await sleep(100)
    globalThis.gc?.()
  }
  return process.memoryUsage.rss()
}
