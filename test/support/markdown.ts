/** As much of Markdown as the tests of the documents need. */

export interface Table {
  readonly header: readonly string[]
  readonly rows: readonly Row[]
}

export interface Row {
  /** Where it stands in the document, from 1. */
  readonly line: number
  readonly cells: readonly string[]
}

export function tablesOf(markdown: string): Table[] {
  const tables: { header: readonly string[]; rows: Row[] }[] = []
  let open = false
  const lines = markdown.split('\n')
  for (const [i, line] of lines.entries()) {
    if (!line.startsWith('|')) open = false
    else if (open) tables.at(-1)?.rows.push({ line: i + 1, cells: cellsOf(line) })
    else if (/^\|[\s|:-]+$/.test(line)) {
      tables.push({ header: cellsOf(lines[i - 1] ?? ''), rows: [] })
      open = true
    }
  }
  return tables
}

/** Cells of a row; a `\|` within them is a `|` of theirs. */
function cellsOf(line: string): string[] {
  const cells = line.split(/(?<!\\)\|/).slice(1, -1)
  return cells.map((cell) => cell.trim().replaceAll('\\|', '|'))
}

/** Links with their texts, which may have one pair of brackets within others. */
export function linksOf(markdown: string): { text: string; target: string }[] {
  const links = markdown.matchAll(/\[((?:[^[\]]|\[[^[\]]*\])+)\]\(([^)\s]+)\)/g)
  return Array.from(links, ([, text = '', target = '']) => ({ text, target }))
}

/** What stands between backticks. */
export function codeIn(markdown: string): string[] {
  return Array.from(markdown.matchAll(/`([^`]+)`/g), ([, code = '']) => code)
}
