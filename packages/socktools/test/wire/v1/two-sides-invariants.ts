import type { Hello } from '../../../src/wire/v1/hello.ts'
import {
  ACCEPTOR,
  bytes,
  DIALER,
  ID,
  must,
  other,
  type Side,
  tokenOf,
  type World,
} from './two-sides-world.ts'

/** Lies that an honest far side never tells are refused in every state, and change nothing. */
function refusesLies({ sequence, resumption }: Side): void {
  const before = sequence.key()
  const refused = (lie: () => unknown, what: string): void => {
    const is = ((): unknown => {
      try {
        lie()
        return undefined
      } catch (thrown) {
        return (thrown as { code?: string }).code
      }
    })()
    must(is === 'PROTOCOL_ERROR' && sequence.key() === before, `${what} is taken`)
  }
  if (sequence.acked > 0) refused(() => sequence.ack(sequence.acked - 1), 'an ack that goes back')
  refused(() => sequence.ack(sequence.sent + 1), 'an ack of what was not sent')
  refused(() => sequence.take(sequence.received + 2, sequence.acked), 'a gap')
  if (sequence.received > 0) {
    const other = sequence.clone()
    must(
      other.take(sequence.received, sequence.acked) === 'again',
      'a frame that came before is taken as new',
    )
    must(other.received === sequence.received, 'a frame that came before moves what was received')
  }
  const claim = (token: Uint8Array, connGen: number): string | undefined =>
    resumption.refusal({
      resume: { sessionId: ID, token, connGen, lastRecv: 0 },
      incarnation: resumption.incarnation,
    } as unknown as Hello)
  must(claim(bytes(0), 1000) === 'not-yours', 'a token that was never given out is taken')
  for (const token of [tokenOf(0), tokenOf(resumption.connGen)])
    must(claim(token, resumption.connGen) === 'not-yours', 'an attempt is taken twice')
}

/** What must be, in every state. `looked`: those of one side that need not be looked at again. */
export function check({ sides }: World, looked: Set<string>): void {
  for (const who of [DIALER, ACCEPTOR] as const) {
    const side = sides[who]
    const { sequence, retained, state } = side
    if (state !== 'up') continue
    const far = sides[other(who)]
    must(sequence.acked <= far.got, `${sequence.acked} are acked, and ${far.got} were delivered`)
    must(far.got <= side.written, `${far.got} were delivered, and ${side.written} sent`)
    must(sequence.sent - sequence.acked === retained.messages, 'what is not acked is kept, and nothing else')
    const key = `${who} ${sequence.key()} ${side.resumption.state()}`
    if (looked.has(key)) continue
    looked.add(key)
    refusesLies(side)
  }
}
