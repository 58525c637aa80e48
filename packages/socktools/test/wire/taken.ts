/** How long each memory is that `fn` takes from the system, in order. */
export function taken(fn: () => void): number[] {
  const lengths: number[] = []
  const Real = globalThis.Uint8Array
  class Counted extends Real {
    constructor(...of: [any]) {
      super(...of)
      if (typeof of[0] === 'number') lengths.push(of[0])
    }
  }
  globalThis.Uint8Array = Counted as unknown as Uint8ArrayConstructor
  try {
    fn()
  } finally {
    globalThis.Uint8Array = Real
  }
  return lengths
}
