import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { xoshiro128 } from '../../../src/testing/sim-platform.ts'
import { Child } from '../../support/child.ts'

export type Victim = 'send' | 'take' | 'both'
/** What the receiver keeps its cursor in: the file that it writes to, or a store behind that. */
export type InboxKind = 'file' | 'store'

interface Done {
  readonly serial: number
  readonly n: number
  readonly redelivered: boolean
}

/** A process that posts and one that handles, of which one or both are killed so many times. */
export async function kills(
  t: TestContext,
  victims: Readonly<Partial<Record<Victim, number>>>,
  inbox: InboxKind,
  seed: number,
): Promise<{ accepted: number; again: number }> {
  const directory = mkdtempSync(join(tmpdir(), 'socktools-posts-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const random = xoshiro128(seed)
  const accepted = new Set<number>()
  let lives = 0
  const note = (word: unknown): unknown => {
    const { accepted: serial } = word as { accepted?: number }
    if (serial !== undefined) accepted.add(serial)
    return word
  }
  const start = async (role: 'send' | 'take'): Promise<Child> => {
    const child = Child.start(
      t,
      'posts.mjs',
      role,
      directory,
      role === 'take' ? inbox : String(++lives * 1_000_000),
    )
    assert.equal(await child.hear(), 'ready')
    return child
  }
  /** What it said before it died was true. */
  const kill = async (child: Child): Promise<void> => {
    child.process.kill('SIGKILL')
    for (;;) {
      const word = await child.hear().catch(() => undefined)
      if (word === undefined) break
      note(word)
    }
    await child.exit
  }

  let [taker, sender] = await Promise.all([start('take'), start('send')])
  const queue = Object.entries(victims).flatMap(([victim, times]) =>
    Array.from({ length: times }, () => victim as Victim),
  )
  queue.sort(() => random() - 0.5)
  for (const victim of queue) {
    for (let left = Math.floor(random() * 150); left >= 0; left--) note(await sender.hear())
    await Promise.all([
      victim === 'take' ? undefined : kill(sender),
      victim === 'send' ? undefined : kill(taker),
    ])
    if (victim !== 'take') sender = await start('send')
    if (victim !== 'send') taker = await start('take')
  }
  sender.tell('stop')
  while (note(await sender.hear()) !== 'empty');
  taker.tell('stop')
  await Promise.all([sender.exit, taker.exit])

  const done = readFileSync(join(directory, 'done'), 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Done)
  const seen = new Set<number>()
  let last = 0
  let again = 0
  for (const { serial, n, redelivered } of done) {
    if (seen.has(n)) {
      again++
      assert.ok(redelivered, `${n} came again, and does not say so`)
      assert.equal(inbox, 'store', `${n} was handled twice`)
    } else {
      assert.ok(n > last, `${n} after ${last}`)
      last = n
    }
    seen.add(n)
    accepted.delete(serial)
  }
  assert.deepEqual([...accepted], [], 'accepted, and never handled')
  return { accepted: done.length - again, again }
}
