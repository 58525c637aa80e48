/** Two sides of one session and the pipes between them, as two-sides.ts moves them. */
import type { Hello, Session } from '../../../src/wire/v1/hello.ts'
import { Blocks, Retained } from '../../../src/wire/v1/retained.ts'
import { Resumption, type SessionLost, type Tombstones } from '../../../src/wire/v1/resumption.ts'
import { Sequence } from '../../../src/wire/v1/session.ts'

export const DIALER = 0
export const ACCEPTOR = 1
export type Who = 0 | 1
export const NAMES = ['dialer', 'acceptor'] as const
export const other = (who: Who): Who => (1 - who) as Who

export type Frame =
  | { readonly is: 'HELLO'; readonly hello: Hello; readonly key: string }
  | { readonly is: 'WELCOME'; readonly session: Session; readonly key: string }
  | { readonly is: 'REJECTED'; readonly lost: SessionLost; readonly key: string }
  /** `n`: which message it carries; 0: none, and no seq. */
  | {
      readonly is: 'frame'
      readonly seq: number
      readonly ack: number
      readonly n: number
      readonly key: string
    }

export interface Pipe {
  readonly id: number
  /** Whether it has not ended yet, for each side. */
  readonly open: [boolean, boolean]
  /** What is underway to each side. */
  readonly to: [readonly Frame[], readonly Frame[]]
}

/** What is told of a session that is lost. */
interface Report {
  /** Up to where the messages were delivered. */
  readonly through: number
  /** It is certain that none above arrived. */
  readonly proved: boolean
  /** Written, and not known to have arrived; those above were never written. */
  readonly unknown: number
}

export interface Side {
  state: 'up' | 'lost' | 'crashed'
  sequence: Sequence
  retained: Retained
  resumption: Resumption
  /** Messages that were written. */
  written: number
  /** Messages that the application got. */
  got: number
  /** The pipe that it has, by its id; -1: none. */
  pipe: number
  /** A pipe on which its handshake is underway, -1: none; an acceptor goes on from there. */
  greeting: number
  lastRecv: number
  connGen: number
  unconfirmed: boolean
  /** The seq that this pipe has to carry next. */
  nextOnPipe: number
  /** With the flaw 'not fenced': a pipe that it should not read any more. */
  unfenced: number
  report: Report | undefined
  tombstones: Tombstones | undefined
}

export interface World {
  readonly sides: [Side, Side]
  pipes: Pipe[]
  drops: number
  expiries: number
}

/** Small ones, so that what is kept spans several. */
class SmallBlocks extends Blocks {
  override take(): Uint8Array {
    return new Uint8Array(64)
  }

  override give(): void {
    // They are not used again.
  }
}

export const blocks = new SmallBlocks()
export const bytes = (n: number): Uint8Array => new Uint8Array(16).fill(n)
export const ID = bytes(0xd0)
export const INCARNATIONS = [bytes(1), bytes(2)] as const
/** The token that is given out with this attempt. */
export const tokenOf = (connGen: number): Uint8Array => bytes(0x80 + connGen)

export const frameOf = (seq: number, ack: number, n: number): Frame => ({
  is: 'frame',
  seq,
  ack,
  n,
  key: `${seq},${ack},${n}`,
})

export function newSide(who: Who): Side {
  return {
    state: 'up',
    sequence: new Sequence(),
    retained: new Retained(blocks),
    resumption: new Resumption(ID, tokenOf(0), INCARNATIONS[other(who)]),
    written: 0,
    got: 0,
    pipe: 0,
    greeting: -1,
    lastRecv: 0,
    connGen: 0,
    unconfirmed: true,
    nextOnPipe: 1,
    unfenced: -1,
    report: undefined,
    tombstones: undefined,
  }
}

/** Bad, if it is not so. */
export function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what)
}
