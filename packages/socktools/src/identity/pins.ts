import { parseAddress } from '../address.ts'
import { SockError } from '../errors.ts'
import { isId } from './id.ts'
import type { Trust } from './trust.ts'

/** Where pins are kept: which id answered at an address. */
export interface PinStore {
  /** Keeps it, durably, unless there is one already: gives the one that there is. */
  pin(address: string, id: string): Promise<string>
}

/**
 * Trust on first use: who answers first at an address that we dial is the one who is expected there from then on. `roster`
 * knows what took the place of an id, and what is revoked.
 */
export function firstUseOf(pins: PinStore, roster: Trust | undefined): Trust {
  return {
    async judge(who) {
      const { id, dialed, named } = who
      if (id === undefined) return new SockError('UNKNOWN_ID', `${who.proof.by} proves no id to pin`)
      // Whom we dial a pin makes known.
      const refused = await roster?.judge({ ...who, named: named || dialed })
      if (refused !== undefined) return refused
      // Who dials in comes from a port of the moment; who is dialed by id needs no pin.
      if (!dialed || named) return undefined
      const pinned = await pins.pin(placeOf(who.address), id)
      if (pinned === id || roster?.follows?.(pinned, id) === true) return undefined
      return new SockError('PIN_CHANGED', `${id} answered, and so far it was ${pinned}`)
    },
    follows: (before, now) => roster?.follows?.(before, now) === true,
  }
}

/** However it is written: what names no other host and port is no other place. Throws BAD_ADDRESS. */
export function placeOf(address: string): string {
  const { protocol, hostname, port } = parseAddress(address)
  return hostname === '' ? address : `${protocol}//${hostname.toLowerCase()}:${Number(port)}`
}

/** What a file of pins says. Throws why it is none: a pin that is not read would have its address pinned anew. */
export function pinsIn(text: string): Map<string, string> {
  const pins = JSON.parse(text) as unknown
  if (typeof pins !== 'object' || pins === null || Array.isArray(pins))
    throw new TypeError('it is no object of addresses and ids')
  for (const [address, id] of Object.entries(pins)) {
    if (/^[^/:]+:\d+$/.test(address)) throw new TypeError(`"${address}" is not written tcp://${address}`)
    if (placeOf(address) !== address) throw new TypeError(`"${address}" is not written ${placeOf(address)}`)
    if (!isId(id)) throw new TypeError(`what stands at "${address}" is no id`)
  }
  return new Map(Object.entries(pins as Record<string, string>))
}
