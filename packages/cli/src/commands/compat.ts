import { type Compat, type Verdict, compat } from 'socktools'
import { forTerminal, jsonLine } from '../escape.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import { LoadError, loadProtocol } from '../load.ts'

export interface CompatOptions {
  readonly json?: boolean
}

const CODES: Record<Verdict, ExitCode> = { ok: EXIT.ok, breaking: EXIT.failed, unknown: EXIT.unknown }

const SUMMARY: Record<Verdict, string> = {
  ok: 'ok: peers with the old protocol and peers with the new one understand each other',
  breaking: 'breaking: peers with the old protocol and peers with the new one do not understand each other',
  unknown: 'unknown: it may be fine; what is listed cannot be told from the declarations',
}

/** Compares the protocols that two modules export. */
export async function runCompat(
  before: string,
  after: string,
  { json = false }: CompatOptions,
): Promise<ExitCode> {
  let found: Compat
  try {
    found = compat(await loadProtocol(before), await loadProtocol(after))
  } catch (error) {
    if (!(error instanceof LoadError)) throw error
    const { message } = error
    const line = json ? jsonLine({ event: 'error', message }) : `socktools: ${forTerminal(message)}`
    process.stderr.write(`${line}\n`)
    return EXIT.usage
  }
  process.stdout.write(json ? lines(found) : table(found))
  return CODES[found.verdict]
}

function lines({ verdict, findings }: Compat): string {
  const all = [
    ...findings.map((finding) => ({ event: 'finding', ...finding })),
    { event: 'verdict', verdict },
  ]
  return all.map((one) => `${jsonLine(one)}\n`).join('')
}

function table({ verdict, findings }: Compat): string {
  const rows = findings.map(({ type, verdict: own, what }) => [type, own, what].map(forTerminal))
  const width = (column: number): number => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0))
  const widths = [width(0), width(1), 0]
  const text = rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('   ')
      .trimEnd(),
  )
  return [...text, SUMMARY[verdict], ''].join('\n')
}
