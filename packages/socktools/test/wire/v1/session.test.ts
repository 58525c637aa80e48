import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ACK_BULK, ACK_FRAMES, Sequence } from '../../../src/wire/v1/session.ts'

const PROTOCOL_ERROR = { code: 'PROTOCOL_ERROR' }

describe('Sequence', () => {
  test('counts from 1', () => {
    const sequence = new Sequence()
    assert.deepEqual([sequence.next(), sequence.next(), sequence.sent], [1, 2, 2])
  })

  test('takes the next frame, knows one that came before, and refuses one too far', () => {
    const sequence = new Sequence()
    assert.deepEqual([sequence.take(1, 0), sequence.take(2, 0), sequence.take(2, 0)], ['new', 'new', 'again'])
    assert.deepEqual([sequence.take(1, 0), sequence.received, sequence.repeated], ['again', 2, 2])
    assert.throws(() => sequence.take(4, 0), { ...PROTOCOL_ERROR, what: /seq 4, and 3 is the next/ })
    assert.equal(sequence.take(3, 0), 'new')
  })

  test('an ack goes neither back nor beyond what was sent', () => {
    const sequence = new Sequence()
    for (let i = 0; i < 3; i++) sequence.next()
    sequence.ack(2)
    assert.throws(() => sequence.ack(1), { ...PROTOCOL_ERROR, what: /ack of 1, and 2/ })
    assert.throws(() => sequence.take(1, 4), { ...PROTOCOL_ERROR, what: /ack of 4, and 3/ })
    assert.deepEqual([sequence.acked, sequence.received, sequence.pending], [2, 0, false], 'nothing changed')
    assert.equal(sequence.take(1, 3), 'new')
    assert.equal(sequence.acked, 3)
  })

  test('an ack is pending from the first frame, and due at 64 of them', () => {
    const sequence = new Sequence()
    assert.deepEqual([sequence.pending, sequence.due], [false, false])
    for (let seq = 1; seq < ACK_FRAMES; seq++) sequence.take(seq, 0)
    assert.deepEqual([sequence.pending, sequence.due], [true, false])
    sequence.take(ACK_FRAMES, 0)
    assert.equal(sequence.due, true)
    sequence.left()
    assert.deepEqual([sequence.pending, sequence.due], [false, false])
  })

  test('or at 64 KiB of bulk', () => {
    const sequence = new Sequence()
    sequence.take(1, 0)
    sequence.bulk(ACK_BULK - 1)
    assert.equal(sequence.due, false)
    sequence.take(2, 0)
    sequence.bulk(1)
    assert.equal(sequence.due, true)
    sequence.left()
    sequence.take(3, 0)
    sequence.bulk(1)
    assert.equal(sequence.due, false)
  })

  test('what came again is acknowledged again: the far side does not know of it', () => {
    const sequence = new Sequence()
    sequence.take(1, 0)
    sequence.left()
    sequence.take(1, 0)
    assert.equal(sequence.pending, true)
  })

  test('a frame without a seq carries an ack, and needs none', () => {
    const sequence = new Sequence()
    sequence.next()
    sequence.ack(1)
    assert.deepEqual([sequence.acked, sequence.pending], [1, false])
  })

  test('a clone goes its own way from the same state', () => {
    const sequence = new Sequence()
    sequence.next()
    sequence.take(1, 1)
    sequence.bulk(100)
    const other = sequence.clone()
    assert.equal(other.key(), sequence.key())
    other.take(2, 1)
    assert.notEqual(other.key(), sequence.key())
    assert.deepEqual([sequence.received, other.received], [1, 2])
    sequence.take(2, 1)
    assert.equal(other.key(), sequence.key())
    other.bulk(1)
    assert.notEqual(other.key(), sequence.key())
  })
})
