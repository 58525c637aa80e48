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

/** For all socks of a node. Over UDP `framing` does not apply, and messages are 1,472 bytes at the most. */
export type Wire = Pick<SockOptions<Codec<unknown>>, 'codec' | 'framing' | 'maxFrame' | 'handlers'>

/** One dial that is to be made. */
export type Dial = () => Promise<unknown>

const isUdp = (address: string): boolean => /^udp:/.test(address)
const isStream = (address: string): boolean => !isUdp(address)

/** One sock for each address to listen on, in one MetaSock; whoever is dialed is dialed by the first that can. */
export function gather(
  { bind = [], dial = [], keep = [] }: Places,
  wire: Wire,
): { meta: MetaSock; dials: Dial[] } {
  const meta = new MetaSock()
  const streams = { bind: bind.filter(isStream), dial: dial.filter(isStream), keep: keep.filter(isStream) }
  const dials: Dial[] = []
  const [first, ...others] = streams.bind
  if (first !== undefined || streams.dial.length + streams.keep.length > 0) {
    const sock = meta.add(new PipeSock({ ...wire, ...at(first), connect: streams.keep }, PARTS))
    dials.push(...streams.dial.map((to) => () => sock.connectTo(to)))
  }
  for (const other of others) meta.add(new PipeSock({ ...wire, bind: other }, PARTS))
  for (const one of datagrams(bind.filter(isUdp), [...dial, ...keep].filter(isUdp), wire)) {
    meta.add(one.sock)
    if (one.dial !== undefined) dials.push(one.dial)
  }
  return { meta, dials }
}

/**
 * Nobody answers a dial over UDP, so dialed and kept are the same there. A sock that listens also talks with
 * whom it was told to, from its own port; without one, each of these has a sock of its own.
 */
function datagrams(
  bind: readonly string[],
  to: readonly string[],
  { framing: _none, maxFrame, ...wire }: Wire,
): { sock: UdpSock<Codec<unknown>>; dial?: Dial }[] {
  const options = { ...wire, ...(maxFrame === undefined ? {} : { maxFrame: Math.min(maxFrame, 65_507) }) }
  const [first, ...others] = bind
  if (first === undefined) {
    return to.map((address) => {
      // It is the one to talk with, however long it is silent.
      const sock = new UdpSock({ ...options, timeout: 0 })
      return { sock, dial: () => sock.connectTo(address) }
    })
  }
  return [
    { sock: new UdpSock({ ...options, bind: first, connect: to }) },
    ...others.map((other) => ({ sock: new UdpSock({ ...options, bind: other }) })),
  ]
}

const at = (bind: string | undefined): { bind?: string } => (bind === undefined ? {} : { bind })
