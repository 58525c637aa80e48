import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Ledger } from '../../src/testing/index.ts'

/** A ledger in which a, b and c were sent on one lane. */
const sent = (): Ledger => {
  const ledger = new Ledger()
  for (const digest of [7, 8, 9]) ledger.send('lane', digest)
  return ledger
}
const allWell = (ledger: Ledger): void => {
  ledger.whole()
  ledger.atMostOnce()
  ledger.inOrder()
  ledger.truthful()
}

describe('a ledger of receipts', () => {
  const told = (): Ledger => {
    const ledger = new Ledger()
    for (const digest of [1, 2, 3]) ledger.sendWithReceipt('lane', digest)
    return ledger
  }

  test('true outcomes are well, and none that is missing is overlooked', () => {
    const ledger = told()
    assert.equal(ledger.untold().length, 3)
    ledger.told('lane', 1, 'delivered')
    assert.deepEqual(ledger.delivered(), ['lane #1 was lost'])
    ledger.deliver('lane', 1, 1)
    ledger.told('lane', 2, 'not-delivered')
    ledger.deliver('lane', 3, 3)
    ledger.told('lane', 3, 'unknown')
    allWell(ledger)
    assert.deepEqual([ledger.untold(), ledger.delivered()], [[], []])
  })

  test('what was told as not delivered must not come, before that or after', () => {
    for (const [first, second] of [
      ['deliver', 'told'],
      ['told', 'deliver'],
    ]) {
      const ledger = told()
      for (const step of [first, second])
        if (step === 'told') ledger.told('lane', 2, 'not-delivered')
        else ledger.deliver('lane', 2, 2)
      assert.throws(() => ledger.truthful(), /lane #2.* was not-delivered, and came/)
    }
  })

  test('a second outcome, and a second receiver, are found', () => {
    const ledger = told()
    ledger.told('lane', 1, 'unknown')
    ledger.told('lane', 1, 'delivered')
    assert.throws(() => ledger.truthful(), /was unknown, then delivered/)
    ledger.deliver('lane', 2, 2, 'here')
    ledger.deliver('lane', 2, 2, 'there')
    assert.throws(() => ledger.atMostOnce(), /came twice/)
  })
})

describe('a ledger of messages', () => {
  test('what comes once, in order and as it was sent is well', () => {
    const ledger = sent()
    for (const n of [1, 2, 3]) ledger.deliver('lane', n, n + 6)
    allWell(ledger)
    ledger.nothingLost()
    assert.deepEqual([ledger.sends, ledger.deliveries], [3, 3])
  })

  test('a gap is a loss, and no disorder; what is excused is none', () => {
    const ledger = sent()
    ledger.deliver('lane', 1, 7)
    ledger.deliver('lane', 3, 9)
    allWell(ledger)
    assert.throws(() => ledger.nothingLost(), /lane #2 was lost/)
    ledger.nothingLost((lane) => lane !== 'lane')
    ledger.excuse('lane', 2)
    ledger.nothingLost()
    const other = sent()
    assert.equal(other.missing().length, 3)
    other.excuseAll((lane) => lane.startsWith('la'))
    assert.deepEqual(other.missing(), [])
  })

  test('twice, out of order, changed and never sent are each found', () => {
    const twice = sent()
    twice.deliver('lane', 1, 7)
    twice.inOrder()
    twice.deliver('lane', 1, 7)
    assert.throws(() => twice.atMostOnce(), /lane #1 came twice/)
    const disorder = sent()
    disorder.deliver('lane', 2, 8)
    disorder.deliver('lane', 1, 7)
    assert.throws(() => disorder.inOrder(), /lane #1 came after #2/)
    const changed = sent()
    changed.deliver('lane', 1, 8)
    assert.throws(() => changed.whole(), /came as 8, and was sent as 7/)
    const never = sent()
    never.deliver('lane', 4)
    never.deliver('elsewhere', 1)
    assert.throws(() => never.whole(), /lane #4 was never sent, and 1 more/)
  })

  test('each receiver of a lane has it once', () => {
    const ledger = sent()
    ledger.deliver('lane', 1, 7, 'x')
    ledger.deliver('lane', 1, 7, 'y')
    allWell(ledger)
    ledger.deliver('lane', 1, 7, 'x')
    assert.throws(() => ledger.atMostOnce(), /at x came twice/)
  })
})

describe('a ledger of calls', () => {
  const called = (...steps: string[]): Ledger => {
    const ledger = new Ledger()
    ledger.ask('a')
    for (const step of steps) {
      if (step === 'handled') ledger.handled('a')
      else ledger.settled('a', step)
    }
    return ledger
  }

  test('what settled once and truthfully is well', () => {
    for (const steps of [
      ['handled', 'answered'],
      ['NOT_SENT'],
      ['OUTCOME_UNKNOWN', 'handled'],
      ['CALL_TIMEOUT'],
      ['handled'],
    ])
      allWell(called(...steps))
  })

  test('NOT_SENT is never handled, before or after', () => {
    for (const steps of [
      ['handled', 'NOT_SENT'],
      ['NOT_SENT', 'handled'],
    ])
      assert.throws(() => called(...steps).truthful(), /was NOT_SENT, and was handled/)
  })

  test('answered by nobody, settled twice, handled twice, never made', () => {
    assert.throws(() => called('answered').truthful(), /answered by nobody/)
    assert.throws(() => called('handled', 'answered', 'ABORTED').truthful(), /was answered, then ABORTED/)
    assert.throws(() => called('handled', 'handled').atMostOnce(), /handled twice/)
    const ledger = new Ledger()
    ledger.handled('b')
    assert.throws(() => ledger.whole(), /the call b was never made/)
  })

  test('those that have not settled are told', () => {
    assert.deepEqual(called('handled').unsettled(), ['a'])
    assert.deepEqual(
      called('handled').unsettled((id) => id === 'a'),
      [],
    )
    assert.deepEqual(called('CALL_TIMEOUT').unsettled(), [])
  })
})
