import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Events } from '../src/events.ts'

interface Known {
  said: string
  error: Error
  __proto__: number
}

/** Events, what was heard, and what its listeners threw. */
function given(): {
  events: Events<Known>
  heard: string[]
  hear: (text: string) => void
  thrown: unknown[]
} {
  const thrown: unknown[] = []
  const heard: string[] = []
  const events = new Events<Known>((error, name) => thrown.push([name, error]))
  return { events, heard, hear: (text) => heard.push(text), thrown }
}

describe('Events', () => {
  test('every listener hears, in order, until it is taken off', () => {
    const { events, heard } = given()
    const off = events.on('said', (text) => heard.push(`1 ${text}`))
    events.on('said', (text) => heard.push(`2 ${text}`))
    events.emit('said', 'a')
    off()
    off()
    events.emit('said', 'b')
    assert.deepEqual(heard, ['1 a', '2 a', '2 b'])
  })

  test('a function given twice is called twice, and each off takes back its own', () => {
    const { events, heard, hear } = given()
    const off = events.on('said', hear)
    events.on('said', hear)
    events.emit('said', 'a')
    off()
    events.emit('said', 'b')
    assert.deepEqual(heard, ['a', 'a', 'b'])
  })

  test('one that throws is reported, and the others still hear', () => {
    const { events, heard, hear, thrown } = given()
    const boom = new Error('boom')
    events.on('said', () => {
      throw boom
    })
    events.on('said', hear)
    events.emit('said', 'a')
    assert.deepEqual([heard, thrown], [['a'], [['said', boom]]])
  })

  test('one that rejects is reported too: it does not end the process', async () => {
    const { events, thrown } = given()
    const boom = new Error('boom')
    events.on('said', async () => {
      await Promise.resolve()
      throw boom
    })
    events.emit('said', 'a')
    await new Promise(setImmediate)
    assert.deepEqual(thrown, [['said', boom]])
  })

  test('no name is special, and what nobody listens to is nothing', () => {
    const { events, heard } = given()
    events.emit('error', new Error('nobody listens'))
    events.emit('__proto__', 1)
    events.on('__proto__', (n) => heard.push(String(n)))
    events.emit('__proto__', 2)
    assert.deepEqual(heard, ['2'])
  })

  test('has tells whether anyone listens', () => {
    const { events, hear } = given()
    assert.equal(events.has('said'), false)
    const off = events.on('said', hear)
    assert.equal(events.has('said'), true)
    off()
    assert.equal(events.has('said'), false)
  })

  test('one that is taken off during an event does not hear of it', () => {
    const { events, heard, hear } = given()
    events.on('said', () => off())
    const off = events.on('said', hear)
    events.emit('said', 'a')
    assert.deepEqual(heard, [])
  })

  test('one that comes during an event hears of the next', () => {
    const { events, heard, hear } = given()
    let off = events.on('said', function again(text) {
      hear(text)
      off()
      // Or it never ends.
      if (heard.length < 10) off = events.on('said', again)
    })
    events.emit('said', 'a')
    events.emit('said', 'b')
    assert.deepEqual(heard, ['a', 'b'])
  })
})
