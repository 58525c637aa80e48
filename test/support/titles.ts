/** What the tests in a file are called, told from its text. */
import ts from 'typescript'

/** `test`, and what the suites call theirs. */
const CALLS = new Set(['test', 'it', 'given'])

/** The literal parts of a title; between two of them stands something that is only known when it runs. */
type Title = readonly string[]

/**
 * Whether `source` has a test of this title. A template matches what it can become: the words that fill its
 * gaps must stand somewhere in the file (numbers may be counted), and something must be left beside the gaps.
 */
export function hasTest(source: string, title: string): boolean {
  return titlesIn(source).some((parts) => {
    const [first] = parts
    if (parts.length === 1) return first === title
    if (parts.join('').replace(/\W/g, '').length < 8) return false
    const gaps = new RegExp(`^${parts.map(escaped).join('(.+)')}$`, 's').exec(title)?.slice(1)
    const words = gaps?.flatMap((gap) => gap.match(/\w+/g) ?? [])
    return words?.every((word) => /^\d+$/.test(word) || source.includes(word)) ?? false
  })
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')

function titlesIn(source: string): Title[] {
  const titles: Title[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && ts.isIdentifier(node.expression) && CALLS.has(node.expression.text)) {
      const title = titleOf(node.arguments[0])
      if (title !== undefined) titles.push(title)
    }
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile('tests.ts', source, ts.ScriptTarget.Latest))
  return titles
}

function titleOf(node: ts.Expression | undefined): Title | undefined {
  if (node === undefined) return undefined
  if (ts.isStringLiteralLike(node)) return [node.text]
  if (!ts.isTemplateExpression(node)) return undefined
  return [node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)]
}
