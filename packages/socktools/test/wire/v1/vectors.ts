/** The cases of spec/vectors/v1.json, and what stands for bytes in them. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { hex } from '../bytes.ts'

export interface Case {
  readonly id: string
  readonly group: string
  readonly what: string
  readonly error?: string
  /** Written otherwise. */
  readonly read?: 'only'
  readonly [more: string]: any
}

const file = new URL('../../../../../spec/vectors/v1.json', import.meta.url)
export const vectors = JSON.parse(readFileSync(file, 'utf8')) as {
  readonly good: number
  readonly bad: number
  readonly cases: readonly Case[]
}

/** The cases of a group; there are some. */
export function casesOf(group: string): readonly Case[] {
  const cases = vectors.cases.filter((one) => one.group === group)
  assert.ok(cases.length > 0, group)
  return cases
}

/** Hex, in which spaces mean nothing, '*' repeats and '+' joins. */
export function octets(text: string): Uint8Array<ArrayBuffer> {
  const parts = text.split('+').map((part) => {
    const [, digits = '', times = '1'] = /^([\da-f\s]*)(?:\*(\d+)\s*)?$/.exec(part) ?? assert.fail(part)
    const bytes = hex(digits)
    return Buffer.alloc(bytes.length * Number(times), bytes)
  })
  return Uint8Array.from(Buffer.concat(parts))
}

/** Bytes as hex, wherever they stand in `value`, and bigints as decimals: as a vector says it. */
export function said(value: unknown): any {
  return JSON.parse(
    JSON.stringify(value, (_, one: unknown) => {
      if (one instanceof Uint8Array) return Buffer.from(one).toString('hex')
      return typeof one === 'bigint' ? String(one) : one
    }),
  )
}
