/**
 * Power failures at every step of seeded workloads: before each change of the disk, the disk is copied as it would be
 * found, and a store is opened on the copy. What must be there is what was told by then.
 */
import assert from 'node:assert/strict'
import type { Store } from '../../src/store/index.ts'
import { type CrashKind, SimDisk } from '../../src/testing/index.ts'
import {
  CHANGES,
  content,
  DIR,
  FAR,
  ofOneLife,
  openOn,
  PEERS,
  pendingOf,
  sizes,
  xoshiro128,
} from '../support/store.ts'

interface Message {
  readonly peer: string
  readonly text: string
  /** Once it was accepted. */
  n?: number | undefined
  rejected?: boolean
  settling?: boolean
  settled?: boolean
}

const KINDS: readonly CrashKind[] = ['lost', 'kept', 'torn', 'torn']

export interface Outcome {
  crashes: number
  accepted: number
  /** Found, though nobody was told yet. */
  early: number
  torn: number
  /** Workloads at whose end the first segment was gone. */
  swept: number
}

export async function crashes(seed: number, steps: number, total: Outcome): Promise<void> {
  const random = xoshiro128(seed)
  const disk = new SimDisk({ random })
  const messages: Message[] = []
  const cursor = { told: 0, asked: 0 }
  let store: Store | undefined
  let serial = 0

  const verify = async (found: SimDisk, deep: boolean): Promise<void> => {
    total.crashes++
    const must = messages.map((message) => ({ ...message }))
    const { told, asked } = cursor
    const known = store?.id
    const own = xoshiro128(seed + total.crashes)
    if (deep) {
      // The power fails again, while what was left is taken over.
      let left = 1 + Math.floor(own() * 12)
      found.before = ({ kind }) => {
        if (CHANGES.includes(kind) && --left === 0) found.crash('torn')
      }
      const opened = openOn(found, own).then((again) => again.close())
      await Promise.race([opened, new Promise((resolve) => setImmediate(resolve))])
      found.crash('torn')
      found.before = () => undefined
    }
    const again = await openOn(found, own)
    if (known !== undefined) assert.equal(again.id, known)
    const pending = await pendingOf(again)
    for (const { peer, n, text, settling, settled } of must) {
      if (n === undefined) continue
      const there = pending.get(peer)?.get(n)
      if (settled === true) assert.equal(there, undefined, `settled: ${peer} ${n}`)
      else if (settling !== true || there !== undefined) assert.equal(there, text, `accepted: ${peer} ${n}`)
    }
    for (const [peer, own] of pending) {
      const accepted = new Map(
        must.flatMap((m) => (m.peer === peer && m.n !== undefined ? [[m.n, m.text]] : [])),
      )
      const open = must.filter((m) => m.peer === peer && m.n === undefined && m.rejected !== true)
      for (const [n, text] of own) {
        if (accepted.has(n)) continue
        total.early++
        // Its promise is about to resolve, or never will: those are in the order in which they were asked for.
        assert.equal(open.shift()?.text, text, `nobody sent that: ${peer} ${n}`)
      }
    }
    assert.ok(again.cursor(FAR) >= told && again.cursor(FAR) <= asked, 'the cursor')
    for (const peer of PEERS) {
      const highest = Math.max(0, ...must.flatMap((m) => (m.peer === peer ? (m.n ?? 0) : [])))
      const n = await again.append(peer, 'next', new Uint8Array(1))
      assert.ok(n > highest, `n ${n} of ${peer} was given out before`)
    }
    await again.close()
  }

  disk.before = async ({ kind, path }) => {
    if (!CHANGES.includes(kind)) return
    for (const how of KINDS) {
      const found = disk.afterCrash(how)
      if (how === 'torn') total.torn++
      try {
        await verify(found, how === 'torn' && random() < 0.2)
      } catch (error) {
        throw new Error(`seed ${seed}, ${how} before ${kind} of ${path}`, { cause: error })
      }
    }
  }

  let life = ofOneLife(disk)
  store = await openOn(life.disk, random)
  let busy: Promise<unknown>[] = []
  for (let step = 0; step < steps; step++) {
    const what = random()
    if (what < 0.55) {
      for (let left = Math.floor(random() * 8); left >= 0; left--) {
        const peer = PEERS[Math.floor(random() ** 2 * PEERS.length)] ?? PEERS[0]
        const { type, payload, text } = content(++serial, sizes(random))
        const message: Message = { peer, text }
        const asked = store
        messages.push(message)
        busy.push(
          store.append(peer, type, payload).then(
            (n) => {
              if (store !== asked) return // what a dead process would have said
              message.n = n
              total.accepted++
            },
            (error: unknown) => {
              message.rejected = true
              throw error
            },
          ),
        )
      }
    } else if (what < 0.85) {
      // The last peer takes little: its messages keep old segments, until they are moved.
      for (const message of messages) {
        const chance = message.peer === PEERS[2] ? 0.1 : 0.8
        if (message.n === undefined || message.settling === true || random() > chance) continue
        message.settling = true
        busy.push(store.settle(message.peer, message.n, 'delivered').then(() => (message.settled = true)))
      }
    } else if (what < 0.95) {
      const n = (cursor.asked += 1 + Math.floor(random() * 5))
      busy.push(store.advance(FAR, n).then(() => (cursor.told = Math.max(cursor.told, n))))
    } else if (what < 0.975) {
      await Promise.all(busy)
      busy = []
      await store.close()
      store = await openOn(life.disk, random)
    } else {
      // The process dies and the machine goes on: what it wrote is in the cache, not on the disk.
      disk.kill()
      life.end()
      busy = []
      life = ofOneLife(disk)
      store = await openOn(life.disk, random)
      const found = await pendingOf(store)
      for (const message of messages) {
        const own = found.get(message.peer)
        if (message.n === undefined)
          message.n = [...(own ?? [])].find(([, text]) => text === message.text)?.[0]
        if (message.n === undefined) message.rejected = true
        else if (message.settled !== true && own?.has(message.n) === true) message.settling = false
        else {
          assert.ok(message.settling, `killed, and gone: ${message.peer} ${message.n}`)
          message.settled = true
        }
      }
    }
    if (random() < 0.5) {
      await Promise.all(busy)
      busy = []
    }
  }
  await Promise.all(busy)
  const { pendingBytes, diskBytes } = store.stats()
  assert.ok(diskBytes <= 2 * pendingBytes + 6 * 16 * 1024, `${diskBytes} bytes for ${pendingBytes}`)
  if (disk.content(`${DIR}/000000000001.seg`) === undefined) total.swept++
  await store.close()
}
