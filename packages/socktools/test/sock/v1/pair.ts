/** Two socks of wire v1 that know each other. */
import type { PipeSock, Peer, RawCodec, SockOptions } from '../../../src/index.ts'
import type { Protocol } from '../../../src/contract/protocol.ts'
import type { World } from '../../support/world.ts'

export interface Pair<P extends Protocol> {
  readonly server: PipeSock<RawCodec, P>
  readonly client: PipeSock<RawCodec, P>
  /** The server as the client sees it, and the client as the server does. */
  readonly there: Peer<RawCodec, P>
  readonly here: Peer<RawCodec, P>
}

export async function pair<P extends Protocol>(
  world: World,
  protocol: P,
  serving: SockOptions<RawCodec, P> = {},
  asking: SockOptions<RawCodec, P> = {},
): Promise<Pair<P>> {
  const server = await world.open<RawCodec, P>({ protocol, bind: 'memory:a', ...serving })
  const client = await world.open<RawCodec, P>({ protocol, ...asking })
  const there = await client.connectTo('memory:a')
  await world.quiet()
  const here = server.knownPeers[0]
  if (here === undefined) throw new Error('nobody came')
  return { server, client, there, here }
}
