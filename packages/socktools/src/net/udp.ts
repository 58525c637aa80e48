import dgram from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { udpAddress } from '../address.ts'
import { SockError, fail, reasonOf } from '../errors.ts'
import type {
  DatagramNetwork,
  DatagramOptions,
  DatagramSink,
  Datagrams,
  DatagramAddress,
} from './datagrams.ts'

export function udp(): DatagramNetwork {
  return {
    scheme: 'udp',
    async resolve(name) {
      try {
        return (await lookup(name, { all: true })).map(({ address }) => address)
      } catch (cause) {
        return fail('CONNECT_FAILED', `no address is known for ${name}: ${reasonOf(cause)}`, { cause })
      }
    },
    async open(at, options) {
      const socket = dgram.createSocket({
        type: at.family === 4 ? 'udp4' : 'udp6',
        reuseAddr: options.reuseAddr ?? false,
        // One family is what it says: IPv4 would else arrive here in disguise.
        ipv6Only: at.family === 6,
        // Names were resolved before: dgram would look up every address it sends to, and wait a tick for it.
        lookup: (host, _options, callback) => {
          callback(null, host, at.family)
        },
      })
      await bound(socket, at)
      try {
        return new UdpSocket(socket, at.family, options)
      } catch (cause) {
        socket.close()
        return fail('LISTEN_FAILED', `an option cannot be set: ${reasonOf(cause)}`, { cause })
      }
    },
  }
}

function bound(socket: dgram.Socket, { address, host, port }: DatagramAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (cause: NodeJS.ErrnoException): void => {
      const code = cause.code === 'EADDRINUSE' ? 'ADDRESS_IN_USE' : 'LISTEN_FAILED'
      socket.close()
      reject(new SockError(code, `could not bind: ${reasonOf(cause)}`, { address, cause }))
    }
    socket.once('error', onError)
    // Exclusive: workers of a cluster that shared a port would each hear some of a peer's datagrams.
    socket.bind({ address: host, port, exclusive: true }, () => {
      socket.off('error', onError)
      resolve()
    })
  })
}

class UdpSocket implements Datagrams {
  readonly address: string
  readonly family: 4 | 6
  readonly #socket: dgram.Socket
  readonly #broadcast: boolean
  #sink: DatagramSink | undefined
  #closing: Promise<void> | undefined

  constructor(socket: dgram.Socket, family: 4 | 6, options: DatagramOptions) {
    const { broadcast = false, ttl, loopback } = options
    const { address, port } = socket.address()
    this.address = udpAddress(address, port)
    this.family = family
    this.#socket = socket
    this.#broadcast = broadcast
    // From the first tick: a socket without an error listener ends the process.
    socket.on('error', (error) => this.#sink?.error(error))
    socket.on('message', (bytes, from) => this.#sink?.message(bytes, from.address, from.port))
    if (broadcast) socket.setBroadcast(true)
    if (ttl !== undefined) socket.setMulticastTTL(ttl)
    if (loopback !== undefined) socket.setMulticastLoopback(loopback)
    if (options.interface !== undefined) socket.setMulticastInterface(options.interface)
  }

  attach(sink: DatagramSink): void {
    this.#sink = sink
  }

  send(bytes: Uint8Array, to: DatagramAddress, done: (error?: Error) => void): boolean {
    const socket = this.#socket
    try {
      socket.send(bytes, to.port, to.host, (cause) => {
        done(cause === null ? undefined : this.#refusal(cause, bytes.length, to))
      })
      // Node tries to send within that call, and queues only what the system had no room for.
      return socket.getSendQueueCount() === 0
    } catch (cause) {
      // Closed, or a port that nothing can be sent to: datagrams may come from port 0.
      const error = this.#refusal(cause as Error, bytes.length, to)
      void Promise.resolve().then(() => {
        done(error)
      })
      return true
    }
  }

  #refusal(cause: NodeJS.ErrnoException, bytes: number, { address }: DatagramAddress): SockError {
    const facts = { address, cause }
    if (cause.code === 'EMSGSIZE')
      return new SockError('TOO_LARGE', `the system sends no datagram of ${bytes} bytes`, facts)
    if (cause.code === 'EACCES' && !this.#broadcast)
      return new SockError('BROADCAST_OFF', 'this is a broadcast address', facts)
    return new SockError('SEND_FAILED', `the system refused a datagram: ${reasonOf(cause)}`, facts)
  }

  join(group: string, on?: string): void {
    inGroup('join', group, () => {
      this.#socket.addMembership(group, on)
    })
  }

  leave(group: string, on?: string): void {
    inGroup('leave', group, () => {
      this.#socket.dropMembership(group, on)
    })
  }

  close(): Promise<void> {
    return (this.#closing ??= new Promise((resolve) => {
      this.#socket.close(resolve)
    }))
  }
}

function inGroup(what: string, group: string, act: () => void): void {
  try {
    act()
  } catch (cause) {
    fail('GROUP_FAILED', `could not ${what} ${group}: ${reasonOf(cause)}`, { cause })
  }
}
