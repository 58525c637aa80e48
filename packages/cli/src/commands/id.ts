import { readFile } from 'node:fs/promises'
import { Identity, isId, known, revocation, rotation, SockError } from 'socktools'
import { explain, type Fixes, UsageError } from '../errors.ts'
import { forTerminal } from '../escape.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import { Stdout } from '../stdout.ts'

export type IdAction = 'new' | 'show' | 'verify' | 'rotate' | 'revoke'

export interface IdOptions {
  /** Of rotate: days for which the old key counts as well. */
  readonly days: number
}

const FIX: Fixes = {
  BAD_KEY_FILE: 'give a file that `socktools id new` made',
  NO_KEY_FILE: 'make one with `socktools id new`',
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
    if ((next !== undefined) !== (action === 'rotate'))
      throw new UsageError(
        `${action} takes ${action === 'rotate' ? 'two files: the old and the new key' : 'one'}`,
      )
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
