import net from 'node:net'
import { SockError } from '../errors.ts'
import type { Platform } from '../platform/platform.ts'
import { pathOf } from '../address.ts'
import { dialSocket, listenOn, socketPipe } from './socket-pipe.ts'
import { SERVER_OPTIONS } from './tcp.ts'
import type { Listener, Transport } from './transport.ts'

/** Unix domain sockets. A socket file whose owner died is replaced; one that answers is ADDRESS_IN_USE. */
export function unix(platform: Pick<Platform, 'unlink'>): Transport {
  let accepted = 0
  return {
    scheme: 'unix',
    async dial(to, { signal }) {
      const socket = await dialSocket({ path: pathOf(to) }, to.href, signal)
      return socketPipe(socket, { address: to.href, host: 'unix', local: true })
    },
    async listen(at, options, onPipe) {
      const listen = (): Promise<Listener> =>
        listenOn(net.createServer(SERVER_OPTIONS), { at, ...options }, (socket) => {
          // The system gives the dialing side no name, so each gets a number: two must not look like one.
          onPipe(socketPipe(socket, { address: `${at.href}#${++accepted}`, host: 'unix', local: true }))
        })
      try {
        return await listen()
      } catch (error) {
        if (!(error instanceof SockError) || error.code !== 'ADDRESS_IN_USE' || !(await isStale(at)))
          throw error
        await platform.unlink(pathOf(at))
        return listen()
      }
    },
  }
}

/** A socket file that refuses connections was left by a process that died. */
async function isStale(at: URL): Promise<boolean> {
  try {
    const socket = await dialSocket({ path: pathOf(at) }, at.href)
    socket.destroy()
    return false
  } catch (error) {
    return error instanceof SockError && (error.cause as NodeJS.ErrnoException).code === 'ECONNREFUSED'
  }
}
