/** Inputs that are kept in files, one a line: README.md says which, and how they came here. */
import { readFileSync } from 'node:fs'
import { hex } from '../wire/bytes.ts'

export interface Entry {
  readonly name: string
  readonly bytes: Uint8Array
  /** What must come of it; how that is written is a matter of the kind. */
  readonly want: string
  /** Of one that showed a fault: which. */
  readonly was?: string
}

interface Line {
  readonly name: string
  readonly bytes: string
  readonly want?: string
  readonly was?: string
}

export const fileOf = (kind: string): URL => new URL(`${kind}.jsonl`, import.meta.url)

export function readCorpus(kind: string): Entry[] {
  return readFileSync(fileOf(kind), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const { bytes, want = '', ...more } = JSON.parse(line) as Line
      return { ...more, bytes: hex(bytes), want }
    })
}

/** The text of a file with these entries. */
export const corpusText = (entries: readonly Entry[]): string =>
  entries
    .map(
      ({ bytes, ...more }) => `${JSON.stringify({ ...more, bytes: Buffer.from(bytes).toString('hex') })}\n`,
    )
    .join('')
