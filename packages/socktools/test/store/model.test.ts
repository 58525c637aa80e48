/** Seeded sequences of everything a store does, against thirty lines in memory. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SimDisk } from '../../src/testing/index.ts'
import { content, openOn, PEERS, pendingOf, Reference, sizes, xoshiro128 } from '../support/store.ts'

async function run(seed: number, steps: number): Promise<void> {
  const random = xoshiro128(seed)
  const disk = new SimDisk({ random })
  const model = new Reference()
  let store = await openOn(disk, random)
  const { id } = store
  const stores = ['a', 'b'].map((c) => c.repeat(32))
  const check = async (): Promise<void> => {
    const want = new Map(
      [...model.peers].flatMap(([peer, { last, pending }]) => (last > 0 ? [[peer, pending]] : [])),
    )
    assert.deepEqual(await pendingOf(store), want)
    for (const peer of store.peers()) {
      const known = model.of(peer.peer)
      assert.deepEqual([peer.last, peer.pending], [known.last, known.pending.size])
    }
    for (const far of stores) assert.equal(store.cursor(far), model.cursors.get(far) ?? 0)
    const pending = [...model.peers.values()].reduce((sum, one) => sum + one.pending.size, 0)
    assert.equal(store.stats().pending, pending)
  }
  for (let step = 0; step < steps; step++) {
    const what = random()
    const peer = PEERS[Math.floor(random() * 3)] ?? PEERS[0]
    if (what < 0.5) {
      const all = Array.from({ length: 1 + Math.floor(random() * 4) }, (_, i) => {
        const { type, payload, text } = content(step * 10 + i, sizes(random))
        return [store.append(peer, type, payload), text] as const
      })
      for (const [n, text] of all) assert.equal(await n, model.append(peer, text))
    } else if (what < 0.8) {
      for (const n of [...model.of(peer).pending.keys()].filter(() => random() < 0.7)) {
        model.settle(peer, n)
        const settled = store.settle(peer, n, 'delivered')
        if (random() < 0.5) await settled
        if (random() < 0.1) await store.settle(peer, n, 'unknown')
      }
    } else if (what < 0.9) {
      const far = stores[Math.floor(random() * 2)] ?? ''
      const n = Math.floor(random() * step)
      model.advance(far, n)
      await store.advance(far, n)
    } else if (what < 0.95) await check()
    else {
      await store.close()
      store = await openOn(disk, random)
      assert.equal(store.id, id)
      await check()
    }
  }
  await check()
  await store.close()
}

describe('a store', () => {
  for (let seed = 1; seed <= 12; seed++) test(`does as the reference, seed ${seed}`, () => run(seed, 250))
})
