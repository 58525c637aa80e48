import { udp } from '../net/udp.ts'
import { nodePlatform } from '../platform/node.ts'
import type { Protocol } from '../contract/protocol.ts'
import type { Codec, RawCodec } from '../wire/codec.ts'
import { started } from './base-sock.ts'
import type { UdpSockOptions } from './datagram-options.ts'
import { DatagramSock } from './datagram-sock.ts'

const NETWORK = udp()

/**
 * A node that sends and receives messages over UDP: one message, one datagram.
 *
 * ```ts
 * const server = await UdpSock.open({ bind: 'udp://127.0.0.1:0', handlers: { 0: (bytes, { peer }) => peer.sendMsg(0, bytes) } })
 * const client = await UdpSock.open()
 * const peer = await client.connectTo(server.address)
 * await peer.sendMsg(0, 'hello')
 * ```
 *
 * What UDP cannot promise, this does not either: that a message arrives, arrives once, arrives after those sent
 * before it, or that anyone is there. A send that resolved is with the system, as is all that `flushed()` waits
 * for, and may be lost there too: awaiting sends keeps us from flooding ourselves, not the far side.
 *
 * Nobody connects and nobody hangs up. An address is a peer (`dialed: false`) from its first message on that
 * passes the gates, and until it was silent for `timeout`, 30 s unless set otherwise: it is then `gone`, in good
 * order, and IDLE_TIMEOUT is the cause of the PEER_GONE that sends to it reject with. While a handler of its
 * messages runs, it is not judged. Heard again, it is a new peer. This also holds of what `connectTo` gives; only
 * those of `connect` stay. Sender addresses can be forged: a peer is an address, and no proof of who is there.
 *
 * What arrives cannot be asked to wait. What is too much (`readMark`) or unwelcome is dropped, counted in
 * `stats()`, and told at most once for all that came with one look at the socket: `dropped` with `behind` or
 * `refused`, and `refused` itself once for each error code. `drain()` handles what arrived, waits until the
 * system has what was sent, and closes; `ended` never comes.
 *
 * With a `protocol` its messages are checked as everywhere. Datagrams carry nothing else: a peer's request, stream and
 * channel, and headers, are OVER_PLAIN.
 *
 * One sock is one socket, for IPv4 or for IPv6.
 */
export class UdpSock<
  C extends Codec = RawCodec,
  P extends Protocol | undefined = undefined,
> extends DatagramSock<C, P> {
  constructor(options: UdpSockOptions<C, P> = {}) {
    super(options, { platform: nodePlatform, network: NETWORK })
  }

  /** A sock that is up: bound, if the options say where, and every address of `connect` looked up once. */
  static async open<C extends Codec = RawCodec, const P extends Protocol | undefined = undefined>(
    options: UdpSockOptions<C, P> = {},
  ): Promise<UdpSock<C, P>> {
    return started(new this<C, P>(options))
  }
}
