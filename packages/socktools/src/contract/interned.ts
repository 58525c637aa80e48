import type { Json } from './json-schema.ts'

/** Numbers for JSON values, the same for what is the same: canonical JSON, whose keys are sorted, is compared at once. */
export class Interned {
  readonly #ids = new Map<string, number>()
  readonly #seen = new WeakMap<object, number>()
  /** Of values that hold references, which mean what their root makes of them. */
  readonly #referring = new Set<number>()

  idOf(value: Json): number {
    if (typeof value !== 'object' || value === null) return this.#id(JSON.stringify(value))
    const known = this.#seen.get(value)
    if (known !== undefined) return known
    const parts = Object.entries(value).map(([key, part]) => ({ key, id: this.idOf(part) }))
    const id = this.#id(
      (Array.isArray(value) ? '[' : '{') +
        parts.map(({ key, id: one }) => `${JSON.stringify(key)}:${one}`).join(),
    )
    if (parts.some(({ key, id: one }) => key === '$ref' || this.#referring.has(one))) this.#referring.add(id)
    this.#seen.set(value, id)
    return id
  }

  refers(value: Json): boolean {
    return this.#referring.has(this.idOf(value))
  }

  #id(text: string): number {
    const known = this.#ids.get(text)
    if (known !== undefined) return known
    const id = this.#ids.size
    this.#ids.set(text, id)
    return id
  }
}
