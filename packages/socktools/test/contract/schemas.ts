/** Schemas as data: from one of them come a schema of zod, data that fit it, and a neighbour that may differ. */
import fc from 'fast-check'
import { z } from 'zod'

export type Ast =
  | { readonly is: 'string' | 'int' | 'number'; readonly min?: number; readonly max?: number }
  | { readonly is: 'boolean' | 'null' }
  | { readonly is: 'enum'; readonly values: readonly (string | number)[] }
  | { readonly is: 'array'; readonly of: Ast; readonly min?: number }
  | { readonly is: 'tuple'; readonly of: readonly Ast[]; readonly rest?: Ast }
  | { readonly is: 'object'; readonly of: Readonly<Record<string, Property>>; readonly mode: Mode }
  | { readonly is: 'record'; readonly of: Ast }
  | { readonly is: 'union'; readonly of: readonly Ast[] }

interface Property {
  readonly ast: Ast
  readonly optional: boolean
}
type Mode = 'strip' | 'strict' | 'loose'

export function zodOf(ast: Ast): z.ZodType {
  switch (ast.is) {
    case 'string': {
      const text = ast.min === undefined ? z.string() : z.string().min(ast.min)
      return ast.max === undefined ? text : text.max(ast.max)
    }
    case 'int':
    case 'number': {
      const base = ast.is === 'int' ? z.int() : z.number()
      const from = ast.min === undefined ? base : base.min(ast.min)
      return ast.max === undefined ? from : from.max(ast.max)
    }
    case 'boolean':
      return z.boolean()
    case 'null':
      return z.null()
    case 'enum':
      return z.literal([...ast.values])
    case 'array':
      return ast.min === undefined ? z.array(zodOf(ast.of)) : z.array(zodOf(ast.of)).min(ast.min)
    case 'tuple': {
      const tuple = z.tuple(ast.of.map(zodOf) as [z.ZodType, ...z.ZodType[]])
      return ast.rest === undefined ? tuple : tuple.rest(zodOf(ast.rest))
    }
    case 'object': {
      const make = { strip: z.object, strict: z.strictObject, loose: z.looseObject }[ast.mode]
      const entries = Object.entries(ast.of).map(([name, { ast: of, optional }]) => [
        name,
        optional ? zodOf(of).optional() : zodOf(of),
      ])
      return make(Object.fromEntries(entries) as Record<string, z.ZodType>)
    }
    case 'record':
      return z.record(z.string(), zodOf(ast.of))
    case 'union':
      return z.union(ast.of.map(zodOf))
  }
}

/** Data that someone with this schema sends. */
export function sample(ast: Ast): fc.Arbitrary<unknown> {
  switch (ast.is) {
    case 'string':
      return fc.string({ minLength: ast.min ?? 0, maxLength: ast.max ?? 8 })
    case 'int':
      return fc.integer({ min: ast.min ?? -20, max: ast.max ?? 20 })
    case 'number':
      return fc.double({ min: ast.min ?? -20, max: ast.max ?? 20, noNaN: true })
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    case 'enum':
      return fc.constantFrom(...ast.values)
    case 'array':
      return fc.array(sample(ast.of), { minLength: ast.min ?? 0, maxLength: 4 })
    case 'tuple': {
      const fixed = fc.tuple(...ast.of.map(sample))
      if (ast.rest === undefined) return fixed
      return fc
        .tuple(fixed, fc.array(sample(ast.rest), { maxLength: 2 }))
        .map(([items, more]) => [...items, ...more])
    }
    case 'object': {
      const of = Object.entries(ast.of)
      const known = fc.record(
        Object.fromEntries(of.map(([name, property]) => [name, sample(property.ast)])),
        {
          requiredKeys: of.filter(([, { optional }]) => !optional).map(([name]) => name),
        },
      )
      if (ast.mode !== 'loose') return known
      const more = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.jsonValue({ maxDepth: 1 }), {
        maxKeys: 2,
      })
      // What is known and left out must not come in by the other door as something else.
      const unknown = more.map((others) =>
        Object.fromEntries(Object.entries(others).filter(([name]) => !Object.hasOwn(ast.of, name))),
      )
      return fc.tuple(unknown, known).map(([others, mine]) => ({ ...others, ...mine }))
    }
    case 'record':
      return fc.dictionary(fc.constantFrom('a', 'b', 'c'), sample(ast.of), { maxKeys: 3 })
    case 'union':
      return fc.oneof(...ast.of.map(sample))
  }
}

export interface Pair {
  readonly a: Ast
  readonly b: Ast
}

const twice = (ast: fc.Arbitrary<Ast>): fc.Arbitrary<Pair> => ast.map((a) => ({ a, b: a }))

/** Two schemas that are the same for the greater part: two at random would hardly ever fit each other. */
export function pairs(): fc.Arbitrary<Pair> {
  const bound = fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined })
  const range = fc.record({ min: bound, max: bound.map((n) => (n === undefined ? n : n + 3)) })
  const scalar: fc.Arbitrary<Ast> = fc.oneof(
    fc.constantFrom<Ast>(
      { is: 'string' },
      { is: 'int' },
      { is: 'number' },
      { is: 'boolean' },
      { is: 'null' },
    ),
    fc
      .tuple(fc.constantFrom('string', 'int', 'number'), range)
      .map(([is, edges]): Ast => ({ is, ...bare(edges) })),
    fc
      .uniqueArray(fc.constantFrom<string | number>('x', 'y', 1, 2), { minLength: 1, maxLength: 3 })
      .map((values): Ast => ({ is: 'enum', values })),
  )
  const name = fc.constantFrom('a', 'b', 'c')
  const mode = fc.constantFrom<Mode>('strip', 'strip', 'strict', 'loose')
  const { pair } = fc.letrec<{ pair: Pair; inner: Pair }>((tie) => ({
    inner: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      { weight: 3, arbitrary: twice(scalar) },
      tie('pair'),
    ),
    pair: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      twice(scalar),
      fc.tuple(scalar, scalar).map(([a, b]) => ({ a, b })),
      tie('inner').map(({ a, b }): Pair => ({ a: { is: 'array', of: a }, b: { is: 'array', of: b } })),
      tie('inner').map(({ a, b }): Pair => ({ a: { is: 'record', of: a }, b: { is: 'record', of: b } })),
      fc
        .tuple(
          fc.array(tie('inner'), { minLength: 1, maxLength: 3 }),
          fc.option(tie('inner'), { nil: undefined }),
        )
        .map(
          ([items, rest]): Pair => ({
            a: { is: 'tuple', of: items.map(({ a }) => a), ...bare({ rest: rest?.a }) },
            b: { is: 'tuple', of: items.map(({ b }) => b), ...bare({ rest: rest?.b }) },
          }),
        ),
      // A tuple that is no list, and a list.
      tie('inner').map(
        ({ a, b }): Pair => ({ a: { is: 'tuple', of: [a, b] }, b: { is: 'array', of: b, min: 2 } }),
      ),
      fc.array(tie('inner'), { minLength: 2, maxLength: 3 }).map(
        (members): Pair => ({
          a: { is: 'union', of: members.map(({ a }) => a) },
          b: { is: 'union', of: members.map(({ b }) => b).reverse() },
        }),
      ),
      objects(tie('inner'), name, mode),
    ),
  }))
  return pair
}

/** Each property is in both, or, now and then, in one alone, or optional in one alone. */
function objects(
  inner: fc.Arbitrary<Pair>,
  name: fc.Arbitrary<string>,
  mode: fc.Arbitrary<Mode>,
): fc.Arbitrary<Pair> {
  const fate = fc.constantFrom('both', 'both', 'both', 'both', 'a', 'b', 'half')
  const property = fc.record({ name, pair: inner, optional: fc.boolean(), fate })
  const properties = fc.uniqueArray(property, { maxLength: 3, selector: (one) => one.name })
  return fc.tuple(properties, mode, mode, fc.boolean()).map(([of, modeA, modeB, sameMode]): Pair => {
    const side = (which: 'a' | 'b', own: Mode): Ast => ({
      is: 'object',
      mode: own,
      of: Object.fromEntries(
        of
          .filter((one) => one.fate === 'both' || one.fate === 'half' || one.fate === which)
          .map((one) => {
            const optional = one.fate === 'half' ? which === 'b' : one.optional
            return [one.name, { ast: one.pair[which], optional }]
          }),
      ),
    })
    return { a: side('a', modeA), b: side('b', sameMode ? modeA : modeB) }
  })
}

/** Without what is undefined. */
const bare = <T extends object>(object: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as never
