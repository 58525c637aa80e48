import type { Json } from './json-schema.ts'

/** Why something may be refused, or cannot be judged. `path` is where in the data: `.rows[].id`. */
export interface Misfit {
  readonly verdict: 'breaking' | 'unknown'
  readonly path: string
  readonly what: string
}

/** The two sides, and what to call them. */
export interface Sides {
  readonly receiver: Json
  readonly sender: Json
  /** `new peers` */
  readonly taking: string
  /** `old peers` */
  readonly sending: string
}

export const breaking = (path: string, what: string): Misfit => ({ verdict: 'breaking', path, what })
export const unknown = (path: string, what: string): Misfit => ({ verdict: 'unknown', path, what })
