import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { json } from '../../src/wire/codec.ts'
import { Dispatch } from '../../src/sock/dispatch.ts'
import { type SubscribeOptions, Subscription } from '../../src/sock/subscription.ts'

function given(options: SubscribeOptions = {}): { feed: Subscription<number>; ended: number[] } {
  const ended: number[] = []
  return { feed: new Subscription<number>(options, () => ended.push(1)), ended }
}

const done = { value: undefined, done: true }
const item = (value: number): object => ({ value, done: false })

describe('Subscription', () => {
  test('what was pushed is read in order, whether it waits or is waited for', async () => {
    const { feed } = given()
    feed.push(1)
    feed.push(2)
    assert.deepEqual(await feed.next(), item(1))
    assert.deepEqual(await feed.next(), item(2))
    const waiting = [feed.next(), feed.next(), feed.next()]
    for (const n of [3, 4, 5]) feed.push(n)
    assert.deepEqual(await Promise.all(waiting), [3, 4, 5].map(item))
  })

  test('for await ends when it ends, after what waits', async () => {
    const { feed, ended } = given()
    for (const n of [1, 2, 3]) feed.push(n)
    feed.end()
    feed.push(4)
    const read: number[] = []
    for await (const n of feed) read.push(n)
    assert.deepEqual([read, ended], [[1, 2, 3], [1]])
    assert.deepEqual(await feed.next(), done)
  })

  test('break takes it off, and what waits is gone', async () => {
    const { feed, ended } = given()
    for (const n of [1, 2, 3]) feed.push(n)
    for await (const n of feed) if (n === 1) break
    assert.deepEqual([await feed.next(), ended], [done, [1]])
  })

  test('one item over its limit ends it: what waits is read, then SLOW_CONSUMER, then the end', async () => {
    const { feed, ended } = given({ limit: 2 })
    for (const n of [1, 2, 3, 4]) feed.push(n)
    assert.deepEqual(ended, [1])
    assert.deepEqual([await feed.next(), await feed.next()], [item(1), item(2)])
    await assert.rejects(feed.next(), { code: 'SLOW_CONSUMER' })
    assert.deepEqual(await feed.next(), done)
  })

  test('the limit is 1,000 if none is given', () => {
    const { feed, ended } = given()
    for (let i = 0; i < 1000; i++) feed.push(i)
    assert.deepEqual(ended, [])
    feed.push(1000)
    assert.deepEqual(ended, [1])
  })

  test('items that are waited for count against no limit', async () => {
    const { feed, ended } = given({ limit: 0 })
    const waiting = [feed.next(), feed.next()]
    feed.push(1)
    feed.push(2)
    assert.deepEqual([await Promise.all(waiting), ended], [[item(1), item(2)], []])
    feed.push(3)
    await assert.rejects(feed.next(), { code: 'SLOW_CONSUMER' })
  })

  test('end resolves all who wait; with an error it rejects them', async () => {
    const { feed } = given()
    const waiting = [feed.next(), feed.next()]
    feed.end()
    assert.deepEqual(await Promise.all(waiting), [done, done])

    const failing = given().feed
    const [first, second] = [failing.next(), failing.next()]
    const boom = new Error('boom')
    failing.end(boom)
    await assert.rejects(first, boom)
    await assert.rejects(second, boom)
  })

  test('return ends those who wait', async () => {
    const { feed, ended } = given()
    const waiting = feed.next()
    assert.deepEqual(await feed.return(), done)
    assert.deepEqual([await waiting, ended], [done, [1]])
    await feed.return()
    assert.deepEqual(ended, [1], 'once')
  })

  test('its signal ends it without an error, and what waits is gone', async () => {
    const aborter = new AbortController()
    const { feed, ended } = given({ signal: aborter.signal })
    feed.push(1)
    const reading = [feed.next(), feed.next()]
    feed.push(2)
    feed.push(3)
    aborter.abort()
    assert.deepEqual(await Promise.all(reading), [item(1), item(2)])
    assert.deepEqual([await feed.next(), ended], [done, [1]])
  })

  test('under a signal that was aborted already it is over', async () => {
    const { feed } = given({ signal: AbortSignal.abort() })
    feed.push(1)
    assert.deepEqual(await feed.next(), done)
  })

  test('one that has ended leaves no listener on its signal', async () => {
    const { signal } = new AbortController()
    let listeners = 0
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++
      add(...args)
    }
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners--
      remove(...args)
    }
    const { feed } = given({ signal })
    assert.equal(listeners, 1)
    await feed.return()
    assert.equal(listeners, 0)
  })
})

describe('readRaw and messages', () => {
  const silent = { invalid: () => undefined, unhandled: () => undefined, fault: () => undefined }
  const peer = { address: 'memory:a' } as never
  const payload = json().encode('say', 1)

  for (const which of ['tap', 'subscribe'] as const) {
    const open = (dispatch: Dispatch<any>, options: SubscribeOptions): AsyncIterableIterator<unknown> =>
      which === 'tap' ? dispatch.tap(options) : dispatch.subscribe('say', options)

    test(`${which}: under a signal that was aborted already, it is over and counts as nobody`, async () => {
      let unhandled = 0
      const dispatch = new Dispatch<any>({} as never, json(), undefined, {
        ...silent,
        unhandled: () => unhandled++,
      })
      const feed = open(dispatch, { signal: AbortSignal.abort() })
      void dispatch.handle(peer, payload)
      assert.deepEqual([await feed.next(), unhandled], [done, 1])
    })

    test(`${which}: a reader that stops, falls behind or breaks off stalls no one else`, async () => {
      const dispatch = new Dispatch<any>({} as never, json(), undefined, silent)
      const [slow, gone, reader] = [open(dispatch, { limit: 1 }), open(dispatch, {}), open(dispatch, {})]
      await gone.return?.()
      for (let i = 0; i < 3; i++) void dispatch.handle(peer, payload)
      await slow.next()
      await assert.rejects(slow.next(), { code: 'SLOW_CONSUMER' })
      dispatch.end()
      let read = 0
      for await (const _ of { [Symbol.asyncIterator]: () => reader }) read++
      assert.equal(read, 3)
    })
  }
})
