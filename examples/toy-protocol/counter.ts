/**
 * A counter on one node, and others that add to it. Whoever gets no answer asks again: twice the same mistake, since
 * the first may have been counted. With `ids` the counter knows what it has seen.
 */
import { call, nothing, type PipeSock, type RawCodec, SockError } from 'socktools'
import type { SimProcess } from 'socktools/testing'
import { z } from 'zod'

export const protocol = { add: call(z.object({ id: z.string() }), nothing()) }

export type Sock = PipeSock<RawCodec, typeof protocol>

export interface Counter {
  readonly count: number
  /** Resolves when it is counted, after as many attempts as that takes. */
  add(): Promise<void>
}

export async function counter(me: SimProcess, home: string, { ids = false } = {}): Promise<Counter> {
  const seen = new Set<string>()
  let count = 0
  const sock: Sock = me.sock({
    protocol,
    bind: me.machine.address,
    connect: me.machine.address === home ? [] : [home],
    handlers: {
      add: ({ id }) => {
        if (ids && seen.has(id)) return
        seen.add(id)
        count++
      },
    },
  })
  await sock.start()
  let asked = 0
  return {
    get count() {
      return count
    },
    async add() {
      const id = `${me.name} ${++asked}`
      for (;;) {
        const [peer] = sock.knownPeers.filter(({ dialed }) => dialed)
        try {
          // Here is the bug, unless there are ids: no answer does not mean that nothing was done.
          if (peer !== undefined) {
            await peer.request('add', { id }, { timeout: 2000 })
            return
          }
        } catch (error) {
          if (!(error instanceof SockError)) throw error
        }
        await me.sleep(500)
      }
    },
  }
}
