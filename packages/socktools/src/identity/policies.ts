/* Policies for the option `trust`, with Node's keys, files and clock. */
import { asSockError, fail, isSockError, needKnown, reasonOf, unawaited } from '../errors.ts'
import { fromBase64, hmac, sameBytes, toBase64 } from '../platform/node-keys.ts'
import { nodeDisk } from '../platform/node-disk.ts'
import { inTurn, readSecret, replaceSecret } from '../platform/node-secrets.ts'
import type { Proof } from '../net/pipe.ts'
import { type Identity, isSignedBy, needIdentity } from './identity.ts'
import { firstUseOf, pinsIn, placeOf } from './pins.ts'
import { type Revocation, revocationBytes, type Rotation, rotationBytes, type Verify } from './records.ts'
import { Roster } from './roster.ts'
import { isTrust, type Trust } from './trust.ts'

export interface KnownOptions {
  /** The ids that may come and be dialed. Absent: whoever dials in, and whom we dial by id. */
  readonly ids?: readonly string[]
  /** Rotations and revocations: as text, one record each, or as objects. */
  readonly records?: readonly unknown[]
}

const verify: Verify = (id, bytes, signature) => isSignedBy(id, bytes, fromBase64(signature))

/** A policy for `trust`: these ids, what took their place, and nothing that is revoked. Throws BAD_ID, BAD_RECORD, BAD_OPTION. */
export function known(options: KnownOptions = {}): Roster {
  needKnown(options, ['ids', 'records'], 'known()')
  const { ids, records = [] } = options
  // What is no list would let nobody in, or everybody.
  for (const list of [ids, records] as unknown[])
    if (list !== undefined && !Array.isArray(list)) fail('BAD_OPTION', 'ids and records of known() are lists')
  const roster = new Roster(ids, { verify, now: nodeDisk.wallClock })
  for (const record of records) roster.add(record)
  return roster
}

export interface FirstUseOptions {
  /** What took the place of an id, and what is revoked: known(). */
  readonly roster?: Trust
}

/** A policy for `trust`, and the pins that it goes by: those of the file, as it is now. */
export interface FirstUse extends Trust {
  /** The id that is pinned at each address. Rejects with UNSAFE_FILE, BAD_PIN_FILE. */
  pins(): Promise<ReadonlyMap<string, string>>
  /**
   * Forgets who is at this address: who answers there next is pinned. Gives the id that it was; undefined: there was none. Rejects with
   * BAD_ADDRESS, and as `pins` does.
   */
  unpin(address: string): Promise<string | undefined>
}

/**
 * A policy for `trust`: who answers first at an address that we dial is pinned, in this file; if another one answers there later,
 * the dial fails with PIN_CHANGED. Several processes of one machine may use the file. Rejects with UNSAFE_FILE, BAD_PIN_FILE.
 */
export async function firstUse(path: string, options: FirstUseOptions = {}): Promise<FirstUse> {
  needKnown(options, ['roster'], 'firstUse()')
  const { roster } = options
  if (roster !== undefined && !isTrust(roster))
    fail('BAD_OPTION', `the roster of firstUse() is what known() gave${unawaited(roster)}`)
  const pins = (): Promise<Map<string, string>> => readPins(path)
  const write = (all: ReadonlyMap<string, string>): Promise<void> =>
    replaceSecret(path, `${JSON.stringify(Object.fromEntries(all), undefined, 2)}\n`)
  // Read anew each time: others use the file as well.
  const pin = async (address: string, id: string): Promise<string> => {
    const all = await pins()
    const there = all.get(address)
    if (there === undefined) await write(all.set(address, id))
    return there ?? id
  }
  const alone = <T>(fn: () => Promise<T>): Promise<T> =>
    inTurn(path, fn).catch((thrown: unknown) => {
      throw asSockError(thrown, 'BAD_PIN_FILE', `${path} cannot be changed`)
    })
  await pins()
  return {
    ...firstUseOf(
      { pin: async (address, id) => (await pins()).get(address) ?? alone(() => pin(address, id)) },
      roster,
    ),
    pins,
    unpin: (address) =>
      alone(async () => {
        const all = await pins()
        const place = placeOf(address)
        const was = all.get(place)
        if (all.delete(place)) await write(all)
        return was
      }),
  }
}

async function readPins(path: string): Promise<Map<string, string>> {
  try {
    const text = await readSecret(path)
    return text === undefined ? new Map() : pinsIn(text)
  } catch (thrown) {
    if (isSockError(thrown) && thrown.code === 'UNSAFE_FILE') throw thrown
    return fail('BAD_PIN_FILE', `${path} holds no pins: ${reasonOf(thrown)}`, { cause: thrown })
  }
}

/** Late is who says "now". */
const MOMENT = 60_000

/**
 * Says that `next` takes the place of `old`, which counts until `until` (milliseconds since 1970) as well. Throws BAD_OPTION,
 * also where that is over for more than a minute.
 */
export function rotation(old: Identity, next: Identity, until: number): Rotation {
  const facts = { old: needIdentity(old, 'old').id, next: needIdentity(next, 'next').id, until }
  if (old.id === next.id) return fail('BAD_OPTION', 'a rotation is of two keys, and these are one')
  const now = nodeDisk.wallClock()
  if (!Number.isSafeInteger(until) || until < now - MOMENT)
    return fail(
      'BAD_OPTION',
      `until is when the old key ends, in milliseconds since 1970, and not over: Date.now() + 30 * 86_400_000, say; it is ${String(until)}`,
    )
  const bytes = rotationBytes(facts)
  return {
    record: 'rotation',
    ...facts,
    byOld: toBase64(old.sign(bytes)),
    byNext: toBase64(next.sign(bytes)),
  }
}

/** Says that nobody may use this key any more. */
export function revocation(identity: Identity): Revocation {
  const { id } = needIdentity(identity, 'the identity')
  return { record: 'revocation', id, by: toBase64(identity.sign(revocationBytes(id))) }
}

/** What join tokens need of a peer. */
export interface Joined {
  readonly dialed: boolean
  readonly proof?: Proof | undefined
}

/**
 * Shows this peer that we have a token that both sides know, without showing the token: 32 bytes, for this very connection
 * and from us alone. A token is for machines: 16 random bytes at least. Throws UNPROVEN without security.
 */
export const joinProof = (token: string | Uint8Array, peer: Joined): Uint8Array =>
  joined(token, peer, peer.dialed)

/** Whether the peer has that token. Throws UNPROVEN without security. */
export const isJoinProof = (token: string | Uint8Array, peer: Joined, shown: Uint8Array): boolean =>
  (shown as unknown) instanceof Uint8Array && sameBytes(joined(token, peer, !peer.dialed), shown)

function joined(token: string | Uint8Array, { proof }: Joined, byDialer: boolean): Uint8Array {
  // One that is not there, as of an environment that has none, is known to everybody.
  if ((typeof token !== 'string' && !((token as unknown) instanceof Uint8Array)) || token.length === 0)
    fail('BAD_OPTION', 'a join token is 16 random bytes at least, or a text that stands for them')
  const exported = proof?.exported
  if (exported === undefined) return fail('UNPROVEN', 'a join token needs a connection with security')
  // Each side says something else: neither can be answered with its own words.
  return hmac(token, exported(`socktools-join-${byDialer ? 'dialer' : 'acceptor'}`))
}
