import { asSockError, fail } from '../errors.ts'
import type { DatagramAddress } from '../net/datagrams.ts'
import type { Codec } from '../wire/codec.ts'
import type { Binding } from './datagram-binding.ts'
import { DatagramPeer } from './datagram-peer.ts'
import type { Account, DatagramSends } from './datagram-sends.ts'
import { unsendable } from './payload.ts'
import { checkSendOptions, isIterable, withoutStrangers } from './recipients.ts'
import { AMONG_SEVERAL } from './sends.ts'
import type { SendOptions, To } from './types.ts'

/** A peer, or an address that is no peer's. */
type Target<C extends Codec> = DatagramPeer<C> | DatagramAddress

/** From what a send says (`to`, `except`) to who it is sent to. */
export class DatagramRoutes<C extends Codec> {
  readonly #peers: ReadonlyMap<string, DatagramPeer<C>>
  readonly #binding: Binding
  readonly #sends: DatagramSends
  readonly #strangers: Account

  /** @param strangers what is sent to addresses that are no peers'. */
  constructor(
    peers: ReadonlyMap<string, DatagramPeer<C>>,
    binding: Binding,
    sends: DatagramSends,
    strangers: Account,
  ) {
    this.#peers = peers
    this.#binding = binding
    this.#sends = sends
    this.#strangers = strangers
  }

  /** As Sock.sendRaw says. Throws TOO_LARGE, CANNOT_ENCODE, UNKNOWN_PEER, BAD_ADDRESS: nothing was sent. */
  send(
    payload: Uint8Array,
    options: SendOptions<C> & { [AMONG_SEVERAL]?: true },
    max: number,
  ): Promise<void> {
    const error = unsendable(payload, max)
    if (error !== undefined) throw error
    const targets = this.#targets(options)
    const [only] = targets
    const single = targets.length === 1 && options.to !== undefined && options[AMONG_SEVERAL] !== true
    if (only !== undefined && single) return this.#sendTo(only, payload)
    // Copied once for all of them.
    const own = targets.length > 0 ? payload.slice() : payload
    for (const target of targets) this.#offerTo(target, own)
    return this.#sends.roomy()
  }

  #sendTo(target: Target<C>, payload: Uint8Array): Promise<void> {
    if (target instanceof DatagramPeer) return target.sendRaw(payload)
    const sent = this.#sends.send(payload, target, this.#strangers)
    this.#needSocket(target)
    return sent
  }

  #offerTo(target: Target<C>, bytes: Uint8Array): void {
    if (target instanceof DatagramPeer) {
      target.offer(bytes)
      return
    }
    this.#sends.offer(bytes, target, this.#strangers)
    this.#needSocket(target)
  }

  /** What was sent before there was one waits for it. */
  #needSocket({ family }: DatagramAddress): void {
    if (this.#binding.socket !== undefined) return
    this.#binding.open(family).catch((error: unknown) => {
      this.#sends.failed(asSockError(error, 'SEND_FAILED', 'there is no socket'))
    })
  }

  #targets(options: SendOptions<C>): Target<C>[] {
    checkSendOptions(options)
    const { to, except } = options
    // To leave `to` out means everyone. To look someone up and find nobody must not.
    if (to === undefined && 'to' in options) fail('UNKNOWN_PEER', '`to` is there and undefined')
    const chosen = to === undefined ? [...this.#peers.values()].filter(isOpen) : this.find(to)
    const exempt = new Set(this.#exempt(except).map(({ address }) => address))
    const byAddress = new Map(chosen.map((target) => [target.address, target]))
    return [...byAddress.values()].filter(({ address }) => !exempt.has(address))
  }

  #exempt(except: To<C> | undefined): Target<C>[] {
    if (except === undefined) return []
    return this.find(withoutStrangers(except, (peer) => this.owns(peer)))
  }

  /** Whether it is or was a peer here. */
  owns(peer: unknown): peer is DatagramPeer<C> {
    return peer instanceof DatagramPeer && peer.uses(this.#sends)
  }

  /** Throws UNKNOWN_PEER or BAD_ADDRESS. */
  find(to: To<C>): Target<C>[] {
    if (typeof to === 'string') return [this.#named(to)]
    if (to instanceof DatagramPeer) {
      if (this.owns(to)) return [to]
      return fail('UNKNOWN_PEER', 'this peer belongs to another sock', { address: to.address })
    }
    if (isIterable(to)) return [...to].flatMap((one) => this.find(one as To<C>))
    return fail('UNKNOWN_PEER', 'this is neither a peer nor an address')
  }

  #named(name: string): Target<C> {
    const peer = this.#peers.get(name)
    if (peer !== undefined) return peer
    const remote = this.#binding.literal(name)
    // Written in another way, it may be a peer's after all.
    if (remote !== undefined) return this.#peers.get(remote.address) ?? remote
    for (const one of this.#peers.values()) if (one.id === name) return one
    return fail('UNKNOWN_PEER', 'no peer has this address', { address: name })
  }
}

const isOpen = ({ state }: { readonly state: string }): boolean => state === 'open'
