/** What lanes do with a far side that keeps to no rule. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Incoming } from '../../../src/wire/v1/arrivals.ts'
import {
  CANCEL,
  DONE,
  END,
  EVENT,
  Header,
  ITEM,
  MORE,
  OPEN,
  REPLY,
  RESET,
  TABLE,
  VOLATILE,
} from '../../../src/wire/v1/frame.ts'
import { Out, payload } from './frames.ts'

const KIB = 1024

describe('a far side that keeps to nothing', () => {
  const frame = fc.record({
    kind: fc.constantFrom(EVENT, ITEM, REPLY, OPEN, END, RESET, CANCEL, DONE, VOLATILE, TABLE),
    more: fc.boolean(),
    lane: fc.constantFrom(0, 1, 5, 6, 7),
    type: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.nat(3)),
    size: fc.oneof(fc.nat(50), fc.constantFrom(20_000, 61_440, 65_536)),
  })
  const own = fc.record({
    what: fc.constantFrom('taken', 'credits', 'close', 'open', 'restate'),
    lane: fc.nat(7),
  })
  const steps = fc.array(fc.oneof(frame, frame, frame, own), { maxLength: 300, size: 'max' })

  test('is told PROTOCOL_ERROR and nothing else; what it made us hold is bounded, and goes with its lanes', () => {
    fc.assert(
      fc.property(steps, fc.constantFrom(1000, 200_000), (all, most) => {
        const into = new Incoming(most)
        const opened = [0, 1, 5, 6]
        for (const lane of opened) into.open(lane, 64 * KIB)
        const header = new Header()
        let seq = 0
        let errors = 0
        for (const one of all) {
          if ('what' in one) {
            if (one.what === 'taken') into.taken(one.lane, 24)
            else if (one.what === 'close') into.close(one.lane)
            else if (one.what === 'open') {
              if (!into.has(one.lane)) into.open(one.lane, 64 * KIB)
            } else into[one.what](() => undefined)
            continue
          }
          const { kind, more, lane, type, size } = one
          const sequenced = kind !== VOLATILE && kind !== TABLE
          const body = new Uint8Array(size)
          const bytes = payload({
            kind,
            flags: more ? MORE : 0,
            type,
            lane,
            seq: sequenced ? ++seq : 0,
            body,
          })
          try {
            header.read(bytes)
            const whole = into.chunk(header, bytes)
            assert.ok(whole === undefined || whole.length <= 24 + Math.max(most, 65_536), 'too long')
          } catch (error) {
            assert.equal((error as { code?: unknown }).code, 'PROTOCOL_ERROR')
            errors++
          }
          // A partial message on each lane that takes credit, one that takes none, a TABLE.
          assert.ok(into.partialBytes <= 8 * (24 + Math.max(most, 65_536)), `${into.partialBytes}`)
        }
        for (let lane = 0; lane < 8; lane++) into.close(lane)
        into.restate(() => assert.fail('no lane is open'))
        assert.equal(into.partialBytes, 0)
        fc.pre(errors > 0 || all.length < 10)
      }),
    )
  })

  test('grants and acks whatever it likes: what is written stays what was sent', () => {
    const grant = fc.record({
      lane: fc.constantFrom(0, 1, 5, 99),
      limit: fc.oneof(fc.nat(300_000), fc.double()),
    })
    fc.assert(
      fc.property(fc.array(fc.oneof(grant, fc.nat(50)), { maxLength: 100, size: 'max' }), (all) => {
        const out = new Out()
        for (const lane of [0, 1, 5]) out.lanes.open(lane, 64 * KIB, 1)
        const limits = new Map([0, 1, 5].map((lane) => [lane, 64 * KIB]))
        for (const lane of [0, 1, 5]) for (let i = 0; i < 3; i++) out.put(lane, 150_000, ITEM)
        for (const one of all) {
          try {
            if (typeof one === 'number') {
              out.sequence.ack(one)
              out.lanes.acked(one, one)
            } else {
              out.lanes.limit(one.lane, one.limit)
              if (limits.has(one.lane)) limits.set(one.lane, one.limit)
            }
          } catch (error) {
            assert.equal((error as { code?: unknown }).code, 'PROTOCOL_ERROR')
          }
          out.pump()
        }
        for (const [lane, limit] of limits) {
          const written = out.frames.filter((one) => one.lane === lane)
          assert.ok(written.reduce((sum, { body }) => sum + 24 + body.length, 0) <= limit, `lane ${lane}`)
        }
        const { inFlight, size } = out.lanes.bulk
        assert.ok(inFlight <= size && inFlight >= 0, `${inFlight} of ${size}`)
      }),
    )
  })
})
