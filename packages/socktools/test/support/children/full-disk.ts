/**
 * A store in a directory that is a small disk of its own: fills it to the last byte, in so many rounds. What it says is
 * what it found, as `Filled`; what is not as it should be ends it with an error. With `killed` it is killed once the disk is
 * full.
 */
import assert from 'node:assert/strict'
import { Store } from '../../../src/store/index.ts'
import { content, pendingOf, xoshiro128 } from '../store.ts'
import { say } from './say.ts'

export interface Filled {
  /** Messages that were accepted, and those that were refused. */
  readonly accepted: number
  readonly refused: number
  /** Bytes that the files had when the disk was full, at the least and at the most. */
  readonly least: number
  readonly most: number
}

const [directory = '', rounds = '1', how] = process.argv.slice(2)
const options = { segmentBytes: 64 * 1024 }
const random = xoshiro128(9)
const filled = { accepted: 0, refused: 0, least: Infinity, most: 0 }
let serial = 0
let store = await Store.open(directory, options)
// What is there already, of one that was killed, has to stay.
const model = new Map((await pendingOf(store)).get('far'))

/** Appends several at once until nothing fits. */
async function fill(size: number): Promise<void> {
  const before = filled.refused
  while (filled.refused === before) {
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        const { type, payload, text } = content(++serial, Math.floor(random() * size))
        try {
          const n = await store.append('far', type, payload)
          assert.equal(model.has(n), false)
          model.set(n, text)
          filled.accepted++
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'OUTBOX_FULL')
          filled.refused++
        }
      }),
    )
  }
}

const check = async (what: string): Promise<void> => {
  const found = (await pendingOf(store)).get('far') ?? new Map<number, string>()
  assert.deepEqual(found, new Map([...model].sort(([a], [b]) => a - b)), what)
}

async function reopen(): Promise<void> {
  await store.close()
  store = await Store.open(directory, options)
  await check('opened again')
}

if (how === 'killed') {
  await fill(30_000)
  await fill(300)
  process.kill(process.pid, 'SIGKILL')
}
await check('what is found')
for (let round = 0; round < Number(rounds); round++) {
  await fill(30_000)
  // To the last byte.
  await fill(300)
  await check('what was refused is not there, all else is')
  assert.deepEqual([store.stats().state, store.stats().diskFull], ['open', true])
  filled.least = Math.min(filled.least, store.stats().diskBytes)
  filled.most = Math.max(filled.most, store.stats().diskBytes)
  if (round % 3 === 1) await reopen()
  // Outcomes are written on a full disk, too; the next messages take their place.
  const keep = round % 4 === 3 ? 0 : random()
  const over = [...model.keys()].filter(() => random() >= keep)
  await Promise.all(
    over.map(async (n) => {
      model.delete(n)
      await store.settle('far', n, 'delivered')
    }),
  )
  await check('after the outcomes')
  if (round % 2 === 1) await reopen()
}
await store.close()
say(filled satisfies Filled)
