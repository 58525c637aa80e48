/** Messages that came before, cursors, and when a DONE may be told. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type Inbox, Intake, type Origin } from '../../../src/sock/durable/intake.ts'
import type { DoneLevel } from '../../../src/wire/v1/marks.ts'
import { noCrashes } from '../../support/crashes.ts'
import { signal } from '../../support/events.ts'

noCrashes()

const [A, B] = ['a'.repeat(32), 'b'.repeat(32)]

/** A connection that notes what is told. */
class Connection implements Origin {
  readonly told: string[] = []
  readonly failures: unknown[] = []
  readonly #intake: Intake

  constructor(intake: Intake) {
    this.#intake = intake
  }

  inboxFailed(thrown: unknown): void {
    this.failures.push((thrown as Error).message)
  }

  take(n: number, handle: () => unknown, done: DoneLevel = 'processed', store = A): Promise<void> {
    const id = { store, n, redelivered: false }
    const run = async (): Promise<string> => ((await handle()) as string | undefined) ?? ''
    return this.#intake.take(this, id, done, run, (code) => {
      this.told.push(`${n}${code === '' ? '' : ` ${code}`}`)
    })
  }
}

/** Cursors that are kept for good, and how they are asked for. */
class Cursors implements Inbox {
  readonly kept = new Map<string, number>()
  readonly calls: string[] = []
  gate: Promise<unknown> = Promise.resolve()
  fails: string | undefined
  #busy = false

  async cursor(store: string): Promise<number> {
    this.calls.push(`cursor ${store[0]}`)
    await this.gate
    if (this.fails === 'cursor') throw new Error('no cursor')
    return this.kept.get(store) ?? 0
  }

  async advance(store: string, n: number): Promise<void> {
    assert.equal(this.#busy, false, 'one at a time')
    this.#busy = true
    this.calls.push(`advance ${store[0]} ${n}`)
    await this.gate
    this.#busy = false
    if (this.fails === 'advance') throw new Error('no advance')
    this.kept.set(store, n)
  }
}

const soon = () => new Promise((resolve) => setImmediate(resolve))

describe('an intake', () => {
  test('handles each message once, in its order, whatever connections it comes over', async () => {
    const intake = new Intake(undefined)
    const [one, two] = [new Connection(intake), new Connection(intake)]
    const gate = signal()
    const ran: string[] = []
    const first = one.take(1, async () => {
      await gate.promise
      ran.push('one 1')
    })
    const again = two.take(1, () => ran.push('two 1'))
    const next = two.take(2, () => {
      ran.push('two 2')
      return 'HANDLER_FAILED'
    })
    const late = one.take(2, () => ran.push('one 2'))
    const other = one.take(1, () => void ran.push('b 1'), 'processed', B)
    await soon()
    assert.deepEqual(ran, ['b 1'], 'another store waits for nobody')
    assert.deepEqual([one.told, two.told], [['1'], []])
    gate.give()
    await Promise.all([first, again, next, late, other])
    assert.deepEqual(ran, ['b 1', 'one 1', 'two 2'])
    assert.deepEqual(one.told, ['1', '1', '2'])
    assert.deepEqual(two.told, ['1', '2 HANDLER_FAILED'])
    assert.equal(intake.duplicates, 2)
  })

  test('what the inbox has is not handled; gaps are', async () => {
    const cursors = new Cursors()
    cursors.kept.set(A, 5)
    const intake = new Intake(cursors)
    const one = new Connection(intake)
    const ran: number[] = []
    for (const n of [4, 5, 6, 9]) await one.take(n, () => void ran.push(n))
    await intake.settled()
    assert.deepEqual(ran, [6, 9])
    assert.deepEqual(one.told, ['4', '5', '6', '9'])
    assert.equal(cursors.kept.get(A), 9)
    assert.equal(cursors.calls.filter((call) => call.startsWith('cursor')).length, 1)
    await new Connection(intake).take(10, () => undefined)
    assert.equal(cursors.calls.filter((call) => call.startsWith('cursor')).length, 2, 'for each connection')
  })

  test('keeps no connection that is gone', async () => {
    setFlagsFromString('--expose-gc')
    const gc = runInNewContext('gc') as () => void
    const intake = new Intake(new Cursors())
    const once = async (store: string): Promise<WeakRef<Connection>> => {
      const one = new Connection(intake)
      await one.take(1, () => undefined, 'durable', store)
      await intake.settled()
      assert.deepEqual(one.told, ['1'])
      return new WeakRef(one)
    }
    const gone = [await once(A), await once(B)]
    // A WeakRef holds its target until the turn is over.
    await soon()
    await soon()
    gc()
    assert.deepEqual(
      gone.map((one) => one.deref()),
      [undefined, undefined],
    )
    await new Connection(intake).take(2, () => undefined)
  })

  test('processed is told at once, durable when the cursor is; one write stands for all that came meanwhile', async () => {
    const cursors = new Cursors()
    const intake = new Intake(cursors)
    const one = new Connection(intake)
    await one.take(1, () => undefined)
    await intake.settled()
    cursors.calls.length = 0
    const gate = signal()
    cursors.gate = gate.promise
    for (const n of [2, 3, 4, 5]) await one.take(n, () => undefined, n === 3 ? 'processed' : 'durable')
    assert.deepEqual(one.told, ['1', '3'])
    gate.give()
    await intake.settled()
    assert.deepEqual(one.told, ['1', '3', '2', '4', '5'])
    assert.deepEqual(cursors.calls, ['advance a 2', 'advance a 5'])
    await one.take(4, () => assert.fail('again'), 'durable')
    assert.deepEqual(one.told.slice(5), ['4'], 'it is on disk by now')
  })

  test('no cursor moves before the handler has returned', async () => {
    const cursors = new Cursors()
    const gate = signal()
    const intake = new Intake(cursors)
    const taken = new Connection(intake).take(1, () => gate.promise, 'durable')
    await soon()
    assert.deepEqual(cursors.calls, ['cursor a'])
    gate.give()
    await taken
    await intake.settled()
    assert.deepEqual(cursors.calls, ['cursor a', 'advance a 1'])
  })

  test('a message that comes again waits for the cursor that covers it', async () => {
    const cursors = new Cursors()
    cursors.kept.set(A, 7)
    const intake = new Intake(cursors)
    const one = new Connection(intake)
    await one.take(3, () => assert.fail('again'), 'durable')
    await intake.settled()
    assert.deepEqual([one.told, cursors.calls], [['3'], ['cursor a', 'advance a 7']])
  })

  test('an inbox that fails: nothing is told of what it was to keep, and the connection hears of it', async () => {
    const cursors = new Cursors()
    const intake = new Intake(cursors)
    const one = new Connection(intake)
    cursors.fails = 'advance'
    await one.take(1, () => undefined, 'durable')
    await intake.settled()
    assert.deepEqual([one.told, one.failures], [[], ['no advance']])
    cursors.fails = 'cursor'
    const two = new Connection(intake)
    await two.take(2, () => assert.fail('it may have been handled'))
    assert.deepEqual([two.told, two.failures], [[], ['no cursor']])
    cursors.fails = undefined
    const three = new Connection(intake)
    await three.take(1, () => assert.fail('it was handled in this process'), 'durable')
    await three.take(2, () => undefined, 'durable')
    await intake.settled()
    assert.deepEqual(three.told, ['1', '2'])
    assert.equal(cursors.kept.get(A), 2)
  })

  test('a stranger that names ever more stores is forgotten again', async () => {
    const intake = new Intake(undefined)
    const one = new Connection(intake)
    const name = (i: number): string => i.toString(16).padStart(32, '0')
    for (let i = 0; i < 5000; i++) await one.take(1, () => undefined, 'processed', name(i))
    let ran = 0
    await one.take(1, () => (ran += 1) && undefined, 'processed', name(4999))
    await one.take(1, () => (ran += 1) && undefined, 'processed', name(0))
    assert.equal(ran, 1)
  })
})
