/** Two socks of wire v1 that know each other, over connections that can be cut. */
import type { Peer, PipeSock, Protocol, RawCodec, SockOptions } from '../../../src/index.ts'
import { type Cuts, cuttable } from '../../support/cuts.ts'
import { simulate, type World, type WorldOptions } from '../../support/world.ts'

export interface CutPair<P extends Protocol> {
  readonly world: World
  readonly cuts: Cuts
  readonly server: PipeSock<RawCodec, P>
  readonly client: PipeSock<RawCodec, P>
  /** The server as the client sees it, and the client as the server does. */
  readonly there: Peer<RawCodec, P>
  readonly here: Peer<RawCodec, P>
  /** Breaks the connection, and lets none come up until `cuts.refuse` is false again. */
  readonly part: () => Promise<void>
}

export interface CutOptions<P extends Protocol> extends WorldOptions {
  readonly serving?: SockOptions<RawCodec, P>
  readonly asking?: SockOptions<RawCodec, P>
}

export function cutPair<P extends Protocol>(
  protocol: P,
  scenario: (pair: CutPair<P>) => Promise<void>,
  { serving, asking, ...options }: CutOptions<P> = {},
): Promise<void> {
  return simulate(async (world) => {
    const cuts = cuttable(world.transports[0]!)
    const server = await world.open<RawCodec, P>({ protocol, bind: 'memory:a', ...serving })
    const client = world.sock<RawCodec, P>(
      { protocol, backoff: { first: 1, max: 5, healthy: 1 }, ...asking },
      world.platform,
      [cuts.transport],
    )
    const there = await client.connectTo('memory:a')
    await world.quiet()
    const here = server.knownPeers[0]!
    const part = async (): Promise<void> => {
      cuts.refuse = true
      cuts.cut()
      await world.quiet()
    }
    await scenario({ world, cuts, server, client, there, here, part })
  }, options)
}
