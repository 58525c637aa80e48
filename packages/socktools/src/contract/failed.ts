import { type CallError, isCallError as isOne } from '../errors.ts'
import type { Declaration } from './declare.ts'
import type { ErrorCodes, ErrorOutput } from './types.ts'

/**
 * Whether what was thrown is that error of that declaration, so that the compiler knows its data. `instanceof CallError`
 * tells as much at run time, and leaves `data` without a type.
 *
 * ```ts
 * if (isCallError(error, protocol.enter, 'NAME_TAKEN')) return enter(error.data.free)
 * ```
 */
export function isCallError<D extends Declaration, Code extends ErrorCodes<D>>(
  thrown: unknown,
  _of: D,
  code: Code,
): thrown is CallError<Code, ErrorOutput<D, Code>> {
  return isOne(thrown) && thrown.code === code
}
