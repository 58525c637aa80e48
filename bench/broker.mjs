// nats needs a server between its two sides; one is started for each of its trials.
import { setTimeout as sleep } from 'node:timers/promises'
import { startChild } from './children.mjs'

const START_MS = 5000

export async function startBroker() {
  const server = startChild('nats-server', ['--addr', '127.0.0.1', '--port', '-1'])
  const deadline = performance.now() + START_MS
  while (performance.now() < deadline) {
    const [, port] = /Listening for client connections on 127\.0\.0\.1:(\d+)/.exec(server.complaint()) ?? []
    if (port && server.complaint().includes('Server is ready'))
      return { port: Number(port), stop: () => server.stop(0) }
    await sleep(5)
  }
  await server.stop(0)
  throw new Error(`nats-server did not start within ${START_MS} ms`)
}
