/**
 * Connections that are there and carry nothing: how soon both sides know, how soon it goes on, and whether all arrives. A
 * side asks after 200 ms of silence, and gives the connection up after 600.
 */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TestContext } from 'node:test'
import { TcpSock } from '../../../src/index.ts'
import { type Chaos, chaos } from '../../../src/testing/index.ts'
import { Child } from '../../support/child.ts'
import { next } from '../../support/events.ts'
import { ANY, at } from '../../support/tcp.ts'
import { Lag } from '../../support/lag.ts'
import { BACKOFF, DEAD, INTERVAL, OPTIONS, protocol, Talker, type Two } from '../../support/partitioned.ts'

/** How soon it has to be known, and, once it is whole again, to go on: in milliseconds. */
const DETECTED = 1.1 * (INTERVAL + DEAD)
const HEALED = 2000 + BACKOFF

export type How = 'link down' | 'one way, up' | 'one way, down' | 'SIGSTOP'

/** The longest of each. */
export interface Times {
  near: number
  far: number
  healed: number
}

export async function partitions(
  t: TestContext,
  how: How,
  busy: boolean,
  count: number,
  seed: number,
): Promise<void> {
  const most: Times = { near: 0, far: 0, healed: 0 }
  let left = count
  const worker = async (number: number): Promise<void> => {
    const make = how === 'SIGSTOP' ? stopped : proxied
    const place = await make(t, how)
    const talker = new Talker(place.two, busy)
    for (let i = number; left > 0; i++) {
      left--
      const lag = new Lag()
      // At any moment between two signs of life, and for any time.
      await sleep(INTERVAL + ((seed + i * 37) % (2 * INTERVAL)))
      await trial(place, talker, (i * 71) % 700, most, lag)
      lag.stop()
    }
    await talker.end()
    await place.end()
  }
  await Promise.all(Array.from({ length: Math.min(count, busy ? 5 : 10) }, (_, i) => worker(i * 1000)))
  const { near, far, healed } = most
  t.diagnostic(
    `${count} times: the dialer knew after ${near} ms at the most, the acceptor after ${far} ms; healed in ${healed} ms`,
  )
}

interface Place {
  readonly two: Two
  /** Begins it. */
  readonly part: () => void
  /** Resolves when the far side knows; the time counts from `part`, or from when it can know anything. */
  readonly farKnows: () => Promise<number>
  readonly heal: () => void
  readonly end: () => Promise<void>
}

async function trial(place: Place, talker: Talker, pause: number, most: Times, lag: Lag): Promise<void> {
  const { two } = place
  assert.deepEqual(two.lost, [])
  if (two.there.state !== 'open') {
    // A loop that stands still for longer than a far side may be silent gives it up.
    assert.ok(lag.most > DEAD / 4, `somebody gave it up, though the loop stood still for ${lag.most} ms only`)
    await talker.bothAnswer()
  }
  const began = performance.now()
  const nearKnows = next(two.client, 'detached').then(() => performance.now() - began)
  const farKnows = place.farKnows()
  place.part()
  const near = await nearKnows
  lag.within(near, DETECTED, 'the dialer knows')
  most.near = Math.max(most.near, Math.round(near))
  // A stopped process knows nothing until it goes on.
  const far = two.frozen ? undefined : await farKnows
  await sleep(pause)
  const healing = performance.now()
  place.heal()
  const said = far ?? (await farKnows)
  lag.within(said, DETECTED, 'the acceptor knows')
  most.far = Math.max(most.far, Math.round(said))
  await talker.bothAnswer()
  const healed = performance.now() - healing
  lag.within(healed, HEALED, 'it goes on')
  most.healed = Math.max(most.healed, Math.round(healed))
}

/** Both sides here, and between them a proxy that swallows what it is given. */
async function proxied(t: TestContext, how: How): Promise<Place> {
  const server = await TcpSock.open({ ...OPTIONS, protocol, bind: ANY })
  t.after(() => server.close())
  const proxy: Chaos = await chaos({ listen: ANY, to: at(server) })
  t.after(() => proxy.close())
  const client = await TcpSock.open({ ...OPTIONS, protocol })
  t.after(() => client.close())
  const accepted = next(server, 'peer')
  const there = await client.connectTo(proxy.address)
  const { peer: here } = await accepted
  const direction = how === 'link down' ? 'both' : how === 'one way, up' ? 'up' : 'down'
  const lost: string[] = []
  for (const sock of [server, client]) {
    sock.on('gone', ({ error }) => lost.push(`gone ${error?.code}`))
    sock.on('dropped', ({ reason }) => lost.push(`dropped ${reason}`))
  }
  return {
    two: { client, there, far: { server, here }, frozen: false, lost },
    part: () => {
      proxy.blackHole(direction)
    },
    farKnows: () => {
      const began = performance.now()
      return next(server, 'detached').then(() => performance.now() - began)
    },
    heal: () => {
      proxy.heal()
    },
    end: async () => {
      assert.deepEqual(lost, [])
      await client.close()
      await server.close()
      await proxy.close()
    },
  }
}

/** The far side is a process of its own, which is stopped and goes on. */
async function stopped(t: TestContext): Promise<Place> {
  const child = Child.start(t, 'partitioned')
  const client = await TcpSock.open({ ...OPTIONS, protocol })
  t.after(() => client.close())
  const there = await client.connectTo(await child.hear<string>())
  const lost: string[] = []
  client.on('gone', ({ error }) => lost.push(`gone ${error?.code}`))
  client.on('dropped', ({ reason }) => lost.push(`dropped ${reason}`))
  let heals = 0
  return {
    two: { client, there, far: undefined, frozen: true, lost },
    part: () => {
      heals = Infinity
      child.process.kill('SIGSTOP')
    },
    farKnows: async () => {
      // What it said before it was stopped is of something else.
      do assert.equal(await child.hear(), 'detached')
      while (heals === Infinity)
      return performance.now() - heals
    },
    heal: () => {
      heals = performance.now()
      child.process.kill('SIGCONT')
    },
    end: async () => {
      assert.deepEqual(lost, [])
      await client.close()
      child.process.stdin?.end()
      assert.deepEqual(await child.exit, { code: 0, signal: null }, child.errors)
    },
  }
}
