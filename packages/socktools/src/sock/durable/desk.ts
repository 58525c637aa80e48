import type { TypeInfo } from '../../contract/protocol.ts'
import { asSockError, fail, isSockError, type SockError } from '../../errors.ts'
import type { Off } from '../../events.ts'
import type { Outbox } from '../../store/types.ts'
import type { Codec } from '../../wire/codec.ts'
import { encodePrefix } from '../../wire/v1/bodies.ts'
import { type DoneLevel, type Marks, needOwnKeys, withMarks } from '../../wire/v1/marks.ts'
import type { Core } from '../core.ts'
import { needMsg } from '../payload.ts'
import type { AnyPeer } from '../sends.ts'
import type { Outcome, Peer } from '../types.ts'
import { type DataCodec, encodeData } from '../v1/data.ts'
import { rejected, Waiter } from '../waiter.ts'
import { type Carriage, Courier, type CourierHost, type Route } from './courier.ts'
import { seal, unseal } from './envelope.ts'
import type { DurableStats, Posted, PostOptions } from './types.ts'

/** What a peer on wire v1 is to those who post. */
export interface Carrier {
  readonly wire: 'v1'
  readonly address: string
  readonly state: Peer['state']
  readonly codec: DataCodec
  /** It tells what became of messages. */
  readonly tellsDone: boolean
  carry(
    type: TypeInfo,
    body: Uint8Array,
    headers: PostOptions['headers'],
    marks: Marks,
    settle: (outcome: Outcome) => void,
  ): Carriage | SockError
}

/** Stores that a sock has. Two would each send what both posted, in an order that hides some of it from the far side. */
const taken = new WeakSet<Outbox>()

/** What is posted to names, and the peers that have them. */
export class Desk<C extends Codec> {
  readonly #core: Core<C>
  readonly #store: Outbox
  readonly #couriers = new Map<string, Courier>()
  readonly #names = new Map<Carrier, string>()
  readonly #offs: readonly Off[]
  readonly #host: CourierHost
  #posted = 0
  readonly #settled = { delivered: 0, 'not-delivered': 0, unknown: 0 }
  #closed = false

  constructor(core: Core<C>, store: Outbox) {
    if (taken.has(store))
      fail('BAD_OPTION', 'another sock has this store: one sock at a time, until it is closed')
    taken.add(store)
    this.#core = core
    this.#store = store
    const { maxBytes, maxCount, undeliverable } = core.settings.outbox
    this.#host = {
      ...{ store, maxBytes, maxCount, undeliverable },
      streamOf: (name) => streamId(store.id, name, core.platform.hash),
      onSettled: (name, n, outcome) => {
        this.#settled[outcome.status]++
        core.events.emit('settled', { name, n, outcome })
      },
      onHeld: (name, n, type, error) => {
        core.events.emit('held', { name, n, type, error })
      },
      onStoreFailed: (thrown) => {
        // What the store says of itself, it has said already.
        if (isSockError(thrown) && thrown.code !== 'CLOSED') return
        core.events.emit('storeFailed', { error: asSockError(thrown, 'STORE_FAILED', 'the store') })
      },
    }
    this.#offs = [
      store.on('expired', ({ peer, n }) => {
        this.#couriers.get(peer)?.expired(n)
        core.dropNobodys('expired', 0)
      }),
      store.on('failed', (error) => {
        for (const courier of this.#couriers.values()) courier.stop()
        core.events.emit('storeFailed', { error })
      }),
    ]
  }

  post(name: string, type: string, data: unknown, options: PostOptions): Posted {
    const outcome = new Waiter<Outcome>()
    const accepted = this.#post(name, type, data, options, outcome.resolve).catch((thrown: unknown) => {
      outcome.resolve({ status: 'not-delivered', reason: 'unsendable' })
      this.#core.dropNobodys('unsendable', 0)
      return rejected(thrown as Error)
    })
    // A forgotten await ends no process.
    accepted.catch(nothing)
    return { accepted, outcome: outcome.promise }
  }

  async #post(
    name: string,
    type: string,
    data: unknown,
    { headers, ack }: PostOptions,
    settle: (outcome: Outcome) => void,
  ): Promise<number> {
    this.#core.checkOpen('post')
    const { contract, codecs } = this.#core.settings
    const info = needMsg(contract ?? fail('OVER_PLAIN', 'post needs wire v1'), type)
    const done = doneOf(info, ack)
    if (info.delivery !== undefined)
      fail('BAD_OPTION', `"${type}" is declared to be lost where it cannot leave at once: see its delivery`)
    needOwnKeys(headers)
    // What is too much for the slot with all that will stand there is not stored.
    if (headers !== undefined) encodePrefix(undefined, withMarks(headers, { done, id: LONGEST }))
    const [codec] = codecs as readonly [Codec]
    const values = { name: codec.name, ...codec.values } as DataCodec
    const body = encoded(info, values, data)
    const most = Math.min(info.maxSize ?? Infinity, this.#core.settings.maxMessage)
    if (body.length > most) fail('TOO_LARGE', `a message of ${body.length} bytes, and ${most} is the most`)
    const sealed = seal({ codec: info.inputBytes ? '' : codec.name, done, headers, data: body })
    const n = await this.#store.append(name, type, sealed)
    this.#posted++
    if (this.#closed) settle({ status: 'unknown', reason: 'closed' })
    else this.#courier(name).accepted(n, type, sealed, settle)
    return n
  }

  #courier(name: string): Courier {
    let courier = this.#couriers.get(name)
    if (courier === undefined) this.#couriers.set(name, (courier = new Courier(name, this.#host)))
    return courier
  }

  /** What is posted to this name goes to this peer from now on. Throws UNSUPPORTED, OVER_PLAIN, PEER_GONE, BAD_OPTION. */
  claim(peer: Carrier | { readonly wire: 'plain'; readonly address: string }, name: string): void {
    if (typeof (name as unknown) !== 'string' || name === '')
      fail('BAD_OPTION', 'the name of a peer is a text')
    const { address } = peer
    if (peer.wire === 'plain') return fail('OVER_PLAIN', 'what is posted goes over wire v1', { address })
    if (peer.state === 'gone' || peer.state === 'ending')
      return fail('PEER_GONE', 'this peer has ended', { address })
    if (!peer.tellsDone)
      return fail('UNSUPPORTED', 'the far side does not tell what became of messages (DONE)', { address })
    const known = this.#names.get(peer)
    if (known === name) return
    if (known !== undefined) fail('BAD_OPTION', `this peer is "${known}" already`, { address })
    for (const [before, its] of this.#names) if (its === name) this.#names.delete(before)
    this.#names.set(peer, name)
    this.#courier(name).take(this.#routeTo(peer))
  }

  /** A new peer: the name that the application has for it. */
  join(peer: AnyPeer<C>): void {
    const { nameOf } = this.#core.settings
    if (nameOf === undefined || peer.state === 'gone') return
    try {
      const { host, address, dialed, identity, proof } = peer
      const id = peer.wire === 'v1' ? peer.nodeId : undefined
      const name = nameOf({ host, address, dialed, id, identity, proof })
      if (name !== undefined) this.claim(peer, name)
    } catch (thrown) {
      this.#core.fault(thrown, 'nameOf', peer as Peer<C>)
    }
  }

  gone(peer: Carrier): void {
    const name = this.#names.get(peer)
    if (name === undefined) return
    this.#names.delete(peer)
    this.#couriers.get(name)?.take(undefined)
  }

  /** The way to a peer: what the store keeps, in the codec of that connection. */
  #routeTo(peer: Carrier): Route {
    const { contract, codecs } = this.#core.settings
    return {
      carry: ({ type, payload }, id, settle) => {
        try {
          const info = contract?.byName.get(type)
          if (info?.kind !== 'msg')
            fail('UNKNOWN_TYPE', `the contract has no message ${JSON.stringify(type)} any more`)
          const { codec, done, headers, data } = unseal(payload)
          const body = recoded(info, codec, peer.codec, codecs, data)
          return peer.carry(info, body, headers, { done, id }, settle)
        } catch (thrown) {
          return asSockError(thrown, 'CANNOT_ENCODE', 'the codec failed', peer.address)
        }
      },
    }
  }

  /** Hands over no more: the sock is about to end. */
  stop(): void {
    for (const courier of this.#couriers.values()) courier.stop()
  }

  end(): void {
    this.#closed = true
    taken.delete(this.#store)
    for (const off of this.#offs) off()
    for (const courier of this.#couriers.values()) courier.end()
    this.#names.clear()
  }

  stats(): Omit<DurableStats, 'duplicates'> {
    const couriers = [...this.#couriers.values()]
    return {
      posted: this.#posted,
      settled: { ...this.#settled },
      underway: couriers.reduce((sum, { underway }) => sum + underway.size, 0),
      underwayBytes: couriers.reduce((sum, { bytes }) => sum + bytes, 0),
      names: this.#names.size,
      held: couriers.filter(({ held }) => held !== undefined).length,
    }
  }
}

export const NO_DESK: Omit<DurableStats, 'duplicates'> = {
  ...{ posted: 0, underway: 0, underwayBytes: 0, names: 0, held: 0 },
  settled: { delivered: 0, 'not-delivered': 0, unknown: 0 },
}

function doneOf({ ack: declared, name }: TypeInfo, ack = declared ?? 'processed'): DoneLevel {
  if (ack === 'processed' || ack === 'durable') return ack
  return fail(
    'BAD_OPTION',
    `"${name}" is posted with the ack 'processed' or 'durable', not ${JSON.stringify(ack)}`,
  )
}

function encoded(info: TypeInfo, codec: DataCodec, data: unknown): Uint8Array {
  try {
    return encodeData(info.input, codec, data)
  } catch (thrown) {
    throw asSockError(thrown, 'CANNOT_ENCODE', 'the codec failed')
  }
}

/** Data in the codec of a connection, which may be another than they were kept in. Throws CANNOT_ENCODE. */
function recoded(
  info: TypeInfo,
  kept: string,
  codec: DataCodec,
  codecs: readonly Codec[],
  data: Uint8Array,
): Uint8Array {
  if (kept === codec.name || (kept === '' && info.inputBytes)) return data
  if (kept === '' || info.inputBytes)
    return fail(
      'CANNOT_ENCODE',
      `"${info.name}" was posted as ${kept === '' ? 'bytes()' : `${kept}()`}, and is not any more`,
    )
  const values = codecs.find(({ name }) => name === kept)?.values
  if (values === undefined)
    return fail('CANNOT_ENCODE', `it was posted in ${kept}(), which is no codec of this sock`)
  return codec.encode(values.decode(data))
}

/** 32 hex digits: those of the store would be the same for each name. */
export function streamId(store: string, name: string, hash: (bytes: Uint8Array) => Uint8Array): string {
  const digest = hash(new TextEncoder().encode(`${store}/${name}`)).subarray(0, 16)
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

const LONGEST = { store: '0'.repeat(32), n: Number.MAX_SAFE_INTEGER, redelivered: true }

const nothing = (): void => undefined
