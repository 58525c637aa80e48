import { SockError, fail } from '../errors.ts'
import { rejected } from './waiter.ts'

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

/** What is wrong with options that ask for headers; callers in JavaScript may pass anything. */
export function noHeaders(carrier: Carrier, options: unknown, address?: string): SockError | undefined {
  const { headers } = (options ?? {}) as { readonly headers?: unknown }
  if (headers === undefined) return undefined
  return new SockError('OVER_PLAIN', `${carrier} carries no headers`, { address })
}
