import { asSockError, fail, SockError, unawaited } from '../errors.ts'
import type { Proof } from '../net/pipe.ts'
import { isId } from './id.ts'

type Maybe<T> = T | PromiseLike<T>

/** A far side that has proven who it is, before anything that it says is read. */
export interface Proven {
  /** Its id, in the one form that an id has. Absent under a Security that proves something else. */
  readonly id: string | undefined
  readonly proof: Proof
  /** Of a dial: as it was given. Else that of its connection. */
  readonly address: string
  readonly dialed: boolean
  /** It is the very one that was dialed: the address had its id, or its session goes on. */
  readonly named: boolean
}

/** Whom a sock speaks with. */
export interface Trust {
  /** Undefined: with this one. Else why not. Throws, rejects: not. */
  judge(who: Proven): Maybe<SockError | undefined>
  /** Whether `now` has taken the place of `before`, so that it may go on with its sessions. Absent: nobody has. */
  follows?(before: string, now: string): boolean
}

/** Whether `now` is `before`, or has taken its place. */
export const isSameKey = (
  trust: Trust | undefined,
  before: string | undefined,
  now: string | undefined,
): boolean =>
  before === now || (before !== undefined && now !== undefined && trust?.follows?.(before, now) === true)

/** The same, whichever was first. */
export const isOneNode = (
  trust: Trust | undefined,
  one: string | undefined,
  other: string | undefined,
): boolean => isSameKey(trust, one, other) || isSameKey(trust, other, one)

/** What the option `trust` takes. */
export type TrustOption = Trust | readonly string[] | ((who: Proven) => Maybe<boolean>)

/** Throws BAD_OPTION, BAD_ID. */
export function trustOf(given: TrustOption | undefined): Trust | undefined {
  if (given === undefined) return undefined
  if (typeof given === 'function') return { judge: async (who) => answered(await given(who)) }
  if (Array.isArray(given)) return only(given as readonly string[])
  if (isTrust(given)) return given
  const kinds = 'trust is a list of ids, a function, or what known() or firstUse() gave'
  return fail('BAD_OPTION', kinds + unawaited(given))
}

export const isTrust = (given: unknown): given is Trust =>
  typeof (given as Partial<Trust> | null | undefined)?.judge === 'function'

/** Nothing but `true` opens. */
const answered = (yes: unknown): SockError | undefined =>
  yes === true ? undefined : new SockError('UNKNOWN_ID', '`trust` said no')

/** These ids, and whom we dial by id. Throws BAD_ID. */
function only(ids: readonly string[]): Trust {
  const all = new Set(ids.map(needId))
  return {
    judge: ({ id, named }) =>
      named || (id !== undefined && all.has(id))
        ? undefined
        : new SockError('UNKNOWN_ID', 'its id is not in `trust`'),
  }
}

export function needId(id: string): string {
  return isId(id) ? id : fail('BAD_ID', `${JSON.stringify(id)} in \`trust\` is no id`)
}

/** What speaks against going on with this one, for reasons that no policy may overrule, and then by the policy. */
export async function judgeProven(
  who: Omit<Proven, 'named'>,
  { own, expected, trust }: Expectations,
): Promise<void> {
  const { id, address, dialed } = who
  const refuse = (code: 'OWN_ID' | 'WRONG_ID' | 'UNKNOWN_ID', what: string): never =>
    fail(code, what, { address })
  if (id !== undefined && id === own) refuse('OWN_ID', 'the far side has our own id')
  const isIt =
    id === expected || (id !== undefined && expected !== undefined && trust?.follows?.(expected, id) === true)
  if (expected !== undefined && !isIt)
    refuse('WRONG_ID', `${id ?? 'somebody without an id'} answered, not ${expected}`)
  if (trust === undefined) {
    // Whoever dials in is for goodPeer to judge. Whom we dial, and take for somebody, has to be somebody.
    if (dialed && expected === undefined && id !== undefined)
      refuse('UNKNOWN_ID', `${id} answered, and nothing says that it is the right one`)
    return
  }
  const error = await Promise.resolve(trust.judge({ ...who, named: expected !== undefined })).catch(
    (thrown: unknown) => asSockError(thrown, 'UNKNOWN_ID', '`trust` threw', address),
  )
  if (error !== undefined) throw new SockError(error.code, error.what, { address, cause: error.cause })
}

export interface Expectations {
  /** Our own id. */
  readonly own: string | undefined
  /** Who was dialed; undefined: whoever is there. */
  readonly expected: string | undefined
  readonly trust: Trust | undefined
}
