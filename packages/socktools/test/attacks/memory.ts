/** Peers that use every allowance at once, against the formula of docs/limits.md. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { encodeCredit } from '../../src/wire/v1/bodies.ts'
import * as kinds from '../../src/wire/v1/frame.ts'
import { LIMITS, typeOf } from '../support/attacked.ts'
import { Attacker, Victim } from '../support/attacker.ts'

const MIB = 1024 * 1024
const KIB = 1024
/** The longest item of what is asked for. */
const ITEM = 64 * KIB

/** Of one peer under v1, in bytes, as docs/limits.md has it. */
function worst(): number {
  const { readMark, streamWindow, maxCalls, maxStreams, maxMessage, highWaterMark, maxRetained } = LIMITS
  const received = 4 * readMark + streamWindow * (maxCalls + maxStreams) + maxMessage + 4 * MIB + 1.8 * MIB
  const sent = highWaterMark + maxMessage + (256 * KIB + ITEM) * maxStreams + 512 * KIB + maxRetained
  return received + sent
}

export async function memory(t: TestContext, peers: number): Promise<void> {
  const victim = await Victim.start(t, 'v1', {
    maxPeers: peers + 20,
    timeout: 600_000,
    stallTimeout: 600_000,
  })
  const bound = (peers * worst()) / MIB + 32
  const { report } = await victim.bears(
    async () => {
      for (let i = 0; i < peers; i++) {
        const nodeId = new Uint8Array(16).fill(i % 256).fill(i >> 8, 0, 2)
        await greedy(await Attacker.greet(t, victim, { nodeId }))
      }
    },
    { mib: bound, when: (_, { stats }) => stats.queued > peers * 512 * KIB },
  )
  const mib = (report.rss / MIB).toFixed(0)
  t.diagnostic(
    `${peers} peers: ${mib} MiB in all, of ${(report.stats.queued / MIB).toFixed(0)} MiB to send; ${bound.toFixed(0)} more are the bound`,
  )
  assert.equal(report.stats.peers, peers + 1, 'none was closed')
}

/** Fills what waits for handlers and readers, begins messages that it does not finish, and takes nothing of what it asked for. */
async function greedy(one: Attacker): Promise<void> {
  one.socket.pause()
  const { readMark, streamWindow, maxStreams, maxCalls } = LIMITS
  const text = JSON.stringify('x'.repeat(1_000))
  for (let lane = 0; lane < 4; lane++) {
    // The first is being handled, for ever.
    for (let bytes = 0; bytes + 1_100 < readMark; bytes += 1_026)
      await one.send(kinds.EVENT, { lane, type: typeOf('slow') }, text)
  }
  let lane = 5
  for (let i = 0; i < maxCalls; i++, lane += 2)
    await one.send(kinds.REQUEST, { lane, type: typeOf('echo'), flags: kinds.MORE }, new Uint8Array(60_000))
  for (let i = 0; i < maxStreams; i++, lane += 2) {
    const fills = i < maxStreams / 2
    await one.send(kinds.OPEN, { lane, type: typeOf(fills ? 'wait' : 'pour') })
    if (fills) await one.send(kinds.ITEM, { lane }, new Uint8Array(streamWindow - 4 * KIB))
    else await one.send(kinds.CREDIT, {}, encodeCredit([[lane, 2 ** 50]]))
  }
}
