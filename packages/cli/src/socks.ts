import { type Codec, MetaSock, PipeSock, type SockOptions, UdpSock } from 'socktools'
import { PARTS } from './transports.ts'

/** Where a node listens, and whom it talks with. */
export interface Places {
  readonly bind?: readonly string[]
  /** Dialed once; every one must answer. */
  readonly dial?: readonly string[]
  /** Kept up: dialed again whenever they end. */
  readonly keep?: readonly string[]
}

/** For all socks of a node. Over UDP neither `framing` nor security apply, and `maxFrame` as far as a datagram goes. */
export type Wire = Required<Pick<SockOptions<Codec<unknown>>, 'framing'>> &
  Pick<SockOptions, 'security' | 'trust'> & {
    readonly codec: Codec<unknown>
    readonly maxFrame?: number
  }

/** One dial that is to be made. */
export type Dial = () => Promise<unknown>

/** What fits into a datagram over IPv4. */
const MAX_DATAGRAM = 65_507

export const isUdp = (address: string): boolean => /^udp:/.test(address)
const isStream = (address: string): boolean => !isUdp(address)

/** One sock for each address to listen on, in one MetaSock; whoever is dialed is dialed by the first that can. */
export function gather(
  { bind = [], dial = [], keep = [] }: Places,
  wire: Wire,
): { meta: MetaSock; dials: Dial[] } {
  const meta = new MetaSock()
  const dials: Dial[] = []
  const streams = { bind: bind.filter(isStream), dial: dial.filter(isStream), keep: keep.filter(isStream) }
  const [first, ...others] = streams.bind
  if (first !== undefined || streams.dial.length + streams.keep.length > 0) {
    const at = first === undefined ? {} : { bind: first }
    const sock = meta.add(new PipeSock({ ...wire, ...at, connect: streams.keep }, PARTS))
    dials.push(...streams.dial.map((to) => () => sock.connectTo(to)))
  }
  for (const other of others) meta.add(new PipeSock({ ...wire, bind: other }, PARTS))
  addDatagrams(
    meta,
    dials,
    { bind: bind.filter(isUdp), dial: dial.filter(isUdp), keep: keep.filter(isUdp) },
    wire,
  )
  return { meta, dials }
}

/** A sock that listens also sends to whom it was told to, from its own port; else each of these has its own sock. */
function addDatagrams(
  meta: MetaSock,
  dials: Dial[],
  { bind, dial, keep }: Required<Places>,
  { codec, maxFrame }: Wire,
): void {
  const options = { codec, ...(maxFrame === undefined ? {} : { maxFrame: Math.min(maxFrame, MAX_DATAGRAM) }) }
  const homeOf = (address: string): string | undefined => bind.find((one) => isIPv6(one) === isIPv6(address))
  for (const one of bind) {
    const connect = keep.filter((address) => homeOf(address) === one)
    meta.add(new UdpSock({ ...options, bind: one, connect }))
  }
  // Nobody who merely finds our port is to get what is sent, as nobody is who finds that of a TCP connection.
  const own = { ...options, goodPeer: ({ dialed }: { readonly dialed: boolean }) => dialed }
  for (const address of keep) {
    if (homeOf(address) === undefined) meta.add(new UdpSock({ ...own, connect: address }))
  }
  for (const address of dial) {
    // However long it is silent, it is the one to talk with.
    const sock = meta.add(new UdpSock({ ...own, timeout: 0 }))
    dials.push(() => sock.connectTo(address))
  }
}

/** One sock is of one family; a name counts as IPv4, which is preferred where there is a choice. */
const isIPv6 = (address: string): boolean => address.includes('[')
