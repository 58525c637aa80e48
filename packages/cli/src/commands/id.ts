import { access, readFile } from 'node:fs/promises'
import { firstUse, type FirstUse, Identity, isId, known, revocation, rotation, SockError } from 'socktools'
import { explain, type Fixes, UsageError } from '../errors.ts'
import { forTerminal } from '../escape.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import { Stdout } from '../stdout.ts'

export type IdAction = 'new' | 'show' | 'verify' | 'rotate' | 'revoke' | 'pins' | 'unpin'

export interface IdOptions {
  /** Of rotate: days for which the old key counts as well. */
  readonly days: number
}

const FIX: Fixes = {
  BAD_KEY_FILE: 'give a file that `socktools id new` made',
  NO_KEY_FILE: 'make one with `socktools id new`',
}

/** What those take that take two. */
const TWO: Partial<Record<IdAction, string>> = {
  rotate: 'two files: the old and the new key',
  unpin: 'a file of pins and an address: tcp://host:port',
}

const DAY = 86_400_000

/** Makes keys, and what their owner says about them. What is printed is for others; the private key is in its file alone. */
export async function runId(
  action: IdAction,
  file: string,
  next: string | undefined,
  options: IdOptions,
): Promise<ExitCode> {
  const out = new Stdout()
  try {
    const two = TWO[action]
    if ((next !== undefined) !== (two !== undefined))
      throw new UsageError(`${action} takes ${two ?? 'one file'}`)
    for (const line of await linesOf(action, file, next ?? '', options)) await out.line([line])
    return EXIT.ok
  } catch (error) {
    process.stderr.write(`socktools: ${forTerminal(explain(error, FIX))}\n`)
    return error instanceof UsageError ? EXIT.usage : EXIT.failed
  }
}

async function linesOf(action: IdAction, file: string, next: string, { days }: IdOptions): Promise<string[]> {
  switch (action) {
    case 'new':
      return [(await made(file)).id]
    case 'show':
      return [(await Identity.load(file)).id]
    case 'verify':
      return isId(file) ? [`${file}: a whole id`] : verified(file)
    case 'rotate': {
      const old = await Identity.load(file)
      const there = await Identity.load(next, { create: true })
      return [JSON.stringify(rotation(old, there, Date.now() + days * DAY))]
    }
    case 'revoke':
      return [JSON.stringify(revocation(await Identity.load(file)))]
    case 'pins':
      return [...(await (await pinsOf(file)).pins())].map(([address, id]) => `${address} ${id}`)
    case 'unpin': {
      const was = await (await pinsOf(file)).unpin(next)
      if (was === undefined) throw new Error(`nobody is pinned at ${next}: see socktools id pins ${file}`)
      return [`${next} was ${was}; who answers there next is pinned`]
    }
  }
}

/** One that is there already stays what it is. */
async function made(file: string): Promise<Identity> {
  const there = await Identity.load(file).catch((error: unknown) => {
    if (error instanceof SockError && error.code === 'NO_KEY_FILE') return undefined
    throw error
  })
  if (there !== undefined) throw new Error(`${file} holds a key already, of ${there.id}`)
  return Identity.load(file, { create: true })
}

/** To the library one that is not there has no pins. */
async function pinsOf(file: string): Promise<FirstUse> {
  await access(file)
  return firstUse(file)
}

/** A file of records, one a line. */
async function verified(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new Error(`"${file}" is no id, and no file of records: ${(error as Error).message}`)
  })
  const roster = known()
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const record = roster.add(line)
      if (record.record === 'revocation') return `${record.id} is revoked`
      const until = new Date(record.until)
      return `${record.next} takes the place of ${record.old}, which counts until ${until.toISOString()}`
    })
}
