/** Two nodes, each in a process of its own, and an attacker on the way between them who cannot break TLS. */
import assert from 'node:assert/strict'
import { after, before, describe, test, type TestContext } from 'node:test'
import { Proven, type ProvenReport, type Talk } from '../support/proven.ts'
import { GUARD } from '../support/tcp.ts'
import { Bent, type Passed, type Plan, type Way } from './tls-bent.ts'
import { Certificates, lacking } from './tls-certificates.ts'

/** Short, since a length that was changed makes a node wait for what never comes. */
const SHORT = {
  ...{ handshakeTimeout: 1_000, connectTimeout: 5_000, callTimeout: 8_000, sessionTtl: 5_000 },
  ...{ heartbeat: 300, timeout: 1_000, backoff: { first: 1, max: 20 }, maxPeers: 20_000 },
}
/** Talks at once: those that wait cost nothing. */
const LANES = 12
/** A session is to be short, or nobody can flip all of it. */
const LONGEST = 3_500
/** close_notify, as a record. */
const CLOSE_NOTIFY = 24
/** Record types that are not encrypted: change_cipher_spec, handshake. */
const BARE = [20, 22]

interface Told {
  readonly tag: string
  readonly plan: Plan
  readonly talk: Talk
  /** The connection that the plan was for. */
  readonly passed: Passed
}

/** `step`: every so many bytes are flipped. `tail`: so many bytes of each way, from the end, are places of a cut. */
export function onTheWay({ step, tail }: { readonly step: number; readonly tail: number }): void {
  describe('on the way between two nodes', { ...GUARD, timeout: 1_800_000, skip: lacking }, () => {
    const endings: (() => unknown)[] = []
    const suite = { after: (fn: () => unknown) => void endings.push(fn) }
    after(() => {
      for (const fn of endings) fn()
    })
    let [server, dialer]: Proven[] = []
    let whom = ''
    before(async () => {
      const certificates = new Certificates()
      const [one, other] = [certificates.honest(), certificates.honest()]
      whom = one.identity.id
      ;[server, dialer] = await Promise.all([
        Proven.start(suite, {
          ...{ ...SHORT, key: one.key, bind: 'tcp://127.0.0.1:0', maxPending: 1_000 },
          trust: [other.identity.id],
        }),
        Proven.start(suite, { ...SHORT, key: other.key }),
      ])
    })
    const ours = (): { server: Proven; dialer: Proven } => {
      assert.ok(server !== undefined && dialer !== undefined)
      return { server, dialer }
    }
    const to = ({ port }: Bent): string => `tcp://${whom}@127.0.0.1:${port}`

    /** One session that nobody disturbs, as it passed. */
    async function honest(t: TestContext, tag = 'honest'): Promise<Passed> {
      const bent = await Bent.listen(t, ours().server.port)
      const talk = await ours().dialer.talk(to(bent), tag)
      assert.deepEqual(talk, { answer: tag, status: 'delivered', told: [], failed: {} })
      return bent.passed[0] ?? assert.fail('nothing passed')
    }

    /** A talk under each plan. */
    async function all(
      t: TestContext,
      plans: readonly Plan[],
    ): Promise<{ told: Told[]; report: ProvenReport }> {
      const nodes = ours()
      await nodes.server.report(true)
      const told: Told[] = []
      const waiting = plans.entries()
      const lane = async (): Promise<void> => {
        const bent = await Bent.listen(t, nodes.server.port)
        for (const [i, plan] of waiting) {
          const tag = `t${String(10_000 + i)}`
          const first = bent.passed.length
          bent.plan = plan
          const talk = await nodes.dialer.talk(to(bent), tag)
          told.push({ tag, plan, talk, passed: bent.passed[first] ?? assert.fail(`${tag} never came`) })
        }
      }
      await Promise.all(Array.from({ length: LANES }, lane))
      const report = await nodes.server.until(({ stats }) => stats.peers + stats.pending === 0, 'alone again')
      return { told, report }
    }

    /** Whatever was done to it: nothing but what was said is handled, once; and what failed has a code. */
    function holds({ told, report }: { told: readonly Told[]; report: ProvenReport }): void {
      const handled = new Map<string, number>()
      for (const text of report.handled) handled.set(text, (handled.get(text) ?? 0) + 1)
      const right = new Set(told.map(({ tag }) => `${tag} a`))
      for (const [text, times] of handled) {
        assert.ok(right.has(text), `nobody said ${JSON.stringify(text)}`)
        assert.equal(times, 1, text)
      }
      for (const one of told) {
        const { code, answer, status } = one.talk
        if (code === undefined) {
          assert.deepEqual(
            [answer, status, handled.get(`${one.tag} a`)],
            [one.tag, 'delivered', 1],
            show(one),
          )
        } else assert.match(code, /^[A-Z_]+$/, show(one))
      }
      const { faults, invalid, unhandled } = report.stats
      assert.deepEqual([faults, invalid, unhandled], [0, 0, 0])
    }

    const wasSeen = ({ tag, talk: { code, told, failed } }: Told, { ends }: ProvenReport): boolean =>
      code !== undefined ||
      told.length > 0 ||
      Object.keys(failed).length > 0 ||
      ends.some((end) => end.startsWith(tag) && !end.endsWith('gone well'))

    test(`one bit of every ${step === 1 ? '' : `${step}th `}byte of a session, both ways, is another once`, async (t) => {
      const { bytes } = await honest(t, 't00000')
      const length = bytes.up.length + bytes.down.length
      assert.ok(length <= LONGEST, `${length} bytes`)
      const plans = both((way) => range(0, bytes[way].length, step).map((at) => ({ how: 'flip', way, at })))
      const outcome = await all(t, plans)
      holds(outcome)
      let unseen = 0
      for (const one of outcome.told) {
        const { done } = one.passed
        // It broke off before, or its acknowledgements went another way.
        if (done === undefined || wasSeen(one, outcome.report)) continue
        unseen++
        assert.ok(isIdle(done) || isFarewell(one.plan, bytes), show(one))
      }
      const { length: missing } = outcome.told.filter(({ passed }) => passed.done === undefined)
      assert.ok(missing <= plans.length / 20, `${missing} of ${plans.length} were never carried out`)
      t.diagnostic(
        `${plans.length} of ${length} bytes, ${unseen} of them of no meaning; ${count(outcome.told)}`,
      )
      await honest(t)
    })

    test(`the stream ends at each of the last ${tail} bytes of a session, both ways: no end but a GOODBYE is one`, async (t) => {
      const { bytes } = await honest(t, 't00000')
      const plans = both((way) =>
        range(Math.max(0, bytes[way].length - tail), bytes[way].length).map((at) => ({
          how: 'cut',
          way,
          at,
        })),
      )
      const outcome = await all(t, plans)
      holds(outcome)
      for (const one of outcome.told) {
        const { plan, passed } = one
        if (passed.done === undefined || plan.way !== 'up' || plan.at >= bytes.up.length - CLOSE_NOTIFY)
          continue
        assert.ok(wasSeen(one, outcome.report), show(one))
      }
      t.diagnostic(`${plans.length} bytes; ${count(outcome.told)}`)
      await honest(t)
    })

    test('the whole flight of either side, said again to the other: TLS_FAILED, and nothing of it is handled', async (t) => {
      const { server: node, dialer: who } = ours()
      const { bytes } = await honest(t)
      const was = await node.report(true)
      const bent = await Bent.listen(t, node.port)
      for (let i = 0; i < 3; i++) assert.ok((await bent.replay(bytes.up)).length < bytes.down.length)
      const is = await node.until(({ stats }) => stats.pending === 0 && stats.peers === 0, 'alone again')
      assert.equal((is.stats.refused['TLS_FAILED'] ?? 0) - (was.stats.refused['TLS_FAILED'] ?? 0), 3)
      assert.deepEqual([is.handled, is.asked], [[], was.asked])
      assert.deepEqual([is.stats.bytesIn, is.stats.bytesOut], [was.stats.bytesIn, was.stats.bytesOut])
      bent.answer = bytes.down
      const talk = await who.talk(to(bent), 'deceived')
      assert.deepEqual([talk.code, talk.answer, talk.failed], ['TLS_FAILED', undefined, { TLS_FAILED: 1 }])
      await honest(t)
    })

    test('what either side said comes back to it', async (t) => {
      const { dialer: who, server: node } = ours()
      const { bytes } = await honest(t)
      await node.report(true)
      const bent = await Bent.listen(t, node.port)
      // To the one that dials its own hello; to the one that listens what it answered to somebody.
      bent.answer = bytes.up
      const { code } = await who.talk(to(bent), 'reflected')
      assert.ok(code === 'TLS_FAILED' || code === 'FOREIGN_PROTOCOL', code)
      await bent.replay(bytes.down)
      const { handled } = await node.until(({ stats }) => stats.pending === 0, 'alone again')
      assert.deepEqual(handled, [])
      await honest(t)
    })
  })
}

/** The version that a record in the clear names is looked at by nobody, nor is anything else of it kept. */
const isIdle = ({ type, offset }: { readonly type: number; readonly offset: number }): boolean =>
  BARE.includes(type) && offset > 0 && offset < 3

/** Behind the GOODBYE nobody listens any more. */
const isFarewell = ({ way, at }: Plan, bytes: Passed['bytes']): boolean =>
  at >= bytes[way].length - CLOSE_NOTIFY

const both = (of: (way: Way) => Plan[]): Plan[] => [...of('up'), ...of('down')]

const range = (from: number, to: number, step = 1): number[] =>
  Array.from({ length: Math.ceil((to - from) / step) }, (_, i) => from + i * step)

const show = ({ plan, talk, passed }: Told): string => JSON.stringify([plan, passed.done, talk])

/** How many had each outcome. */
function count(told: readonly Told[]): string {
  const counts: Record<string, number> = {}
  for (const { talk } of told) {
    const what = talk.code ?? (talk.told.includes('resumed') ? 'resumed' : 'whole')
    counts[what] = (counts[what] ?? 0) + 1
  }
  return JSON.stringify(counts)
}
