import { SockError, fail } from '../errors.ts'
import type { Receipt } from './types.ts'
import { rejected } from './waiter.ts'

/** Why sendRaw is OVER_PLAIN under wire v1. */
export const RAW_UNDER_V1 = 'sendRaw is of the plain wire: declare a type as msg(bytes())'

/** What has no handshake, as errors name it. */
export type Carrier = 'the plain wire' | 'a datagram'

const only = (carrier: Carrier): string => `${carrier} carries messages and nothing else`

/** `request` of a peer that cannot be asked anything. */
export const noRequest = (carrier: Carrier, address: string): Promise<never> =>
  rejected(new SockError('OVER_PLAIN', only(carrier), { address }))

/** `stream` of such a peer. */
export async function* noStream(
  carrier: Carrier,
  address: string,
): AsyncGenerator<never, undefined, undefined> {
  await noRequest(carrier, address)
}

/** `channel` of such a peer. */
export const noChannel = (carrier: Carrier, address: string): never =>
  fail('OVER_PLAIN', only(carrier), { address })

/** `send` of such a peer: nothing is ever acknowledged. `refused`: what its sends that are refused return. */
export const noReceipt = (refused: Promise<void>): Receipt => ({
  accepted: refused,
  outcome: Promise.resolve({ status: 'not-delivered', reason: 'unsendable' }),
})

export const receiptless = (carrier: Carrier, address: string): SockError =>
  new SockError('OVER_PLAIN', `${carrier} has no acknowledgements, and so no receipts`, { address })

/** What is wrong with options that ask for headers; callers in JavaScript may pass anything. */
export function noHeaders(carrier: Carrier, options: unknown, address?: string): SockError | undefined {
  const { headers } = (options ?? {}) as { readonly headers?: unknown }
  if (headers === undefined) return undefined
  return new SockError('OVER_PLAIN', `${carrier} carries no headers`, { address })
}
