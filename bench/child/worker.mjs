// The child process: one side of one trial of one contender (but for C, which is a program of its own).
//
//   node worker.mjs sink|source CONTENDER JOB
//
// The side that listens prints {"port"}, the other reads the port from stdin. The source prints {"sent"} once
// everything was handed on; the sink reads that figure, waits until all of it is there, and prints its result.
// Where calls are measured, the source is who asks, and it is the one that has the figures.
import { load } from '../contenders/index.mjs'
import { runAnswerer } from './answerer.mjs'
import { runCalls, runFeed } from './caller.mjs'
import { dialMany, print, readNumber } from './control.mjs'
import { holdConnections, openConnections } from './idle.mjs'
import { runSink } from './sink.mjs'
import { runSource } from './source.mjs'

const [side, name, jobText] = process.argv.slice(2)
/** @type {import('../workloads.mjs').Job} */
const job = JSON.parse(jobText)
const { listen, dial } = await load(name)

/** @param {import('../contenders/index.mjs').OnMessage} onMessage */
async function open(onMessage = () => {}) {
  if (job.listener === side) {
    const end = await listen(onMessage, job)
    print({ port: end.port })
    return end
  }
  const [end] = await dialMany(dial, await readNumber(), job.peers, onMessage, job)
  return end
}

if (job.kind === 'idle') await (side === 'source' ? holdConnections(listen, job) : openConnections(dial, job))
else if (job.kind !== 'call' && job.kind !== 'feed')
  await (side === 'sink' ? runSink(open, job) : runSource(open, job))
else if (side === 'sink') await runAnswerer(open, job.kind === 'feed')
else {
  const end = /** @type {Required<import('../contenders/index.mjs').End>} */ (await open())
  await (job.kind === 'call' ? runCalls(end, job) : runFeed(end, job))
}
