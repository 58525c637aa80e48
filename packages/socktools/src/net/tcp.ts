import net from 'node:net'
import { hostPort, isLoopback, isOwnHost, tcpAddress, unmapped } from '../address.ts'
import { isScarce } from './descriptors.ts'
import type { Endpoint } from './pipe.ts'
import { dialPipe, listenOn, socketPipe } from './socket-pipe.ts'
import type { Transport } from './transport.ts'

/**
 * Where nothing is said for so long, or up to twice as long, in milliseconds, the system asks whether the far side is still there, and
 * ends the connection if it is not: one that was restarted meanwhile, or a listener that never heard of it. For that is
 * possible: with more who dial at once than `BACKLOG`, Linux answers with SYN cookies, forgets those for whom there is no
 * room, and they believe themselves connected. On the plain wire nothing else would ever tell; the default of the system
 * is two hours.
 */
const QUIET = { dialed: 20_000, accepted: 40_000 }

/** Connections that wait to be accepted, as far as the system allows (net.core.somaxconn is 4,096 on Linux). Node's default is 511. */
const BACKLOG = 4096

export function tcp(): Transport {
  return {
    scheme: 'tcp',
    isExposed: (at) => !isOwnHost(hostPort(at).host),
    async dial(to, options) {
      const { host, port } = hostPort(to)
      const endpointOf = (socket: net.Socket): Endpoint => {
        askWhenQuiet(socket, QUIET.dialed, socket.localPort)
        return tcpEndpoint(socket)
      }
      return dialPipe({ host, port, noDelay: true }, to.href, endpointOf, options)
    },
    listen: (at, { backlog = BACKLOG }, onPipe) =>
      listenOn(net.createServer(SERVER_OPTIONS), { at, backlog }, (socket) => {
        askWhenQuiet(socket, QUIET.accepted, socket.remotePort)
        onPipe(socketPipe(socket, tcpEndpoint(socket)))
      }),
  }
}

/** Half-open, because a peer that has finished sending still wants its answers; paused until it is let in. */
export const SERVER_OPTIONS: net.ServerOpts = {
  allowHalfOpen: true,
  pauseOnConnect: true,
  noDelay: true,
}

/**
 * Not all at the same time: the timers of a whole crowd that came at once would go off together, and what is asked on loopback
 * beyond 1,000 (net.core.netdev_max_backlog) is thrown away until the last of ten tries has failed. `port`: that of the dialer,
 * which differs; Linux gives out every other one.
 */
function askWhenQuiet(socket: net.Socket, after: number, port = 0): void {
  const spread = after / 1000
  socket.setKeepAlive(true, after + ((port >> 1) % spread) * 1000)
}

export function tcpEndpoint(socket: net.Socket): Endpoint {
  // Undefined when the far side was gone before we looked.
  const host = unmapped(socket.remoteAddress ?? 'unknown')
  const address = tcpAddress(host, socket.remotePort ?? 0)
  return { address, host, local: isLoopback(host), scarce: isScarce(socket) }
}
