// The sending side: one loop per kind of workload, the same for every contender.
import { Buffer } from 'node:buffer'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { print, until } from './control.mjs'

/** @typedef {Required<import('../contenders/index.mjs').End>} End  what this kind of loop needs of it is there */
/** @typedef {(payload: Buffer, end: number) => Promise<number>} Loop  resolves to the number sent */

const SMALL_BATCH = 256
const LARGE = 64 * 1024
/** So that looking for room costs next to nothing; where a turn sends to hundreds, it does so anyway. */
const TURNS_PER_SETTLE = 16
const AWAITED_PER_LOOK_AT_THE_CLOCK = 64
/** A little longer than the sink measures, so that its window never reaches past the last message. */
const TAIL_MS = 50
/** A sender that never waits still lets its event loop turn this often. */
const TURN_EVERY_MS = 5

/**
 * @param {End} end
 * @returns {Loop}
 */
function stream({ push, settle, batch }) {
  return async (payload, until) => {
    const size = batch ?? (payload.length < LARGE ? SMALL_BATCH : 1)
    let sent = 0
    let turned = performance.now()
    for (let now = turned; now < until; now = performance.now()) {
      for (let i = 0; i < size; i++) push(payload)
      sent += size
      const room = settle()
      if (room) await room
      if (now - turned > TURN_EVERY_MS) {
        await nextTurn()
        turned = performance.now()
      }
    }
    return sent
  }
}

/**
 * @param {End} end
 * @returns {Loop}
 */
function awaited({ sendAwaited }) {
  return async (payload, until) => {
    let sent = 0
    while (performance.now() < until) {
      for (let i = 0; i < AWAITED_PER_LOOK_AT_THE_CLOCK; i++) await sendAwaited(payload)
      sent += AWAITED_PER_LOOK_AT_THE_CLOCK
    }
    return sent
  }
}

/**
 * Each turn of the event loop sends `perTurn` messages from one callback; some turns wait for room after that.
 * @param {(payload: Buffer) => unknown} push
 * @param {() => Promise<unknown> | undefined} settle
 * @param {number} perTurn
 * @param {number} turnsPerSettle
 * @returns {Loop}
 */
function turns(push, settle, perTurn, turnsPerSettle) {
  return (payload, until) =>
    new Promise((resolve) => {
      let sent = 0
      let sinceSettled = 0
      const turn = () => {
        for (let i = 0; i < perTurn; i++) push(payload)
        sent += perTurn
        if (++sinceSettled < turnsPerSettle) {
          setImmediate(turn)
          return
        }
        sinceSettled = 0
        if (performance.now() >= until) resolve(sent)
        else Promise.resolve(settle()).then(() => setImmediate(turn))
      }
      turn()
    })
}

/** @type {Record<string, (end: End, job: import('../workloads.mjs').Job) => Loop>} */
const loops = {
  stream,
  awaited,
  turn: ({ push, settle }) => turns(push, settle, 1, TURNS_PER_SETTLE),
  broadcast: ({ pushAll, settle }, { perTurn }) => turns(pushAll, settle, perTurn, 1),
}

/**
 * @param {() => Promise<import('../contenders/index.mjs').End>} open
 * @param {import('../workloads.mjs').Job} job
 */
export async function runSource(open, job) {
  const end = /** @type {End} */ (await open())
  await until(() => end.peers() >= job.peers)
  const payload = Buffer.alloc(job.size, job.fill)
  const sent = await loops[job.kind](end, job)(
    payload,
    performance.now() + job.warmMs + job.measureMs + TAIL_MS,
  )
  await end.flush?.()
  print({ sent })
}
