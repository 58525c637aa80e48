import { type SockError, fail } from '../../errors.ts'
import type { Contract, TypeInfo } from '../../contract/protocol.ts'
import type { Codec } from '../../wire/codec.ts'
import type { LivePeer } from '../peer.ts'
import { encode } from '../payload.ts'
import type { MessageOptions } from '../types.ts'
import { type DataCodec, encodeData, keyOf } from './data.ts'
import type { V1Peer } from './peer.ts'

/** One message of a contract on its way to several peers: encoded once for each codec among them. */
export class Letter {
  readonly #type: TypeInfo
  readonly #data: unknown
  readonly #codec: Codec
  readonly #codecs: readonly Codec[]
  readonly #bodies = new Map<string, Uint8Array>()
  #payload: Uint8Array | SockError | undefined

  /** Throws UNKNOWN_TYPE. `codec` is that of the plain wire, `codecs` those of v1. */
  constructor(
    { byName }: Contract,
    name: string,
    data: unknown,
    { codec, codecs }: { readonly codec: Codec; readonly codecs: readonly Codec[] },
  ) {
    const type = byName.get(name) ?? fail('UNKNOWN_TYPE', `the contract has no type ${JSON.stringify(name)}`)
    if (type.kind !== 'msg') fail('UNKNOWN_TYPE', `${JSON.stringify(name)} is a ${type.kind}, not a msg`)
    this.#type = type
    this.#data = data
    this.#codec = codec
    this.#codecs = codecs
  }

  /** Throws CANNOT_ENCODE if its data cannot be encoded at all. */
  check(): void {
    const values = this.#codecs[0]?.values
    if (this.#bodies.size === 0 && values !== undefined)
      this.#body(this.#codecs[0] as DataCodec & Codec, values)
  }

  #body({ name }: { readonly name: string }, codec: Omit<DataCodec, 'name'>): Uint8Array {
    let body = this.#bodies.get(name)
    if (body === undefined) {
      body = encodeData(this.#type.input, { name, ...codec }, this.#data)
      this.#bodies.set(name, body)
    }
    return body
  }

  /** To one peer alone. */
  sendTo<C extends Codec>(peer: LivePeer<C> | V1Peer<C>, options: MessageOptions): Promise<void> {
    return peer.wire === 'v1'
      ? peer.sendMsg(this.#type.name, this.#data, options)
      : peer.sendMsg(this.#type.name, this.#data as never, options)
  }

  /** To one of several. */
  offerTo<C extends Codec>(peer: LivePeer<C> | V1Peer<C>, options: MessageOptions): void {
    if (peer.wire === 'v1') {
      const key = this.#type.delivery === undefined ? undefined : keyOf(this.#type, this.#data)
      peer.offer(this.#type, this.#body(peer.codec, peer.codec), options, key)
      return
    }
    this.#payload ??= encode(this.#codec, this.#type.name, this.#data as never)
    if (this.#payload instanceof Uint8Array) peer.offer(this.#payload, options)
    else throw this.#payload
  }
}
