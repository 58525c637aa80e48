import net from 'node:net'
import { SockError, fail } from '../errors.ts'
import type { Platform } from '../platform/platform.ts'
import { pathOf } from '../address.ts'
import { isScarce } from './descriptors.ts'
import { dialPipe, listenOn, socketPipe } from './socket-pipe.ts'
import type { Pipe } from './pipe.ts'
import { SERVER_OPTIONS } from './tcp.ts'
import type { DialOptions, Listener, Transport } from './transport.ts'

/** Unix domain sockets. A socket file whose owner died is replaced; one that answers is ADDRESS_IN_USE. */
export function unix(platform: Pick<Platform, 'unlink'>): Transport {
  let accepted = 0
  return {
    scheme: 'unix',
    dial: async (to, options) => dial(to, options),
    async listen(at, options, onPipe) {
      const path = socketPath(at)
      const listen = async (): Promise<Listener> => {
        const listener = await listenOn(net.createServer(SERVER_OPTIONS), { at, ...options }, (socket) => {
          // The system gives the dialing side no name, so each gets a number: two must not look like one.
          const address = `${at.href}#${++accepted}`
          onPipe(socketPipe(socket, { address, host: 'unix', local: true, scarce: isScarce(socket) }))
        })
        return { address: at.href, close: () => listener.close() }
      }
      try {
        return await listen()
      } catch (error) {
        if (!(error instanceof SockError) || error.code !== 'ADDRESS_IN_USE' || !(await isStale(at)))
          throw error
        // A file that is no socket refuses connections too, and must stay.
        await platform.unlink(path).catch(() => {
          throw error
        })
        return listen()
      }
    },
  }
}

function dial(to: URL, options: DialOptions = {}): Promise<Pipe> {
  const remote = { address: to.href, host: 'unix', local: true }
  return dialPipe({ path: socketPath(to) }, to.href, () => remote, options)
}

/** What the system has room for; some runtimes cut a longer path and take the rest for the name. */
const MAX_PATH = 107

function socketPath(at: URL): string {
  const path = pathOf(at)
  if (Buffer.byteLength(path) <= MAX_PATH) return path
  return fail('BAD_ADDRESS', `${at.href} is longer than ${MAX_PATH} bytes, the most for a Unix socket`)
}

/** A socket file that refuses connections was left by a process that died. */
async function isStale(at: URL): Promise<boolean> {
  try {
    const pipe = await dial(at)
    pipe.destroy()
    return false
  } catch (error) {
    return error instanceof SockError && (error.cause as NodeJS.ErrnoException).code === 'ECONNREFUSED'
  }
}
