import type { Contract, TypeInfo } from '../../contract/protocol.ts'
import { fail, printable } from '../../errors.ts'
import type { TableEntry } from '../../wire/v1/bodies.ts'
import { type Header, nameOfKind } from '../../wire/v1/frame.ts'

/** The types of the far side: what its frames number, and whether it knows what we would send. */
export class FarTypes {
  /** By its index: our own declaration of that type; text: what it calls one that we do not have so. */
  readonly #byIndex: readonly (TypeInfo | string)[]
  /** Undefined: its contract is ours. */
  readonly #kinds: ReadonlyMap<string, TableEntry['kind']> | undefined

  /** `table`: undefined if both have the same contract. */
  constructor(contract: Contract, table?: readonly TableEntry[]) {
    this.#kinds = table && new Map(table.map(({ name, kind }) => [name, kind]))
    this.#byIndex =
      table === undefined
        ? contract.types
        : table.map(({ name, kind }) => {
            const own = contract.byName.get(name)
            return own?.kind === kind ? own : name
          })
  }

  /** Our declaration of the type that it numbers so; text: its name, where we have none of that kind; else undefined. */
  at(index: number): TypeInfo | string | undefined {
    return this.#byIndex[index]
  }

  /** What kind it says a type is that it numbers so. */
  kindAt(index: number): TableEntry['kind'] | undefined {
    const type = this.#byIndex[index]
    return typeof type === 'string' ? this.#kinds?.get(type) : type?.kind
  }

  /** It numbers its types wrong, or breaks its own word. */
  refuse({ kind, type }: Header): never {
    const is = this.kindAt(type)
    return fail(
      'PROTOCOL_ERROR',
      `${nameOfKind(kind)} of its type ${type}, ${is === undefined ? 'which is not in its TABLE' : `which is a ${is}`}`,
    )
  }

  /** Why this type cannot be sent to it; undefined: it can. */
  lacks({ name, kind }: TypeInfo): string | undefined {
    if (this.#kinds === undefined) return undefined
    const theirs = this.#kinds.get(name)
    if (theirs === kind) return undefined
    return theirs === undefined
      ? `the far side has no type "${name}"; it has ${listed(this.#kinds)}`
      : `"${name}" is a ${kind} here and a ${theirs} there`
  }
}

/** How many types an error names, and how much of each name, in characters. */
const SHOWN = 12
const NAME = 40

/** `add (call), count (feed)`: whoever mistyped a name finds it in there. */
function listed(kinds: ReadonlyMap<string, TableEntry['kind']>): string {
  if (kinds.size === 0) return 'none at all'
  const shown = [...kinds].slice(0, SHOWN).map(([name, kind]) => `${printable(name, NAME)} (${kind})`)
  const more = kinds.size - shown.length
  return shown.join(', ') + (more > 0 ? ` and ${more} more` : '')
}
