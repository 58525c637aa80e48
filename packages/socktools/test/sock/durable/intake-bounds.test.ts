/** What an intake keeps in mind, and for how long; and what it confirms without an inbox. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Inbox, Intake } from '../../../src/sock/durable/intake.ts'
import type { DoneLevel } from '../../../src/wire/v1/marks.ts'
import { noCrashes } from '../../support/crashes.ts'
import { signal } from '../../support/events.ts'

noCrashes()

const A = 'a'.repeat(32)
/** How many sending stores are kept in mind. */
const MOST = 4096

function world(inbox?: Inbox) {
  const intake = new Intake(inbox)
  const told: string[] = []
  const failures: unknown[] = []
  const from = { inboxFailed: (thrown: unknown) => failures.push(thrown) }
  const take = (
    store: string,
    n: number,
    handle: () => Promise<string | undefined> | string | undefined = () => '',
    done: DoneLevel = 'processed',
  ): Promise<void> =>
    intake.take(from, { store, n, redelivered: false }, done, handle, (code) => told.push(`${n}${code}`))
  return {
    ...{ intake, told, failures, take },
    /** Messages of so many other stores. */
    others: async (count: number): Promise<void> => {
      await Promise.all(Array.from({ length: count }, (_, i) => take(i.toString(16).padStart(32, '0'), 1)))
    },
  }
}

describe('an intake without an inbox', () => {
  test('confirms what is handled, as far as it can be', async () => {
    const { take, told, failures, intake } = world()
    await take(A, 1, undefined, 'durable')
    assert.deepEqual(told, ['1'])
    await take(A, 1, undefined, 'durable')
    await take(A, 2)
    assert.deepEqual([told, intake.duplicates], [['1', '1', '2'], 1])
    await intake.settled()
    assert.deepEqual(failures, [])
  })

  test('says nothing of what was not handled after all: it may come again', async () => {
    const { take, told, intake } = world()
    await take(A, 1, () => undefined)
    assert.deepEqual(told, [])
    await take(A, 1, () => ' again')
    assert.deepEqual([told, intake.duplicates], [['1 again'], 0])
  })

  test('keeps as many stores in mind as it may, and forgets the one that was heard of longest ago', async () => {
    for (const more of [0, 1]) {
      const { take, others, intake, told } = world()
      await take(A, 1)
      await others(MOST - 1 + more)
      told.length = 0
      await take(A, 1, () => ' handled')
      assert.equal(intake.duplicates, 1 - more)
      assert.deepEqual(told, [more === 0 ? '1' : '1 handled'])
    }
  })

  test('forgets none of which something is being handled', async () => {
    const { take, others, intake } = world()
    const gate = signal()
    let handled = 0
    const handle = async (): Promise<string> => {
      handled++
      await gate.promise
      return ''
    }
    const first = take(A, 1, handle)
    await others(MOST + 10)
    const second = take(A, 1, handle)
    gate.give()
    await Promise.all([first, second])
    assert.deepEqual([handled, intake.duplicates], [1, 1])
  })
})

test('an intake forgets no store whose cursor is on its way to the inbox', async () => {
  const gate = signal()
  const asked: string[] = []
  const { take, others, intake } = world({
    cursor: (store) => {
      if (store === A) asked.push('cursor')
      return 0
    },
    advance: async (store, n) => {
      if (store !== A) return
      asked.push(`advance ${n}`)
      await gate.promise
    },
  })
  await take(A, 1)
  await others(MOST + 10)
  await take(A, 2)
  assert.deepEqual(asked, ['cursor', 'advance 1'], 'one at a time')
  gate.give()
  await intake.settled()
  assert.deepEqual(asked, ['cursor', 'advance 1', 'advance 2'])
})
