/**
 * Three machines that post to each other while they are killed, lose their power, and the network breaks between them.
 * What was accepted is handled, in its order; twice only as far as the kind of inbox allows that, and then it says so.
 */
import assert from 'node:assert/strict'
import { z } from 'zod'
import { type Inbox, msg } from '../../../src/index.ts'
import { Store } from '../../../src/store/index.ts'
import { type FaultKind, type SimReport, simulate } from '../../../src/testing/index.ts'

export type InboxKind = 'transaction' | 'store' | 'memory'
export const INBOXES: readonly InboxKind[] = ['transaction', 'store', 'memory']

const protocol = {
  iAm: msg(z.string()),
  work: msg(z.object({ from: z.string(), to: z.string(), serial: z.number(), fill: z.string() })),
}

/** Those of two: what was asked for, what was accepted, and what was handled, with how it came. */
class Stream {
  serial = 0
  readonly accepted = new Set<number>()
  readonly handled = new Map<number, number>()
  last = 0
  again = 0
}

export interface CrashTotals {
  handled: number
  accepted: number
  again: number
  crashes: number
}

const FAULTS: readonly FaultKind[] = [
  'kill',
  'power',
  'reset',
  'partition',
  'halfOpen',
  'split',
  'delay',
  'freeze',
]
const DURATION = 60_000

export async function crashes(seed: number, kind: InboxKind, total: CrashTotals): Promise<SimReport> {
  const streams = new Map<string, Stream>()
  const streamOf = (from: string, to: string): Stream => {
    const key = `${from} → ${to}`
    const stream = streams.get(key) ?? new Stream()
    streams.set(key, stream)
    return stream
  }
  // What an application has in a database: it is there whole, or not at all, whatever happens to the process.
  const databases = [0, 1, 2].map(() => new Map<string, number>())
  let crashed = 0
  const report = await simulate(
    { seed, nodes: 3, duration: DURATION, faults: FAULTS, faultCount: 14, within: 600_000 },
    async (sim) => {
      const cluster = await sim.boot(async (me) => {
        if (me.life > 1) crashed++
        const store = await Store.open('/outbox', { platform: me.platform, segmentBytes: 16 * 1024 })
        const database = databases[me.node] as Map<string, number>
        const inbox: Inbox = { cursor: (stream) => database.get(stream) ?? 0, advance: () => undefined }
        const sock = me.sock({
          ...{ protocol, store, bind: me.machine.address, sessionTtl: 20_000 },
          ...(kind === 'transaction' && { inbox }),
          ...(kind === 'memory' && { inbox: { cursor: () => 0, advance: () => undefined } }),
          outbox: { maxCount: 8, maxBytes: 4000 },
          // The lower ones are dialed, and learn who came.
          connect: sim.nodes.filter(({ index }) => index < me.node).map(({ address }) => address),
          nameOf: ({ dialed, host }) => (dialed ? host : undefined),
          handlers: {
            iAm: (name, { peer }) => {
              sock.claim(peer, name)
            },
            work: async ({ from, to, serial }, { durable }) => {
              if (serial % 3 === 0) await me.sleep(me.random() * 40)
              const stream = streamOf(from, to)
              assert.ok(durable !== undefined && to === me.name)
              const times = (stream.handled.get(serial) ?? 0) + 1
              stream.handled.set(serial, times)
              if (times > 1) {
                stream.again++
                if (!durable.redelivered)
                  sim.fail('flagged', new Error(`${from} ${serial} came again, and does not say so`))
                if (kind === 'transaction')
                  sim.fail('once', new Error(`${from} ${serial} was handled ${times} times`))
              } else if (serial < stream.last) {
                sim.fail('order', new Error(`${from} ${serial} came after ${stream.last}`))
              }
              stream.last = Math.max(stream.last, serial)
              if (kind === 'transaction') database.set(durable.store, durable.n)
              // Handled, and nobody has been told: here a crash makes it come again.
              await me.sleep(me.random() * 100)
            },
          },
        })
        // A dialer says who it is; a claim by a peer that has one already is its second hello.
        sock.on('peer', ({ peer }) => {
          if (peer.dialed) void peer.sendMsg('iAm', me.name)
        })
        await sock.start()
        void (async () => {
          while (me.alive && sim.clock.now() < DURATION) {
            await me.sleep(me.random() * 800)
            // At its end the socks are closed.
            if (sim.clock.now() >= DURATION) return
            for (const { name: to } of sim.nodes) {
              if (to === me.name || me.random() < 0.4) continue
              const stream = streamOf(me.name, to)
              const serial = ++stream.serial
              const fill = 'x'.repeat(Math.floor(me.random() * 600))
              const { accepted, outcome } = sock.post(to, 'work', { from: me.name, to, serial, fill })
              accepted.then(
                () => stream.accepted.add(serial),
                (thrown: unknown) => sim.fail('accepted', thrown),
              )
              void outcome.then(({ status }) => {
                if (status === 'not-delivered') sim.fail('outcome', new Error(`${serial}: ${status}`))
                if (status === 'delivered' && !stream.handled.has(serial))
                  sim.fail('outcome', new Error(`${serial} is delivered, and nobody had it`))
              })
            }
          }
        })()
        return store
      })
      sim.eventually('all that was accepted is handled, and off the disks', () => {
        for (const { accepted, handled } of streams.values())
          for (const serial of accepted) if (!handled.has(serial)) return false
        return cluster.apps.length === 3 && cluster.apps.every((store) => store.stats().pending === 0)
      })
    },
  )
  for (const { accepted, handled, again } of streams.values()) {
    total.accepted += accepted.size
    total.handled += handled.size
    total.again += again
  }
  total.crashes += crashed
  return report
}
