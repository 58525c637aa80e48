import type { Contract } from '../contract/protocol.ts'
import { fail, needFunction } from '../errors.ts'
import type { Off } from '../events.ts'
import type { Codec } from '../wire/codec.ts'
import type { Handler } from './types.ts'

export interface Entry<C extends Codec> {
  readonly handler: Handler<C>
}

/** The handlers of one sock by type, each type's in the order in which they were added. */
export class HandlerTable<C extends Codec> {
  readonly #contract: Contract | undefined
  readonly #byType = new Map<string | number, readonly Entry<C>[]>()

  constructor(contract: Contract | undefined) {
    this.#contract = contract
  }

  add(name: string | number, handler: Handler<C>, exclusive: boolean): Off {
    needFunction(handler, `the handler for ${JSON.stringify(name)}`)
    const type = typeOf(name)
    const before = exclusive ? [] : (this.#byType.get(type) ?? [])
    this.#checkType(String(name), before.length > 0)
    // An entry of its own, so that a function added twice runs twice and each off() takes back its own.
    const own: Entry<C> = { handler }
    this.#byType.set(type, [...before, own])
    return () => {
      const left = (this.#byType.get(type) ?? []).filter((one) => one !== own)
      if (left.length > 0) this.#byType.set(type, left)
      else this.#byType.delete(type)
    }
  }

  /** Those of a type as `typeOf` has it: one at least, or undefined. */
  of(type: string | number): readonly Entry<C>[] | undefined {
    return this.#byType.get(type)
  }

  #checkType(name: string, taken: boolean): void {
    if (this.#contract === undefined) return
    const kind = this.#contract.byName.get(name)?.kind
    if (kind === undefined) fail('UNKNOWN_TYPE', `the contract has no type ${JSON.stringify(name)}`)
    if (kind !== 'msg' && taken)
      fail(
        'BAD_OPTION',
        `the ${kind} ${JSON.stringify(name)} has a handler: one answers, or { exclusive: true }`,
      )
  }
}

/**
 * A type as the one table of handlers has it. Text that reads as a safe integer is that number, since the keys
 * of an object are always text: `1` and `'1'` are one type, wherever it is named and however it arrives.
 */
export function typeOf(name: string | number): string | number {
  if (typeof name !== 'string') return name
  const first = name.charCodeAt(0)
  // Most names begin with a letter, and cost no more than this.
  if (first > NINE || (first < ZERO && first !== MINUS)) return name
  const number = Number(name)
  return Number.isSafeInteger(number) && String(number) === name ? number : name
}

const [MINUS, ZERO, NINE] = [0x2d, 0x30, 0x39]
