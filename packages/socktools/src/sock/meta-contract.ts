import type { Contract } from '../contract/protocol.ts'

/** How many differences are told. */
const SHOWN = 3

/**
 * Why a sock under one contract cannot be in a meta under another; undefined: it can. Each type that the meta declares
 * must be there, of the same kind; what the data are is for the compiler and for the schemas of the sock to say.
 */
export function misfitOf(meta: Contract | undefined, sock: Contract | undefined): string | undefined {
  if (meta === undefined || meta === sock) return undefined
  if (sock === undefined) return 'it has no protocol, and the meta has one'
  const all = meta.types.flatMap(({ name, kind }) => {
    const theirs = sock.byName.get(name)?.kind
    if (theirs === kind) return []
    const shown = JSON.stringify(name)
    return theirs === undefined
      ? [`it has no ${kind} ${shown}`]
      : [`its ${shown} is a ${theirs}, and the meta's a ${kind}`]
  })
  if (all.length === 0) return undefined
  const more = all.length > SHOWN ? [`and ${all.length - SHOWN} more`] : []
  return [...all.slice(0, SHOWN), ...more].join('; ')
}
