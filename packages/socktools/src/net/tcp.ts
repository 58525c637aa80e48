import net from 'node:net'
import { hostPort, isLoopback, isOwnHost, tcpAddress, unmapped } from '../address.ts'
import { isScarce } from './descriptors.ts'
import type { Endpoint } from './pipe.ts'
import { dialPipe, listenOn, socketPipe } from './socket-pipe.ts'
import type { Transport } from './transport.ts'

export function tcp(): Transport {
  return {
    scheme: 'tcp',
    isExposed: (at) => !isOwnHost(hostPort(at).host),
    async dial(to, options) {
      const { host, port } = hostPort(to)
      return dialPipe({ host, port, noDelay: true, keepAlive: true }, to.href, tcpEndpoint, options)
    },
    listen: (at, options, onPipe) =>
      listenOn(net.createServer(SERVER_OPTIONS), { at, ...options }, (socket) => {
        onPipe(socketPipe(socket, tcpEndpoint(socket)))
      }),
  }
}

/** Half-open, because a peer that has finished sending still wants its answers; paused until it is let in. */
export const SERVER_OPTIONS: net.ServerOpts = {
  allowHalfOpen: true,
  pauseOnConnect: true,
  noDelay: true,
  keepAlive: true,
}

export function tcpEndpoint(socket: net.Socket): Endpoint {
  // Undefined when the far side was gone before we looked.
  const host = unmapped(socket.remoteAddress ?? 'unknown')
  const address = tcpAddress(host, socket.remotePort ?? 0)
  return { address, host, local: isLoopback(host), scarce: isScarce(socket) }
}
