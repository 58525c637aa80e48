/**
 * docs/from-python.md leaves nothing out: every name of spec/seed.json has a row there, and every row names the
 * tests that show it, by file and title, or says why there is none.
 */
import assert from 'node:assert/strict'
import { readFile, readdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { describe, test } from 'node:test'
import { type Row, codeIn, linksOf, tablesOf } from './support/markdown.ts'
import { hasTest } from './support/titles.ts'

const root = resolve(import.meta.dirname, '..')
const document = 'docs/from-python.md'
const read = (file: string): Promise<string> => readFile(join(root, file), 'utf8')

interface Described {
  readonly parameters?: readonly string[]
  readonly attributes?: readonly string[]
  /** Each with its parameters. */
  readonly methods?: Readonly<Record<string, readonly string[]>>
}

const seed = JSON.parse(await read('spec/seed.json')) as {
  readonly modules: Readonly<Record<string, Readonly<Record<string, Described>>>>
  readonly failures: readonly string[]
}
const tables = tablesOf(await read(document))
const index = tables.filter(({ header }) => header[0] === 'seed').flatMap(({ rows }) => rows)
const failures = tables.filter(({ header }) => header[0] === 'where it fails').flatMap(({ rows }) => rows)
const proven = tables.filter(({ header }) => header.at(-1) === 'shown by').flatMap(({ rows }) => rows)

/** `Class`, `Class(parameter)`, `Class.method`, `Class.method(parameter)`, `Class.attribute`. */
function namesOfTheSeed(): string[] {
  const classes = Object.values(seed.modules).flatMap((module) => Object.entries(module))
  return classes.flatMap(([name, { parameters = [], attributes = [], methods = {} }]) => [
    name,
    ...parameters.map((parameter) => `${name}(${parameter})`),
    ...attributes.map((attribute) => `${name}.${attribute}`),
    ...Object.entries(methods).flatMap(([method, given]) => [
      `${name}.${method}`,
      ...given.map((parameter) => `${name}.${method}(${parameter})`),
    ]),
  ])
}

/** `a.b(c, d)` in the first cell of a row is for `a.b(c)` and `a.b(d)`, and for `a.b` if that is a method. */
function namesOfTheRow({ cells: [first = ''] }: Row): string[] {
  return codeIn(first).flatMap((code) => {
    const [, callee = code, given = ''] = /^([\w.]+)\((.*)\)$/.exec(code) ?? []
    const each = given.split(/,\s*/).filter(Boolean)
    const whole = each.length === 0 || callee.includes('.') ? [callee] : []
    return [...whole, ...each.map((parameter) => `${callee}(${parameter})`)]
  })
}

/** Of Node, and of those who use the library. */
const NOT_OURS = new Set(['process', 'once', 'SIGTERM', 'SIGHUP'])

async function sourceOfTheLibrary(): Promise<string> {
  const files = (await readdir(join(root, 'packages/socktools/src'), { recursive: true }))
    .filter((file) => file.endsWith('.ts'))
    .map((file) => read(join('packages/socktools/src', file)))
  const { exports } = JSON.parse(await read('packages/socktools/package.json')) as { exports: object }
  return [...(await Promise.all(files)), ...Object.keys(exports)].join('\n')
}

describe(document, () => {
  const inRows = index.flatMap(namesOfTheRow)

  test('has a row for every name of the seed', () => {
    const known = new Set(inRows)
    assert.deepEqual(
      namesOfTheSeed().filter((name) => !known.has(name)),
      [],
    )
  })

  test('has no row for a name that the seed does not have', () => {
    const known = new Set(namesOfTheSeed())
    assert.deepEqual(
      inRows.filter((name) => !known.has(name)),
      [],
    )
    assert.deepEqual(
      index.filter((row) => namesOfTheRow(row).length === 0),
      [],
    )
  })

  test('has a row for each way in which the seed fails, and a test in each', () => {
    assert.deepEqual(
      failures.map(({ cells: [what] }) => what),
      seed.failures,
    )
    for (const { cells } of failures) assert.notDeepEqual(linksOf(cells.at(-1) ?? ''), [], cells[0])
  })

  test('has as many cells in each row as its table has columns', () => {
    for (const { header, rows } of tables)
      for (const { line, cells } of rows) assert.equal(cells.length, header.length, `line ${line}`)
  })

  test('names nothing under "here" that the library does not have', async () => {
    const source = await sourceOfTheLibrary()
    for (const { line, cells } of index) {
      if (linksOf(cells.at(-1) ?? '').length === 0) continue // not yet, or not ours
      const words = codeIn(cells[1] ?? '').flatMap((code) => code.match(/[a-z]\w{3,}/gi) ?? [])
      const unknown = words.filter((word) => !NOT_OURS.has(word) && !new RegExp(`\\b${word}\\b`).test(source))
      assert.deepEqual(unknown, [], `line ${line}`)
    }
  })

  for (const { line, cells } of proven) {
    test(`line ${line}, ${cells[0] ?? ''}: its tests exist, or it says why there are none`, async () => {
      const shown = cells.at(-1) ?? ''
      const links = linksOf(shown)
      if (links.length === 0) assert.match(shown, /^(no test|not yet|not planned): .{10,}/)
      for (const { text, target } of links) {
        const file = join(dirname(document), target)
        assert.match(file, /(\.test|-suite)\.ts$/)
        assert.ok(hasTest(await read(file), text), `${file} has no test "${text}"`)
      }
    })
  }
})

describe('how the rows are read', () => {
  test('tables: header, rows with their lines, and a | within a cell', () => {
    const markdown = 'text\n\n| a | b |\n| --- | --- |\n| 1 \\| 2 | 3 |\n| 4 | |\n\n| no table\n'
    assert.deepEqual(tablesOf(markdown), [
      {
        header: ['a', 'b'],
        rows: [
          { line: 5, cells: ['1 | 2', '3'] },
          { line: 6, cells: ['4', ''] },
        ],
      },
    ])
  })

  test('links: several in a cell, with brackets and backticks in their texts', () => {
    assert.deepEqual(linksOf('[one](a.ts) · [an iterable of [bytes, peer], `x`](../b.ts)'), [
      { text: 'one', target: 'a.ts' },
      { text: 'an iterable of [bytes, peer], `x`', target: '../b.ts' },
    ])
  })

  test('titles: those of tests, not of what is skipped or only mentioned', () => {
    const source = `
      describe('a suite', () => {
        test('it’s whole', () => check('not this'))
        given("of a suite", async () => {})
        test.skip('not that', () => {})
        // test('nor this one', () => {})
      })`
    for (const title of ['it’s whole', 'of a suite']) assert.ok(hasTest(source, title), title)
    for (const title of ['a suite', 'not this', 'not that', 'nor this one', 'whole', ''])
      assert.ok(!hasTest(source, title), title)
  })

  test('titles: a template is what it can become', () => {
    const source =
      'for (const [how, n] of [["start", 1], ["stop", 20]]) test(`begins with ${how}() (${n}), once`, f)\n' +
      'for (const what of ["anything"]) test(`${what}: no`, f)'
    assert.ok(hasTest(source, 'begins with start() (20), once'))
    for (const title of [
      'begins with pause() (1), once',
      'begins with start(1), once',
      'it begins with start() (1), once',
      'anything: no',
    ])
      assert.ok(!hasTest(source, title), title)
  })
})
