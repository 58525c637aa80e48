/** A shop that takes orders, who orders, and the way between, in virtual time. */
import { z } from 'zod'
import {
  bytes,
  call,
  type Durable,
  msg,
  type PipeSock,
  type RawCodec,
  type SockError,
  type SockOptions,
} from '../../../src/index.ts'
import { Store, type StoreOptions } from '../../../src/store/index.ts'
import { cuttable } from '../../support/cuts.ts'
import { simulate, type World } from '../../support/world.ts'

export const protocol = {
  order: msg(z.string()),
  safe: msg(z.string(), { ack: 'durable' }),
  blob: msg(bytes()),
  say: msg(z.string()),
  told: msg(z.string(), { ack: 'processed' }),
  place: msg(z.string(), { delivery: 'volatile' }),
  ask: call(z.number(), z.number()),
}
export type P = typeof protocol
export type Options = SockOptions<RawCodec, P>

export const codeOf = (thrown: unknown): string => (thrown as SockError).code

export interface Shop {
  readonly world: World
  readonly store: Store
  readonly client: PipeSock<RawCodec, P>
  readonly server: PipeSock<RawCodec, P>
  readonly cuts: ReturnType<typeof cuttable>
  readonly heard: string[]
  /** With what each came. */
  readonly contexts: (Durable | undefined)[]
  readonly openStore: (name: string, options?: StoreOptions) => Promise<Store>
  readonly serve: (options?: Options) => Promise<PipeSock<RawCodec, P>>
  readonly buy: (store: Store, options?: Options) => PipeSock<RawCodec, P>
}

const BACKOFF = { first: 1, max: 5, healthy: 1 }

export function shop(
  scenario: (shop: Shop) => Promise<void>,
  { serving, buying }: { serving?: Options; buying?: Options } = {},
): Promise<void> {
  return simulate(async (world) => {
    const { disk } = world.sim
    const heard: string[] = []
    const contexts: (Durable | undefined)[] = []
    const cuts = cuttable(world.transports[0]!)
    const note = (data: string | Uint8Array, { durable }: { durable: Durable | undefined }): void => {
      heard.push(typeof data === 'string' ? data : `${data.length} bytes`)
      contexts.push(durable)
    }
    const openStore = (name: string, options: StoreOptions = {}): Promise<Store> =>
      Store.open(`/${name}`, { platform: { ...world.platform, disk }, ...options })
    const serve = (options: Options = {}): Promise<PipeSock<RawCodec, P>> =>
      world.open<RawCodec, P>({
        protocol,
        bind: 'memory:shop',
        ...options,
        handlers: { order: note, safe: note, blob: note, say: note, told: note, ...options.handlers },
      })
    const buy = (store: Store, options: Options = {}): PipeSock<RawCodec, P> =>
      world.sock<RawCodec, P>({ protocol, store, backoff: BACKOFF, ...options }, world.platform, [
        cuts.transport,
      ])
    const server = await serve(serving)
    const store = await openStore('client')
    const client = buy(store, buying)
    await scenario({ world, store, client, server, cuts, heard, contexts, openStore, serve, buy })
    await store.close()
  })
}

export const DELIVERED = { status: 'delivered' }
