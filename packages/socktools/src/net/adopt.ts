import net from 'node:net'
import { fail } from '../errors.ts'
import type { Endpoint, Pipe } from './pipe.ts'
import { connected, listenOn, socketPipe } from './socket-pipe.ts'
import { tcpEndpoint } from './tcp.ts'
import type { ListenOptions, Listener } from './transport.ts'

/** A server or a connection that the application made itself, as a sock uses it. */
export type Adopted =
  | {
      readonly kind: 'server'
      /** Takes the server's connections; `bind` is where to listen if it does not listen yet. */
      listen(bind: URL | undefined, options: ListenOptions, onPipe: (pipe: Pipe) => void): Promise<Listener>
    }
  | {
      readonly kind: 'connection'
      /** Waits until it is connected. */
      connect(): Promise<Pipe>
    }

/** Throws BAD_OPTION. */
export function adopt(sock: net.Server | net.Socket): Adopted {
  if (sock instanceof net.Server) {
    return {
      kind: 'server',
      listen: (bind, options, onPipe) => {
        if (!sock.listening && bind === undefined)
          fail('NOT_BOUND', 'the server given as `sock` does not listen')
        let accepted = 0
        return listenOn(sock, { at: bind, ...options }, (socket) => {
          const path = sock.address()
          const unix = typeof path === 'string' ? unixEndpoint(`${path}#${++accepted}`) : undefined
          onPipe(socketPipe(socket, unix ?? tcpEndpoint(socket)))
        })
      },
    }
  }
  if (sock instanceof net.Socket) {
    return {
      kind: 'connection',
      connect: async () => {
        await connected(sock, 'the socket given as `sock`')
        // The system tells no path of a connected Unix socket.
        return socketPipe(sock, sock.remoteAddress === undefined ? unixEndpoint('') : tcpEndpoint(sock))
      },
    }
  }
  return fail('BAD_OPTION', 'sock must be a net.Server or a net.Socket')
}

const unixEndpoint = (path: string): Endpoint => ({ address: `unix:${path}`, host: 'unix', local: true })
