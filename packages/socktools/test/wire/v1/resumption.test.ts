/** Who may go on with a session: each rule by itself. `model.test.ts` has them together, in every order. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Hello, Resume } from '../../../src/wire/v1/hello.ts'
import { equal, keyOf, Resumption, SessionLost, Tombstones } from '../../../src/wire/v1/resumption.ts'

const bytes = (fill: number): Uint8Array => new Uint8Array(16).fill(fill)

const ID = bytes(1)
const FIRST = bytes(10)
const SECOND = bytes(11)
const THIRD = bytes(12)
const INCARNATION = bytes(2)

function hello(resume: Resume | undefined, incarnation = INCARNATION): Hello {
  return { resume, incarnation } as Partial<Hello> as Hello
}

const shown = (token: Uint8Array, connGen: number): Resume => ({ sessionId: ID, token, connGen, lastRecv: 7 })

const fresh = (): Resumption => new Resumption(ID, FIRST, INCARNATION)

describe('the dialer', () => {
  test('shows the token that it was given last, and counts its attempts', () => {
    const dialer = fresh()
    assert.equal(dialer.connGen, 0)
    assert.deepEqual(dialer.request(7), { sessionId: ID, token: FIRST, connGen: 1, lastRecv: 7 })
    dialer.granted({ sessionId: ID, token: SECOND, lastRecv: 0 })
    assert.deepEqual(dialer.request(8), { sessionId: ID, token: SECOND, connGen: 2, lastRecv: 8 })
    assert.equal(dialer.connGen, 2)
  })
})

describe('the acceptor', () => {
  test('refuses who asks for nothing, shows another token, or is another process', () => {
    const acceptor = fresh()
    assert.equal(acceptor.refusal(hello(undefined)), 'unknown-session')
    assert.equal(acceptor.refusal(hello(shown(SECOND, 1))), 'not-yours')
    assert.equal(acceptor.refusal(hello(shown(FIRST.slice(0, 15), 1))), 'not-yours')
    assert.equal(acceptor.refusal(hello(shown(FIRST, 1), bytes(3))), 'incarnation-changed')
    assert.equal(acceptor.refusal(hello(shown(FIRST, 1))), undefined)
  })

  test('takes each attempt once, and none that was made before it', () => {
    const acceptor = fresh()
    acceptor.grant(shown(FIRST, 3), SECOND)
    assert.equal(acceptor.connGen, 3)
    assert.equal(acceptor.refusal(hello(shown(SECOND, 2))), 'not-yours')
    assert.equal(acceptor.refusal(hello(shown(SECOND, 3))), 'not-yours')
    assert.equal(acceptor.refusal(hello(shown(SECOND, 4))), undefined)
  })

  test('takes the token that was shown until the new one is known to have come, and then no more', () => {
    const acceptor = fresh()
    acceptor.grant(shown(FIRST, 1), SECOND)
    assert.equal(acceptor.refusal(hello(shown(FIRST, 2))), undefined)
    assert.equal(acceptor.refusal(hello(shown(SECOND, 2))), undefined)
    acceptor.confirm()
    assert.equal(acceptor.refusal(hello(shown(FIRST, 2))), 'not-yours')
    assert.equal(acceptor.refusal(hello(shown(SECOND, 2))), undefined)
    acceptor.grant(shown(SECOND, 2), THIRD)
    assert.equal(acceptor.refusal(hello(shown(FIRST, 3))), 'not-yours', 'two tokens ago')
    assert.equal(acceptor.refusal(hello(shown(SECOND, 3))), undefined)
  })

  test('a clone goes its own way from the same state', () => {
    const one = fresh()
    one.grant(shown(FIRST, 1), SECOND)
    const other = one.clone()
    assert.equal(other.state(), one.state())
    assert.deepEqual([other.id, other.incarnation, other.connGen], [ID, INCARNATION, 1])
    assert.equal(other.refusal(hello(shown(FIRST, 2))), undefined)
    other.confirm()
    assert.notEqual(other.state(), one.state(), 'the token before')
    one.confirm()
    assert.equal(other.state(), one.state())
    other.request(0)
    assert.notEqual(other.state(), one.state(), 'an attempt')
    one.request(0)
    other.granted({ sessionId: ID, token: THIRD, lastRecv: 0 })
    assert.notEqual(other.state(), one.state(), 'another token')
  })
})

describe('sessions that are over', () => {
  const buried = (reason: 'expired' | 'ended', id = ID, lastRecv = 0) => ({
    resumption: new Resumption(id, FIRST, INCARNATION),
    reason,
    lastRecv,
  })
  const told = ({ reason, lastRecv }: SessionLost): unknown[] => [reason, lastRecv]

  test('only who shows its token hears more than that it is unknown', () => {
    const tombstones = new Tombstones()
    tombstones.add(buried('expired', ID, 5))
    assert.deepEqual(told(tombstones.tell(hello(shown(FIRST, 1)), keyOf(ID))), ['expired', 5])
    assert.deepEqual(told(tombstones.tell(hello(shown(FIRST, 1), bytes(3)), keyOf(ID))), ['expired', 5])
    assert.deepEqual(told(tombstones.tell(hello(shown(SECOND, 1)), keyOf(ID))), [
      'unknown-session',
      undefined,
    ])
    assert.deepEqual(told(tombstones.tell(hello(shown(FIRST, 1)), keyOf(bytes(9)))), [
      'unknown-session',
      undefined,
    ])
  })

  const kept = (tombstones: Tombstones, ids: readonly number[]): number[] =>
    ids.filter((n) => tombstones.tell(hello(shown(FIRST, 1)), keyOf(bytes(n))).reason === 'ended')

  test('so many are kept, and the oldest is forgotten', () => {
    const tombstones = new Tombstones(2)
    for (const n of [1, 2]) tombstones.add(buried('ended', bytes(n)))
    assert.deepEqual(kept(tombstones, [1, 2]), [1, 2])
    tombstones.add(buried('ended', bytes(3)))
    assert.deepEqual(kept(tombstones, [1, 2, 3]), [2, 3])
  })

  test('a reason that the far side tells is kept if it is one', () => {
    const reasons = [
      'unknown-session',
      'expired',
      'ended',
      'incarnation-changed',
      'position-gone',
      'not-yours',
    ]
    for (const reason of reasons)
      assert.deepEqual(told(SessionLost.told(reason, 3, 'tcp://far')), [reason, 3])
    const other = SessionLost.told('because', undefined, 'tcp://far')
    assert.deepEqual(told(other), ['unknown-session', undefined])
    assert.deepEqual([other.code, other.address], ['SESSION_LOST', 'tcp://far'])
  })
})

test('bytes are equal if their lengths and each of them are', () => {
  assert.equal(equal(Uint8Array.of(1, 2, 3), Uint8Array.of(1, 2, 3)), true)
  for (const other of [[1, 2, 4], [0, 2, 3], [1, 2], [1, 2, 3, 0], []]) {
    assert.equal(equal(Uint8Array.of(1, 2, 3), Uint8Array.from(other)), false)
    assert.equal(equal(Uint8Array.from(other), Uint8Array.of(1, 2, 3)), false)
  }
})

test('the key of an id names each of its bytes', () => {
  assert.equal(keyOf(Uint8Array.of(0, 1, 15, 16, 255)), '00010f10ff')
  assert.equal(fresh().key, '01'.repeat(16))
})

test('up to where a session that is over was received is told of its own process alone', () => {
  const tombstones = new Tombstones()
  tombstones.add({ resumption: fresh(), reason: 'ended', lastRecv: 5 })
  const id = keyOf(ID)
  assert.equal(tombstones.received(id, INCARNATION), 5)
  assert.equal(tombstones.received(id, bytes(3)), undefined)
  assert.equal(tombstones.received(keyOf(bytes(9)), INCARNATION), undefined)
})
