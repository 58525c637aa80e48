/** spec/vectors/msgpack.json, and how it is read. */
import { readFileSync } from 'node:fs'
import { hex } from '../bytes.ts'

/** What `{ '$bin': hex }` and its kin mean. */
const tags: Record<string, (value: any) => unknown> = {
  $bin: (text: string) => octets(text),
  $text: (text: string) => Buffer.from(octets(text)).toString(),
  $int: BigInt,
  $float: Number,
  $time: (text: string) => new Date(text),
  $items: (n: number) => Array<number>(n).fill(0),
  $nested: (n: number) =>
    Array.from({ length: n }).reduce<unknown[]>((inner, _, i) => (i === 0 ? [] : [inner]), []),
}

export interface Case {
  readonly id: string
  readonly what: string
  readonly type: string | number
  readonly data: unknown
  readonly bytes: string
  readonly read?: 'only'
  readonly error?: string
}
const vectors = new URL('../../../../../spec/vectors/msgpack.json', import.meta.url)
export const { cases, good, bad } = JSON.parse(readFileSync(vectors, 'utf8'), (_, value: unknown) => {
  const [tag = '', ...more] = Object.keys((value as object | null) ?? {})
  const meaning = more.length === 0 ? tags[tag] : undefined
  return meaning === undefined ? value : meaning((value as Record<string, unknown>)[tag])
}) as { cases: readonly Case[]; good: number; bad: number }

/** Hex, in which '*' repeats and '+' joins. */
export function octets(text: string): Uint8Array {
  return Uint8Array.from(
    text.split('+').flatMap((part) => {
      const [digits = '', times = '1'] = part.split('*')
      return Array.from({ length: Number(times) }, () => [...hex(digits)]).flat()
    }),
  )
}
