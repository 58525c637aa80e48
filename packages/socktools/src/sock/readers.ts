import type { Codec, Got } from '../wire/codec.ts'
import { typeOf } from './handler-table.ts'
import { type SubscribeOptions, Subscription } from './subscription.ts'
import type { Context, Peer } from './types.ts'

/** Who reads what arrives at one sock by iterating: taps of the payloads, subscribers of the messages. */
export class Readers<C extends Codec> {
  readonly #taps = new Set<Subscription<[Uint8Array, Peer<C>]>>()
  /** Each with the type that it wants; undefined: all. */
  readonly #subscribers = new Map<Subscription<[Got<C>, Context<C>]>, string | number | undefined>()

  /** Whoever reads payloads takes every message. */
  get tapped(): boolean {
    return this.#taps.size > 0
  }

  tap(options: SubscribeOptions): Subscription<[Uint8Array, Peer<C>]> {
    const tap = new Subscription<[Uint8Array, Peer<C>]>(options, (ended) => this.#taps.delete(ended))
    if (!tap.ended) this.#taps.add(tap)
    return tap
  }

  subscribe(
    type: string | number | undefined,
    options: SubscribeOptions,
  ): Subscription<[Got<C>, Context<C>]> {
    const to = new Subscription<[Got<C>, Context<C>]>(options, (ended) => this.#subscribers.delete(ended))
    if (!to.ended) this.#subscribers.set(to, type === undefined ? undefined : typeOf(type))
    return to
  }

  push(peer: Peer<C>, payload: Uint8Array): void {
    if (this.#taps.size > 0) for (const tap of this.#taps) tap.push([payload, peer])
  }

  /** Hands a message to those who want its type. Whether anybody takes it. */
  offer(data: Got<C>, context: Context<C>): boolean {
    let taken = this.#taps.size > 0
    if (this.#subscribers.size > 0) {
      for (const [to, wanted] of this.#subscribers) {
        if (wanted !== undefined && wanted !== context.type) continue
        to.push([data, context])
        taken = true
      }
    }
    return taken
  }

  end(): void {
    for (const tap of this.#taps) tap.end()
    for (const to of this.#subscribers.keys()) to.end()
  }
}
