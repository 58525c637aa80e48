import { SockError, fail } from '../errors.ts'
import { rejected } from './waiter.ts'

const WHAT = 'this peer speaks the plain wire, which has messages and nothing else'

/** `request` of a peer that cannot be asked anything. */
export const noRequest = (address: string): Promise<never> =>
  rejected(new SockError('OVER_PLAIN', WHAT, { address }))

/** `stream` of such a peer. */
export async function* noStream(address: string): AsyncGenerator<never, undefined, undefined> {
  await noRequest(address)
}

/** `channel` of such a peer. */
export const noChannel = (address: string): never => fail('OVER_PLAIN', WHAT, { address })
