import type { Case, Wire } from './case.ts'
import { calls } from './cases/calls.ts'
import { done } from './cases/done.ts'
import { endings } from './cases/endings.ts'
import { frames } from './cases/frames.ts'
import { handshake } from './cases/handshake.ts'
import { lanes } from './cases/lanes.ts'
import { plain } from './cases/plain.ts'
import { returns } from './cases/returns.ts'
import { seq } from './cases/seq.ts'
import { sessions } from './cases/sessions.ts'
import { skew } from './cases/skew.ts'
import { turnedAways } from './cases/turned-away.ts'
import type { Role } from './stage.ts'
import { vectorCases } from './vectors.ts'

const WRITTEN: readonly Case[] = [
  ...handshake,
  ...turnedAways,
  ...frames,
  ...seq,
  ...lanes,
  ...calls,
  ...done,
  ...endings,
  ...sessions,
  ...returns,
  ...skew,
  ...plain,
]

/** Those of one wire and role. */
export const casesFor = (wire: Wire, role: Role): readonly Case[] =>
  [...WRITTEN, ...vectorCases()].filter(
    (one) => (one.wire ?? 'v1') === wire && (one.role === undefined || one.role === role),
  )
