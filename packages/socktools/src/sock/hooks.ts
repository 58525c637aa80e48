import type { Codec, Got, Message, Sent } from '../wire/codec.ts'
import type { Settings } from './options.ts'
import { contracted } from './payload.ts'
import type { Tick } from './ticker.ts'
import type { Candidate, Maybe } from './types.ts'

/** The hooks of a sock that stand in the place of an option; only those that its class overrides. */
export interface Overridden<C extends Codec> {
  readonly parse?: ((payload: Uint8Array) => Message<Got<C>>) | false
  readonly serialise?: ((type: string | number, data: Sent<C>) => Uint8Array) | false
  readonly goodPeer?: ((who: Candidate) => Maybe<boolean>) | false
  readonly tick?: ((tick: Tick) => unknown) | false
}

/** The settings as everybody reads them: a hook that is not overridden costs nothing, since it is not there. */
export function withHooks<C extends Codec>(
  settings: Settings<C>,
  { parse, serialise, goodPeer, tick }: Overridden<C>,
): Settings<C> {
  const codec = settings.codec as Codec<Sent<C>, Got<C>>
  const codecHooked: Codec<Sent<C>, Got<C>> = {
    ...codec,
    name: codec.name,
    encode: serialise || ((type, data) => codec.encode(type, data)),
    decode: parse || ((payload) => codec.decode(payload)),
  }
  const { contract } = settings
  // A hook that never asks the codec sends the types of the contract all the same.
  const checked = contract === undefined ? codecHooked : contracted(codecHooked as Codec, contract)
  return Object.freeze({
    ...settings,
    ...((parse || serialise) && { codec: checked as Codec as C }),
    ...(goodPeer && { goodPeer }),
    ...(tick && { tick }),
  })
}

/** What looks like a hook and is none: a field is set after the constructor of the sock has looked. */
export const HOOKS = ['parse', 'serialise', 'handleAll', 'goodPeer', 'tick', 'setUp'] as const
