/** The TypeScript of a document: blocks that run alone, and those that are files of one program. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../..')

export interface Block {
  /** From 1. */
  readonly number: number
  /** The name of the file that it is of a program: its first line says `// server.ts`. */
  readonly file: string | undefined
  readonly code: string
}

/** The documents whose blocks are files of one program: each has a test of its own that runs it. */
export const PROGRAMS: readonly string[] = ['docs/typed-chat.md']

export async function blocksOf(document: string): Promise<readonly Block[]> {
  const text = await readFile(join(root, document), 'utf8')
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = ''], i) => ({
    number: i + 1,
    file: /^\/\/ ([\w-]+\.ts)\n/.exec(code)?.[1],
    code,
  }))
}

/** What the document says is printed: its blocks of text. */
export async function printedBy(document: string): Promise<readonly string[]> {
  const text = await readFile(join(root, document), 'utf8')
  return Array.from(text.matchAll(/^```text\n(.*?)^```$/gms), ([, printed = '']) => printed)
}

/** Writes the blocks into a folder of their own below `folder`, files under their names. Returns their paths. */
export async function writeBlocks(folder: string, document: string): Promise<readonly string[]> {
  const place = join(folder, document.replace(/\W/g, '-'))
  await mkdir(place, { recursive: true })
  return Promise.all(
    (await blocksOf(document)).map(async ({ file, number, code }) => {
      const path = join(place, file ?? `block-${number}.ts`)
      await mkdir(dirname(path), { recursive: true })
      await writeFile(path, code)
      return path
    }),
  )
}
