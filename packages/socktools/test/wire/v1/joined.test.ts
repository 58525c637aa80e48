/** What Outgoing and Incoming promise together, whatever is sent and however slowly it is carried and taken. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { EVENT, ITEM, OPEN, REPLY, RESET, SEND_CHUNK, VOLATILE } from '../../../src/wire/v1/frame.ts'
import { Joined, type LaneSetup } from './joined.ts'

const KIB = 1024
const MIB = 1024 * KIB
const IDS = [0, 1, 2, 3, 4, 5, 6, 9]

const window = fc.constantFrom(64 * KIB, 64 * KIB, 64 * KIB + 1, 100_000, 256 * KIB, MIB)
const setups: fc.Arbitrary<LaneSetup[]> = fc.tuple(
  ...IDS.map((id) =>
    fc.record({ id: fc.constant(id), window, priority: id < 4 ? fc.constant(id) : fc.nat(3) }),
  ),
)
const maxMessage = fc.constantFrom(6 * MIB, 2 * MIB, 300_000, 64 * KIB, 0)

type Op =
  | { op: 'send'; lane: number; size: number; share: number; kind: number }
  | { op: 'pump' | 'deliver' | 'hear'; n: number }
  | { op: 'take'; lane: number; n: number }
  | { op: 'revoke'; lane: number; n: number }
  | { op: 'close' | 'abort'; lane: number }
  | { op: 'grant' | 'acknowledge' | 'reopen' }

/** To make a failing case smaller takes minutes: take its seed and path, and leave `endOnFailure` out. */
const RUNS = { numRuns: 100, endOnFailure: true }
/** With all lengths alike: short runs find little. */
const MANY = { maxLength: 200, size: 'max' } as const
const lane = fc.constantFrom(...IDS)
const few = fc.oneof(fc.nat(5), fc.nat(100))
const size = fc.oneof(
  { weight: 6, arbitrary: fc.nat(300) },
  fc.constantFrom(SEND_CHUNK - 1, SEND_CHUNK, SEND_CHUNK + 1, 2 * SEND_CHUNK, 64 * KIB - 24, Infinity),
  fc.nat(200_000),
)
const send = fc.record({
  op: fc.constant('send' as const),
  lane,
  size,
  // Tenths of maxMessage, in place of `size`, where it is above 0.
  share: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.constantFrom(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)),
  kind: fc.nat(3),
})
const carrying = fc.oneof<fc.Arbitrary<Op>[]>(
  fc.record({ op: fc.constantFrom('pump', 'deliver', 'hear'), n: few }),
  fc.record({ op: fc.constant('take'), lane, n: few }),
  fc.record({ op: fc.constantFrom('grant', 'acknowledge') }),
)
const ending: fc.Arbitrary<Op> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ op: fc.constant('revoke'), lane, n: fc.nat(20) }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('abort'), lane: fc.constantFrom(...IDS.slice(4)) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('close'), lane: fc.constantFrom(...IDS.slice(4)) }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('reopen') }) },
)
const sending = fc.noBias(fc.array(fc.oneof<fc.Arbitrary<Op>[]>(send, send, carrying), MANY))
const ruling = fc.noBias(
  fc.array(fc.oneof<fc.Arbitrary<Op>[]>(send, send, send, carrying, carrying, ending), MANY),
)

function run(joined: Joined, ops: readonly Op[], most: number): void {
  for (const one of ops) {
    switch (one.op) {
      case 'send': {
        const n = one.share > 0 ? Math.floor((one.share * most) / 10) : Math.min(one.size, most)
        // A kind that the lane may have. Of long ones without credit few, since nothing bounds them here.
        const kinds = one.lane < 4 ? [EVENT, EVENT, EVENT, VOLATILE] : [ITEM, REPLY, OPEN, RESET]
        joined.send(one.lane, n, kinds[one.kind]!)
        break
      }
      case 'take':
        for (let i = 0; i < one.n; i++) joined.take(one.lane)
        break
      case 'revoke':
        joined.revoke(one.lane, one.n)
        break
      case 'close':
      case 'abort':
        joined[one.op](one.lane)
        break
      case 'pump':
      case 'deliver':
      case 'hear':
        joined[one.op](one.n)
        break
      default:
        joined[one.op]()
    }
  }
}

describe('what is sent', () => {
  test('comes whole and in order, within all bounds, and never gets stuck', () => {
    fc.assert(
      fc.property(setups, maxMessage, sending, (lanes, most, ops) => {
        const joined = new Joined(lanes, most)
        run(joined, ops, most)
        joined.settle(() => true)
        for (const id of IDS) assert.equal(joined.missing(id), 0, `lane ${id} is stuck`)
        assert.deepEqual([joined.out.queued, joined.into.partialBytes, joined.out.bulk.inFlight], [0, 0, 0])
      }),
      RUNS,
    )
  })

  test('so too while messages are taken back, lanes are closed, cut short and opened again', () => {
    fc.assert(
      fc.property(setups, maxMessage, ruling, (lanes, most, ops) => {
        const joined = new Joined(lanes, most)
        run(joined, ops, most)
        joined.settle(() => true)
        for (const id of IDS) assert.equal(joined.missing(id), 0, `lane ${id} is stuck`)
        assert.deepEqual([joined.out.queued, joined.into.partialBytes, joined.out.bulk.inFlight], [0, 0, 0])
        joined.reopen()
        for (const id of IDS.slice(4)) joined.send(id, 0, ITEM)
        joined.settle(() => true)
        for (const id of IDS) assert.equal(joined.missing(id), 0)
      }),
      RUNS,
    )
  })

  test('on lanes from 4 up comes though no event is ever taken: a handler of those may wait for it', () => {
    fc.assert(
      fc.property(setups, maxMessage, sending, (lanes, most, ops) => {
        const joined = new Joined(lanes, most)
        run(
          joined,
          ops.filter((one) => one.op !== 'take' || one.lane >= 4),
          most,
        )
        joined.settle((id) => id >= 4)
        for (const id of IDS.slice(4)) assert.equal(joined.missing(id), 0, `lane ${id} is stuck`)
        joined.settle(() => true)
        for (const id of IDS) assert.equal(joined.missing(id), 0, `lane ${id} is stuck`)
      }),
      RUNS,
    )
  })
})

describe('a message of exactly maxMessage', () => {
  for (const most of [64 * KIB, MIB, 8 * MIB])
    test(`of ${most / KIB} KiB passes through a window of 64 KiB`, () => {
      const joined = new Joined([{ id: 5, window: 64 * KIB, priority: 1 }], most)
      joined.send(5, most, ITEM)
      joined.settle(() => true)
      assert.deepEqual([joined.came, joined.missing(5)], [1, 0])
    })
})

describe('a short message of the highest priority', () => {
  test('is what is written next, whatever waits', () => {
    fc.assert(
      fc.property(setups, sending, (lanes, ops) => {
        const joined = new Joined(lanes, MIB)
        run(
          joined,
          ops.filter((one) => one.op !== 'send' || one.lane > 0),
          MIB,
        )
        // The lane may be short of credit only through itself, and no other has its priority.
        const high = lanes.filter(({ id, priority }) => id > 0 && priority === 0)
        fc.pre(high.every(({ id }) => joined.out.queuedOf(id) === 0))
        joined.takes = 0
        joined.send(0, 100, EVENT)
        joined.pump(1)
        assert.equal(joined.lastLane, 0)
      }),
    )
  })
})
