/** A deadline is kept by two clocks: whichever is first, who called hears the same. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeFault } from '../../../src/wire/v1/bodies.ts'
import * as kinds from '../../../src/wire/v1/frame.ts'
import { GUARD } from '../../support/tcp.ts'
import { Far } from './played.ts'
import { simulate } from '../../support/world.ts'
import { Application, protocol } from './talk-application.ts'

const MiB = 1_048_576
const limits = { maxMessage: MiB, eventWindow: MiB, laneWindow: MiB, maxCalls: 2, maxStreams: 2 }

for (const [timeout, code] of [
  [1000, 'CALL_TIMEOUT'],
  // It set no deadline: what the far side means by that is its own affair.
  [0, 'REMOTE_ERROR'],
] as const) {
  test(
    `the far side says that the deadline has passed, of a call with timeout ${timeout}: ${code}`,
    GUARD,
    () =>
      simulate(async (world) => {
        const { sock } = new Application(world, { maxMessage: MiB })
        const far = await Far.dialed(world, sock, {
          protocol,
          limits: { ...limits, heartbeat: 0, ttl: 0 },
          stranger: false,
        })
        const [peer] = sock.knownPeers
        assert.ok(peer !== undefined)
        const asked = assert.rejects(peer.request('add', new Uint8Array(1), { timeout }), { code })
        await world.quiet()
        const [request] = far.frames
        assert.equal(request?.name, 'REQUEST')
        const fault = encodeFault('CALL_TIMEOUT', 'the deadline has passed')
        const payload = new Uint8Array(kinds.HEADER + fault.length)
        kinds.writeHeader(payload, 0, kinds.ERROR, 0, 0, request.lane, 1, request.seq)
        payload.set(fault, kinds.HEADER)
        far.send(payload)
        await asked
        assert.ok(world.sim.now() < 1000)
      }),
  )
}
