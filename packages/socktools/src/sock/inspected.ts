/** What Node hands to a function that says how an object is shown. */
type Inspect = (value: object, options: object) => string

/**
 * What console.log, assertions and debuggers of Node show of the objects of a class: what is public of them rather than their
 * insides, which are long and nobody's to use. The symbol is Node's own; other runtimes do not ask for it.
 */
export function showAs<T extends object>(prototype: T, facts: (shown: T) => object): void {
  Object.defineProperty(prototype, Symbol.for('nodejs.util.inspect.custom'), {
    value(this: T, _depth: number, options: object, inspect: Inspect): string {
      return `${this.constructor.name} ${inspect(facts(this), options)}`
    },
  })
}
