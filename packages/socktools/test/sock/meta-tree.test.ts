/** Metas in metas, at random: whatever the tree, everyone is reached once, and everything arrives at every level once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { json, type MetaSock, type Peer, type PipeSock } from '../../src/index.ts'
import { noCrashes } from '../support/crashes.ts'
import { GUARD } from '../support/tcp.ts'
import { simulate, type World } from '../support/world.ts'

noCrashes()

type Json = ReturnType<typeof json>

/** A sock with so many peers, or a meta with what is in it. */
type Tree = number | Tree[]

const { trees } = fc.letrec<{ trees: Tree[]; tree: Tree }>((tie) => ({
  trees: fc.array(tie('tree'), { maxLength: 4 }),
  tree: fc.oneof({ maxDepth: 4 }, fc.integer({ min: 0, max: 3 }), tie('trees')),
}))

interface Client {
  readonly name: string
  readonly sock: PipeSock<Json>
  /** How many metas its server is in. */
  readonly depth: number
  /** It as its server sees it. */
  readonly peer: Peer<Json>
  readonly heard: unknown[]
}

/** Builds it, and connects all clients. Every meta notes what arrives as `who`. */
async function build(world: World, tree: Tree[], seen: Map<unknown, number>): Promise<[MetaSock, Client[]]> {
  const clients: Client[] = []
  let count = 0
  const grow = async (branches: Tree[], depth: number): Promise<MetaSock> => {
    const meta = world.meta({ handlers: { iam: (who) => seen.set(who, (seen.get(who) ?? 0) + 1) } })
    for (const branch of branches) {
      if (typeof branch !== 'number') {
        meta.add(await grow(branch, depth + 1))
        continue
      }
      const address = `memory:s${++count}`
      const server = meta.add(await world.open({ bind: address, codec: json() }))
      for (let i = 0; i < branch; i++) {
        const heard: unknown[] = []
        const sock = await world.open({ codec: json(), handlers: { say: (data) => heard.push(data) } })
        await sock.connectTo(address)
        await world.quiet()
        const peer = server.knownPeers.at(-1)!
        clients.push({ name: `${address} ${i}`, sock, depth, peer, heard })
      }
    }
    return meta
  }
  return [await grow(tree, 1), clients]
}

test(
  'all, some and all but some are reached exactly once; what each says is seen once at each level',
  GUARD,
  () =>
    fc.assert(
      fc.asyncProperty(trees, fc.infiniteStream(fc.boolean()), async (tree, coins) => {
        await simulate(async (world) => {
          const seen = new Map<unknown, number>()
          const [root, clients] = await build(world, tree, seen)
          assert.deepEqual(new Set(root.knownPeers), new Set(clients.map(({ peer }) => peer)))
          assert.equal(root.stats().peers, clients.length)
          const some = clients.filter(() => coins.next().value === true)
          // As peers and as addresses, twice over.
          const to = some.flatMap(({ peer }, i) => [peer, i % 2 === 0 ? peer.address : peer])
          await root.sendMsg('say', 'to all')
          await root.sendMsg('say', 'to some', { to })
          await root.sendMsg('say', 'to the others', { except: to })
          for (const { sock, name } of clients) await sock.sendMsg('iam', name)
          await world.quiet()
          for (const client of clients) {
            const expected = ['to all', some.includes(client) ? 'to some' : 'to the others']
            assert.deepEqual(client.heard, expected, client.name)
            assert.equal(seen.get(client.name), client.depth, client.name)
          }
          assert.deepEqual(root.stats().dropped, {})
        })
      }),
      { numRuns: 60 },
    ),
)
