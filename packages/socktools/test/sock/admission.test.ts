import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SockError } from '../../src/errors.ts'
import { Admission, type AdmissionLimits, refill } from '../../src/sock/admission.ts'
import { Deadlines } from '../../src/sock/deadlines.ts'
import type { Candidate } from '../../src/sock/types.ts'
import { SimPlatform } from '../../src/testing/sim-platform.ts'

const LIMITS: AdmissionLimits = {
  maxPeers: 100,
  maxPending: 10,
  maxPendingPerHost: 3,
  maxConnectRate: 10,
  gateTimeout: 1000,
}

const remote = (host: string): { host: string; address: string; local: boolean } => ({
  host,
  address: `tcp://${host}:5000`,
  local: false,
})
const loopback = { host: '127.0.0.1', address: 'tcp://127.0.0.1:5000', local: true }
const who = (host = '192.0.2.1'): Candidate => ({ host, address: `tcp://${host}:5000`, dialed: false })

class Given {
  readonly sim = new SimPlatform()
  readonly faults: unknown[] = []
  readonly admission: Admission

  constructor(limits: Partial<AdmissionLimits>) {
    this.admission = new Admission({ ...LIMITS, ...limits }, this.sim, new Deadlines(this.sim))
  }

  /** The code of the refusal at the door, if there is one. */
  door(endpoint = remote('192.0.2.1'), peers = 0): string | undefined {
    return this.admission.atDoor(endpoint, peers)?.code
  }

  /** Asks the gate. `answer` is undefined until it is there, then 'yes' or a code. */
  ask(candidate = who()): {
    answer: string | undefined
    giveUp: () => void
    times: number
    error?: SockError | undefined
  } {
    const question = this.admission.ask(candidate, (thrown) => this.faults.push(thrown))
    const asked = { answer: undefined as string | undefined, times: 0, giveUp: () => question.giveUp() }
    question.onAnswer((error) => {
      Object.assign(asked, { answer: error?.code ?? 'yes', times: asked.times + 1, error })
    })
    return asked
  }

  sleep(ms: number): Promise<void> {
    return this.sim.run(() => this.sim.sleep(ms))
  }
}

const never = (): Promise<boolean> => new Promise(() => undefined)

describe('at the door', () => {
  test('peers and pending ones together are limited', () => {
    const it = new Given({ maxPeers: 5, goodPeer: never })
    assert.equal(it.door(loopback, 4), undefined)
    assert.equal(it.door(loopback, 5), 'TOO_MANY_PEERS')
    it.ask()
    assert.equal(it.door(loopback, 4), 'TOO_MANY_PEERS')
  })

  test('pending ones are limited, local ones too; a place is free again with each answer', () => {
    const it = new Given({ maxPending: 2, goodPeer: never })
    const [first] = [it.ask(who('127.0.0.1')), it.ask(who('127.0.0.1'))]
    assert.equal(it.door(loopback), 'TOO_MANY_PENDING')
    first.giveUp()
    assert.equal(it.door(loopback), undefined)
    assert.equal(it.admission.pending, 1)
  })

  test('pending ones of one host are limited; other hosts and local ones are not held up by it', () => {
    const it = new Given({ goodPeer: never })
    const asked = [1, 2, 3].map(() => it.ask(who('192.0.2.1')))
    assert.equal(it.door(remote('192.0.2.1')), 'TOO_MANY_PENDING')
    assert.equal(it.door(remote('192.0.2.2')), undefined)
    assert.equal(it.door(loopback), undefined)
    asked[0]?.giveUp()
    assert.equal(it.door(remote('192.0.2.1')), undefined)
  })

  test('new ones of a host come in bursts of maxPendingPerHost, then at maxConnectRate', async () => {
    const it = new Given({})
    const knock = (): (string | undefined)[] => Array.from({ length: 5 }, () => it.door())
    assert.deepEqual(knock(), [undefined, undefined, undefined, 'TOO_MANY_PENDING', 'TOO_MANY_PENDING'])
    await it.sleep(99)
    assert.equal(it.door(), 'TOO_MANY_PENDING')
    await it.sleep(1)
    assert.deepEqual([it.door(), it.door()], [undefined, 'TOO_MANY_PENDING'])
    await it.sleep(60_000)
    assert.deepEqual(knock(), [undefined, undefined, undefined, 'TOO_MANY_PENDING', 'TOO_MANY_PENDING'])
  })

  test('local ones come as fast as they like', () => {
    const it = new Given({})
    for (let i = 0; i < 1000; i++) assert.equal(it.door(loopback), undefined)
  })

  test('a flood from ever new hosts takes no more memory than 4,096 of them, the oldest forgotten first', () => {
    const it = new Given({})
    for (let i = 0; i < 3; i++) it.door(remote('10.0.0.1'))
    assert.equal(it.door(remote('10.0.0.1')), 'TOO_MANY_PENDING')
    for (let i = 0; i < 4095; i++) it.door(remote(`host${i}`))
    assert.equal(it.door(remote('10.0.0.1')), 'TOO_MANY_PENDING', 'still known')
    for (let i = 0; i < 4096; i++) it.door(remote(`other${i}`))
    assert.equal(it.door(remote('10.0.0.1')), undefined, 'forgotten: its bucket is full again')
  })

  const answers: [what: string, answer: unknown, code: string | undefined][] = [
    ['true', true, undefined],
    ['false', false, 'REFUSED'],
    ['nothing', undefined, 'REFUSED'],
    ['something that only looks true', 1, 'REFUSED'],
  ]
  for (const [what, answer, code] of answers) {
    test(`goodAddress says ${what}: ${code ?? 'let in'}`, () => {
      assert.equal(new Given({ goodAddress: () => answer as boolean }).door(), code)
    })
  }

  test('goodAddress is asked last, and told the host', () => {
    const asked: string[] = []
    const goodAddress = ({ host }: { host: string }): boolean => asked.push(host) > 0
    const it = new Given({ maxPeers: 1, goodAddress })
    assert.equal(it.door(loopback, 1), 'TOO_MANY_PEERS')
    assert.deepEqual(asked, [])
    it.door(loopback)
    assert.deepEqual(asked, ['127.0.0.1'])
  })

  test('a goodAddress that throws, or is async, lets nobody in', () => {
    assert.throws(() => new Given({ goodAddress: () => assert.fail('boom') }).door(), /boom/)
    const later = (() => Promise.resolve(true)) as never
    assert.throws(() => new Given({ goodAddress: later }).door(), /at once/)
    const rejecting = (() => Promise.reject(new Error('boom'))) as never
    assert.throws(() => new Given({ goodAddress: rejecting }).door(), /at once/)
  })
})

describe('at the gate', () => {
  test('without goodPeer everyone is let in at once, and nothing is pending', () => {
    const it = new Given({})
    assert.equal(it.ask().answer, 'yes')
    assert.equal(it.admission.pending, 0)
  })

  test('goodPeer is told who it is, once', () => {
    const told: Candidate[] = []
    const it = new Given({ goodPeer: (candidate) => told.push(candidate) > 0 })
    assert.equal(it.ask({ ...who(), dialed: true }).answer, 'yes')
    assert.deepEqual(told, [{ host: '192.0.2.1', address: 'tcp://192.0.2.1:5000', dialed: true }])
  })

  const answers: [what: string, goodPeer: () => unknown, code: string][] = [
    ['true', () => true, 'yes'],
    ['true, later', () => Promise.resolve(true), 'yes'],
    ['false', () => false, 'REFUSED'],
    ['false, later', () => Promise.resolve(false), 'REFUSED'],
    ['nothing', () => undefined, 'REFUSED'],
    ['something that only looks true', () => 'yes', 'REFUSED'],
    ['the same, later', () => Promise.resolve({}), 'REFUSED'],
    [
      'an object with a then that is no promise',
      () => ({ then: (yes: (v: unknown) => void) => yes(true) }),
      'yes',
    ],
  ]
  for (const [what, goodPeer, code] of answers) {
    test(`goodPeer says ${what}: ${code}`, async () => {
      const it = new Given({ goodPeer: goodPeer as never })
      const asked = it.ask()
      await it.sleep(0)
      assert.deepEqual([asked.answer, asked.times, it.admission.pending], [code, 1, 0])
    })
  }

  for (const [what, goodPeer] of [
    ['throws', () => assert.fail('boom')],
    ['rejects', () => Promise.reject(new Error('boom'))],
  ] as const) {
    test(`a goodPeer that ${what} is a gate that is closed, and a fault`, async () => {
      const it = new Given({ goodPeer })
      const asked = it.ask()
      await it.sleep(0)
      assert.deepEqual([asked.answer, it.faults.length, it.admission.pending], ['REFUSED', 1, 0])
      assert.match(String(asked.error?.message), /goodPeer threw: boom/)
    })
  }

  test('a goodPeer that never answers is GATE_TIMEOUT, in time; what it says later changes nothing', async () => {
    let say = (_: boolean): void => undefined
    const it = new Given({ goodPeer: () => new Promise((resolve) => (say = resolve)) })
    const asked = it.ask()
    await it.sleep(999)
    assert.equal(asked.answer, undefined)
    await it.sleep(50)
    assert.equal(asked.answer, 'GATE_TIMEOUT')
    say(true)
    await it.sleep(0)
    assert.deepEqual([asked.answer, asked.times, it.admission.pending], ['GATE_TIMEOUT', 1, 0])
  })

  test('a connection that ends while it waits frees its place at once', async () => {
    const it = new Given({ goodPeer: never })
    const asked = it.ask()
    assert.equal(it.admission.pending, 1)
    asked.giveUp()
    asked.giveUp()
    assert.deepEqual([asked.answer, asked.times, it.admission.pending], ['PEER_GONE', 1, 0])
    await it.sleep(5000)
    assert.equal(asked.times, 1)
  })

  test('whoever gives up may say why', () => {
    const it = new Given({ goodPeer: never })
    const question = it.admission.ask(who(), () => undefined)
    question.giveUp(new SockError('CLOSED', 'over'))
    question.onAnswer((error) => assert.equal(error?.code, 'CLOSED'))
  })

  test('an answer leaves no timer behind', async () => {
    const it = new Given({ goodPeer: () => true })
    it.ask()
    await assert.rejects(it.sim.run(never), /never happens, at 0 ms/)
  })
})

describe('refill', () => {
  test('a new bucket is full; one fills at its rate, up to its burst, and keeps parts of a token', () => {
    assert.deepEqual(refill(undefined, 500, 10, 32), { tokens: 32, at: 500 })
    assert.deepEqual(refill({ tokens: 0, at: 500 }, 550, 10, 32), { tokens: 0.5, at: 550 })
    assert.deepEqual(refill({ tokens: 0.5, at: 550 }, 600, 10, 32), { tokens: 1, at: 600 })
    assert.deepEqual(refill({ tokens: 1, at: 0 }, 60_000, 10, 32), { tokens: 32, at: 60_000 })
  })
})
