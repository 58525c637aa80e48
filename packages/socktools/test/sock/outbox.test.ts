/** The way out of one connection, over a pipe that takes what the test lets it take: each mark, from both sides. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Pipe } from '../../src/net/pipe.ts'
import { Outbox, type OutboxShared } from '../../src/sock/outbox.ts'
import { RESOLVED, type Turn } from '../../src/sock/turn.ts'
import { type Cut, SLAB, Slabs } from '../../src/wire/batch.ts'
import type { Framing } from '../../src/wire/framing.ts'

const MIB = 1024 * 1024

/** One byte behind each payload. */
const framing: Framing = {
  name: 'bar',
  max: Infinity,
  size: (n) => n + 1,
  write: (into, at, payload) => {
    into.set(payload, at)
    into[at + payload.length] = 0x7c
    return at + payload.length + 1
  },
  decoder: () => assert.fail(),
}

function world({ highWaterMark = 100, maxQueue = 200, progress = true } = {}) {
  const writes: string[] = []
  const sizes: number[] = []
  const heard = { soon: 0, wrote: 0, room: 0, wait: 0, progress: 0 }
  const state = { takes: true, now: 1000, pause: RESOLVED }
  const pipe = {
    write: (chunks: readonly Uint8Array[]) => {
      sizes.push(chunks.reduce((sum, chunk) => sum + chunk.length, 0))
      writes.push(chunks.map((chunk) => new TextDecoder().decode(chunk.subarray(0, 40))).join(''))
      return state.takes
    },
  } as Pipe
  const turn = {
    wrote: () => {
      heard.wrote++
    },
    get pause() {
      return state.pause
    },
  } as unknown as Turn
  const shared: OutboxShared = {
    ...{ framing, turn, highWaterMark, maxQueue, slabs: new Slabs(), now: () => state.now },
    flushSoon: () => heard.soon++,
    onRoom: () => heard.room++,
  }
  const onWait = () => heard.wait++
  const outbox = new Outbox(
    pipe,
    shared,
    progress ? { onWait, onProgress: () => heard.progress++ } : { onWait },
  )
  return { outbox, writes, sizes, heard, state, held: () => (state.takes = false) }
}

const of = (length: number): Uint8Array => new Uint8Array(length - 1).fill(0x61)
const text = (what: string): Uint8Array => new TextEncoder().encode(what)
const cut = (what: string, messages: number): Cut => ({ chunks: [text(what)], bytes: what.length, messages })

/** Whether it is settled by now. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  let over = false
  void promise.then(
    () => (over = true),
    () => (over = true),
  )
  await new Promise((resolve) => setImmediate(resolve))
  return over
}

describe('an outbox', () => {
  test('writes all of a turn at once, when it is told to', () => {
    const { outbox, writes, heard } = world()
    assert.equal(outbox.put(text('one')), RESOLVED)
    assert.equal(heard.soon, 1)
    outbox.dirty = true
    assert.equal(outbox.put(text('two'), 0), RESOLVED)
    outbox.append(cut('three|', 2))
    assert.deepEqual([heard.soon, outbox.queued, outbox.messages, writes.length], [1, 14, 3, 0])
    outbox.flush()
    assert.deepEqual(writes, ['one|two|three|'])
    assert.deepEqual([outbox.queued, outbox.messages, outbox.bytesOut, outbox.messagesOut], [0, 0, 14, 3])
    assert.deepEqual(heard, { soon: 1, wrote: 0, room: 1, wait: 0, progress: 1 })
    outbox.flush()
    assert.equal(writes.length, 1)
    outbox.dirty = false
    outbox.append(cut('x', 1))
    assert.equal(heard.soon, 2)
  })

  test('writes nothing while the pipe holds what it could not get rid of', () => {
    const { outbox, writes, state, held } = world()
    held()
    void outbox.put(text('one'))
    outbox.flush()
    void outbox.put(text('two'), 3)
    outbox.flush()
    assert.deepEqual([writes, outbox.queued, outbox.messages], [['one|'], 8, 4])
    state.takes = true
    outbox.drained()
    assert.deepEqual([writes, outbox.queued, outbox.messages], [['one|', 'two|'], 0, 0])
  })

  test('knows for how long the pipe got rid of nothing', () => {
    const { outbox, state, held } = world()
    assert.equal(outbox.stuckFor, 0)
    held()
    void outbox.put(text('one'))
    outbox.flush()
    state.now += 70
    assert.equal(outbox.stuckFor, 70)
    void outbox.put(text('two'))
    outbox.drained()
    state.now += 5
    assert.equal(outbox.stuckFor, 5)
    state.takes = true
    outbox.drained()
    assert.equal(outbox.stuckFor, 0)
  })

  test('hands over at most about a mebibyte at once', () => {
    const { outbox, sizes } = world({ highWaterMark: 100 * MIB, maxQueue: 200 * MIB })
    for (let i = 0; i < 5; i++)
      outbox.append({ chunks: [new Uint8Array(MIB / 2)], bytes: MIB / 2, messages: 1 })
    outbox.flush()
    assert.deepEqual(sizes, [MIB, MIB, MIB / 2])
    assert.equal(outbox.queued, 0)
  })

  test('writes in the middle of a turn what is worth it, and says so to the turn', () => {
    const { outbox, sizes, heard } = world({ highWaterMark: 100 * MIB, maxQueue: 200 * MIB })
    void outbox.put(of(10_000))
    void outbox.put(of(SLAB - 20_000))
    assert.deepEqual([sizes, heard.wrote], [[], 0])
    void outbox.put(of(10_000))
    assert.deepEqual([sizes, heard.wrote, outbox.queued], [[SLAB - 10_000], 1, 10_000])
  })
})

describe('backpressure', () => {
  test('begins above the mark, and not at it', async () => {
    const { outbox, writes, heard, held } = world()
    held()
    assert.equal(outbox.put(of(100)), RESOLVED)
    assert.deepEqual([outbox.overMark, outbox.awaited, heard.wrote, writes.length], [false, false, 0, 0])
    const waiting = outbox.put(of(2))
    assert.deepEqual([outbox.overMark, outbox.awaited, heard.wrote, heard.wait], [true, true, 1, 1])
    assert.deepEqual(writes.length, 1)
    const same = outbox.put(of(2))
    assert.equal(same, waiting)
    assert.equal(heard.wait, 1)
    assert.equal(await settled(waiting), false)
  })

  test('is none where the pipe takes it all: then it is the turn that may ask for a pause', () => {
    const { outbox, state, writes } = world()
    state.pause = Promise.resolve()
    assert.equal(outbox.put(of(101)), state.pause)
    assert.deepEqual([writes.length, outbox.queued, outbox.awaited], [1, 0, false])
    assert.equal(outbox.put(of(100)), state.pause)
  })

  test('ends at half of the mark, and not above it', async () => {
    for (const more of [0, 1]) {
      const { outbox, heard, held } = world()
      held()
      const first = outbox.put(of(101))
      void outbox.put(of(50 + more))
      outbox.drained()
      assert.equal(outbox.queued, 50 + more)
      assert.equal(outbox.awaited, more === 1)
      assert.equal(heard.wait, 2 - more)
      assert.equal(await settled(first), more === 0)
      outbox.drained()
      assert.deepEqual([outbox.awaited, heard.wait, outbox.queued], [false, 2, 0])
      assert.equal(await settled(first), true)
    }
  })

  test('tells of room at the mark, and not above it', () => {
    for (const more of [0, 1]) {
      const { outbox, heard, held } = world()
      held()
      void outbox.put(of(101))
      void outbox.put(of(100 + more))
      outbox.drained()
      assert.deepEqual([heard.room, heard.progress], [1 - more, 1])
    }
  })

  test('tells of progress only who asks for it', () => {
    const { outbox } = world({ progress: false })
    void outbox.put(of(10))
    outbox.flush()
    assert.equal(outbox.queued, 0)
  })

  test('is full above its mark with what would be too much, and never below it', () => {
    const { outbox, held } = world()
    held()
    assert.equal(outbox.full(10_000), false)
    void outbox.put(of(100))
    assert.equal(outbox.full(10_000), false)
    void outbox.put(of(50))
    assert.equal(outbox.full(50), false)
    assert.equal(outbox.full(51), true)
  })
})

describe('what is framed already', () => {
  test('leaves at once where nothing waits', () => {
    const { outbox, writes, heard } = world()
    assert.equal(outbox.write(cut('one|', 2)), true)
    assert.deepEqual([writes, heard.soon, heard.progress], [['one|'], 0, 1])
    assert.deepEqual([outbox.bytesOut, outbox.messagesOut, outbox.queued], [4, 2, 0])
  })

  test('is held by the pipe where it cannot leave', () => {
    const { outbox, held } = world()
    held()
    assert.equal(outbox.write(cut('one|', 2)), false)
    assert.deepEqual([outbox.queued, outbox.messages], [4, 2])
    assert.equal(outbox.write(cut('two|', 1)), false)
    assert.deepEqual([outbox.queued, outbox.messages], [8, 3])
  })

  test('goes behind what waits', () => {
    const { outbox, writes } = world()
    void outbox.put(text('one'))
    assert.equal(outbox.write(cut('two|', 1)), true)
    assert.deepEqual([writes, outbox.queued, outbox.messagesOut], [['one|two|'], 0, 2])
  })
})

describe('the end of an outbox', () => {
  test('is empty when the system has all of it', async () => {
    const { outbox, state, held, writes, heard } = world()
    assert.equal(await settled(outbox.emptied()), true)
    held()
    void outbox.put(text('one'))
    const empty = outbox.emptied()
    assert.deepEqual([writes, heard.wrote], [['one|'], 2])
    void outbox.put(text('two'))
    assert.equal(outbox.emptied(), empty)
    outbox.drained()
    assert.equal(await settled(empty), false, 'two is held')
    state.takes = true
    outbox.drained()
    assert.equal(await settled(empty), true)
    void outbox.put(text('three'))
    assert.notEqual(outbox.emptied(), empty)
    assert.equal(outbox.queued, 0)
  })

  test('tells what is lost, and whoever waits for it', async () => {
    const { outbox, held } = world()
    held()
    const room = outbox.put(of(101), 2)
    void outbox.put(of(50))
    const empty = outbox.emptied()
    let asked = 0
    const why = () => new Error(`gone ${++asked}`)
    assert.deepEqual(outbox.close(why), { messages: 3, bytes: 151 })
    await assert.rejects(room, /gone 1/)
    await assert.rejects(empty, /gone 2/)
    assert.deepEqual([outbox.queued, outbox.messages, outbox.awaited, outbox.stuckFor], [0, 0, false, 0])
    assert.deepEqual(outbox.close(why), { messages: 0, bytes: 0 })
    assert.equal(asked, 2, 'no stack trace where nobody waits')
  })
})
