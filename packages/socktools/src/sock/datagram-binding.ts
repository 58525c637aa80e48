import { familyOf, hostPort, isMulticast, parseAddress, schemeOf, udpAddress } from '../address.ts'
import { fail } from '../errors.ts'
import type { DatagramNetwork, DatagramSink, Datagrams, DatagramAddress } from '../net/datagrams.ts'
import { unlessAborted } from './attempts.ts'
import type { DatagramSettings } from './datagram-options.ts'

type Family = 4 | 6
type BindingSettings = Pick<DatagramSettings, 'bind' | 'reuseAddr' | 'broadcast' | 'multicast'>

export interface BindingHost extends DatagramSink {
  /** What has to be done before anything is bound. */
  ready(): Promise<void> | undefined
  /** Throws CLOSED. While it is drained, what was sent before still needs a socket. */
  checkNotClosed(): void
  /** Bound, and in its groups. */
  opened(socket: Datagrams): void
}

/** The one socket of a sock, bound when it is first needed; and the addresses that it can reach. */
export class Binding {
  socket: Datagrams | undefined
  readonly #settings: BindingSettings
  readonly #network: DatagramNetwork
  readonly #host: BindingHost
  #at: string | undefined
  #opening: Promise<Datagrams> | undefined

  /** Of the addresses that it can reach. */
  get scheme(): string {
    return this.#network.scheme
  }

  constructor(settings: BindingSettings, network: DatagramNetwork, host: BindingHost) {
    this.#settings = settings
    this.#network = network
    this.#host = host
    this.#at = settings.bind
  }

  /** Binds to `bind`, or to what the options say. Throws NOT_BOUND, or ALREADY_STARTED if bound to something else. */
  async serve(bind: string | undefined): Promise<Datagrams> {
    const at = bind ?? this.#at
    if (at === undefined) return fail('NOT_BOUND', 'startServer has no address to receive at')
    const earlier = bind === undefined ? undefined : await this.#opening?.catch(() => undefined)
    if (earlier !== undefined)
      fail('ALREADY_STARTED', `what was sent or dialed before has bound ${earlier.address}`)
    const before = this.#at
    this.#at = at
    try {
      return await this.open(4)
    } catch (error) {
      this.#at = before
      throw error
    }
  }

  /** The socket; bound to any port of `family` if there is neither a socket nor an address yet. */
  open(family: Family): Promise<Datagrams> {
    if (this.#opening === undefined) {
      this.#opening = this.#bind(family)
      // What failed can be tried again.
      this.#opening.catch(() => (this.#opening = undefined))
    }
    return this.#opening
  }

  async #bind(family: Family): Promise<Datagrams> {
    await this.#host.ready()
    const { reuseAddr, broadcast, multicast } = this.#settings
    const { groups = [], ...leaving } = multicast
    const at = this.#at === undefined ? remoteOf(ANY[family], 0, family) : await this.#placeOf(this.#at)
    const socket = await this.#network.open(at, { reuseAddr, broadcast, ...leaving })
    socket.attach(this.#host)
    try {
      this.#host.checkNotClosed()
      for (const group of groups) socket.join(this.#groupOf(group, socket), multicast.interface)
    } catch (error) {
      await socket.close()
      throw error
    }
    this.socket = socket
    this.#host.opened(socket)
    return socket
  }

  async #placeOf(address: string): Promise<DatagramAddress> {
    const { host, port } = this.#parse(address)
    const found = preferred(await this.#hostsOf(host))
    return remoteOf(found.host, port, found.family)
  }

  /** Where `address`, which may hold a name, is to be reached from here. Binds, if that was not done. */
  async locate(address: string, signal: AbortSignal): Promise<DatagramAddress> {
    const { host, port } = this.#parse(address)
    if (port === 0) fail('BAD_ADDRESS', `${address} has port 0, where nobody is`)
    if (isMulticast(host)) fail('BAD_ADDRESS', `${address} is a group: send to it with { to }, it is no peer`)
    const hosts = await unlessAborted(this.#hostsOf(host), signal)
    const { family } = await unlessAborted(this.open(preferred(hosts).family), signal)
    const found = hosts.find((one) => familyOf(one) === family)
    if (found !== undefined) return remoteOf(found, port, family)
    return fail('WRONG_FAMILY', `this sock is bound to ${this.socket?.address ?? ''}`, { address })
  }

  /** What can be sent to without asking anyone for its address; undefined for what is no address at all. */
  literal(address: string): DatagramAddress | undefined {
    if (!address.startsWith(`${this.#network.scheme}:`)) return undefined
    const { host, port } = this.#parse(address)
    const family = familyOf(host)
    if (family === 0) fail('UNKNOWN_PEER', `${host} is a name, which connectTo looks up`, { address })
    if (port === 0) fail('BAD_ADDRESS', `${address} has port 0, where nobody is`)
    return remoteOf(host, port, family)
  }

  async join(group: string, on: string | undefined): Promise<void> {
    const socket = await this.open(this.#familyOfGroup(group))
    socket.join(this.#groupOf(group, socket), on)
  }

  leave(group: string, on: string | undefined): void {
    const { socket } = this
    if (socket === undefined) return fail('GROUP_FAILED', `could not leave ${group}: nothing is bound`)
    socket.leave(this.#groupOf(group, socket), on)
  }

  async close(): Promise<void> {
    await this.socket?.close()
  }

  #familyOfGroup(group: string): Family {
    const { hostname, port, pathname } = this.#url(group)
    const family = familyOf(bare(hostname))
    if (family === 0 || !isMulticast(bare(hostname)) || port !== '' || pathname !== '')
      return fail(
        'BAD_ADDRESS',
        `"${group}" is no group: that is udp://239.1.2.3 or udp://[ff02::123], without a port`,
      )
    return family
  }

  #groupOf(group: string, { family, address }: Datagrams): string {
    if (this.#familyOfGroup(group) !== family)
      fail('WRONG_FAMILY', `this sock is bound to ${address}`, { address: group })
    return bare(this.#url(group).hostname)
  }

  async #hostsOf(host: string): Promise<readonly string[]> {
    return familyOf(host) === 0 ? this.#network.resolve(host) : [host]
  }

  #parse(address: string): { host: string; port: number } {
    return hostPort(this.#url(address))
  }

  #url(address: string): URL {
    const url = parseAddress(address)
    const { scheme } = this.#network
    if (schemeOf(url) !== scheme) fail('BAD_ADDRESS', `"${address}" is no ${scheme}: address`)
    return url
  }
}

const ANY = { 4: '0.0.0.0', 6: '::' } as const

/** The host of a URL, which has brackets around IPv6. */
const bare = (hostname: string): string => hostname.replace(/^\[|\]$/g, '')

export const remoteOf = (host: string, port: number, family: Family): DatagramAddress => ({
  address: udpAddress(host, port),
  host,
  port,
  family,
})

/** IPv4 where there is a choice: nobody answers to tell that the other one was right. */
function preferred(hosts: readonly string[]): { host: string; family: Family } {
  const host = hosts.find((one) => familyOf(one) === 4) ?? hosts[0] ?? ''
  return { host, family: familyOf(host) === 4 ? 4 : 6 }
}
