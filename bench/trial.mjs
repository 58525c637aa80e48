// One trial: two processes, one contender, one job; everything that was sent has to arrive.
import { fileURLToPath } from 'node:url'
import { startBroker } from './broker.mjs'
import { startChild, within } from './children.mjs'
import { command } from './contenders/c.mjs'
import { contenders } from './contenders/index.mjs'
import { IDLE_FIRST } from './workloads.mjs'

const WORKER = fileURLToPath(new URL('./child/worker.mjs', import.meta.url))
const DURABLE = fileURLToPath(new URL('./child/durable.mjs', import.meta.url))
/** The sink was still measuring when the last message had come, as happens on a machine that has other things to do. */
export class ShortWindow extends Error {}

/** Beyond the job's own time: starting, connecting, draining. */
const SLACK_MS = 10_000

/**
 * @param {string} name  of the contender
 * @param {import('./workloads.mjs').Job} plainJob
 * @returns {Promise<any>} what the measuring side printed
 */
export async function runTrial(name, plainJob) {
  const { kind } = plainJob
  if (kind === 'durable') return runAlone(name, plainJob)
  const isHub = kind === 'broadcast' || kind === 'idle'
  const sourceListens = isHub || contenders[name].sourceListens?.(plainJob) === true
  const broker = name === 'nats' ? await startBroker() : undefined
  /** @type {import('./workloads.mjs').Job} */
  const job = { ...plainJob, listener: sourceListens ? 'source' : 'sink', broker: broker?.port }
  const source = startSide('source', name, job)
  const sink = startSide('sink', name, job)
  const [listener, dialer] = sourceListens ? [source, sink] : [sink, source]
  try {
    const work = async () => {
      dialer.tell((await listener.next()).port)
      if (kind === 'idle') return watchIdle(source, sink, job)
      return kind === 'call' || kind === 'feed'
        ? watchCalls(source, sink, job)
        : watchMessages(source, sink, job)
    }
    return await within(job.warmMs + job.measureMs + SLACK_MS, 'the trial', work())
  } finally {
    await Promise.all([source.stop(), sink.stop(), broker?.stop()])
  }
}

/**
 * What needs no other side; it checks by itself that all is there.
 * @param {string} name
 * @param {import('./workloads.mjs').Job} job
 * @returns {Promise<any>}
 */
async function runAlone(name, job) {
  const child = startChild(process.execPath, [DURABLE, name, JSON.stringify(job)])
  try {
    return await within(job.warmMs + job.measureMs + SLACK_MS, 'the trial', child.next())
  } finally {
    await child.stop()
  }
}

/**
 * @param {'source' | 'sink'} side
 * @param {string} name
 * @param {import('./workloads.mjs').Job} job
 */
function startSide(side, name, job) {
  if (name === 'C') return startChild(...command(side, job))
  const flags = job.kind === 'idle' ? ['--expose-gc'] : []
  return startChild(process.execPath, [...flags, WORKER, side, name, JSON.stringify(job)])
}

/** @typedef {ReturnType<typeof startChild>} Child */

/** @type {(source: Child, sink: Child, job: import('./workloads.mjs').Job) => Promise<any>} */
async function watchMessages(source, sink, job) {
  const { sent } = await source.next()
  const expected = sent * job.peers
  sink.tell(expected)
  const result = await sink.next()
  verify('messages', result.count, expected)
  verify('bytes', result.bytes, expected * job.size)
  verify('sum of first bytes', result.sum, expected * job.fill)
  // A sink whose timers came late looked on when all had arrived: that tells nothing of the contender.
  if (!(result.windowMs > 0) || result.windowEnd >= expected)
    throw new ShortWindow('the messages ended before the window did')
  return result
}

/** @type {(source: Child, sink: Child, job: import('./workloads.mjs').Job) => Promise<any>} */
async function watchIdle(listener, dialer, job) {
  await listener.next()
  dialer.tell(job.peers - IDLE_FIRST)
  return listener.next()
}

/**
 * Who asks checks each answer; here, that the other side was asked as often.
 * @type {(asking: Child, answering: Child, job: import('./workloads.mjs').Job) => Promise<any>}
 */
async function watchCalls(asking, answering, job) {
  const result = await asking.next()
  answering.tell(result.sent)
  const { count, bytes, sum, grewBy } = await answering.next()
  verify('calls', count, result.sent)
  verify('bytes', bytes, result.sent * job.size)
  verify('sum of first bytes', sum, result.sent * job.fill)
  return { ...result, answererGrewBy: grewBy }
}

/** @type {(what: string, got: number, expected: number) => void} */
function verify(what, got, expected) {
  if (got !== expected) throw new Error(`${what}: ${got} arrived of ${expected} sent`)
}
