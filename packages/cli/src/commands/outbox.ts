import { SockError } from 'socktools'
import { inspect, type Inspection } from 'socktools/store'
import { explain } from '../errors.ts'
import { forTerminal, jsonPieces } from '../escape.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import { Stdout } from '../stdout.ts'

export type OutboxAction = 'ls' | 'verify' | 'export'

export interface OutboxOptions {
  readonly peer?: string
}

/** Looks at a store, which may be open elsewhere, and changes nothing. Prints lines of JSON. */
export async function runOutbox(
  action: OutboxAction,
  directory: string,
  options: OutboxOptions,
): Promise<ExitCode> {
  const out = new Stdout()
  const print = async (facts: object): Promise<void> => out.line(jsonPieces(facts))
  try {
    const store = await inspect(directory)
    if (action === 'export') await exportAll(store, options, print)
    else await (action === 'ls' ? list(store, options, print) : verified(store, print))
    return EXIT.ok
  } catch (error) {
    if (!(error instanceof SockError)) throw error
    if (action === 'verify' && error.code === 'STORE_CORRUPT')
      await print({ event: 'verdict', ok: false, code: error.code, what: error.what })
    process.stderr.write(`socktools: ${forTerminal(explain(error, FIX))}\n`)
    return isNoStore(error) ? EXIT.usage : EXIT.failed
  }
}

const FIX = { STORE_CORRUPT: 'its files were left as they are; do not open it, and look for a whole copy' }

type Print = (facts: object) => Promise<void>

async function list(store: Inspection, { peer }: OutboxOptions, print: Print): Promise<void> {
  for (const one of store.peers) {
    if (peer === undefined || peer === one.peer) await print({ event: 'peer', ...one })
  }
  if (peer !== undefined) return
  for (const [from, n] of store.cursors) await print({ event: 'cursor', store: from, n })
  await print(summary('store', store))
}

async function verified(store: Inspection, print: Print): Promise<void> {
  for (const segment of store.segments) await print({ event: 'segment', ...segment })
  // Every record was read on the way here; those that are pending are read once more, as they would be sent.
  let messages = 0
  for (const { peer } of store.peers) for await (const _ of store.pending(peer)) messages++
  await print({ ...summary('verdict', store), ok: true, verified: messages })
}

async function exportAll(store: Inspection, { peer }: OutboxOptions, print: Print): Promise<void> {
  for (const one of store.peers) {
    if (peer !== undefined && peer !== one.peer) continue
    for await (const { n, type, at, payload } of store.pending(one.peer)) {
      const id = `${store.id}/${n}`
      await print({ peer: one.peer, id, n, type, at, base64: Buffer.from(payload).toString('base64') })
    }
  }
}

const summary = (event: string, { id, peers, segments, torn }: Inspection): object => ({
  ...{ event, id },
  pending: sum(peers, ({ pending }) => pending),
  pendingBytes: sum(peers, ({ pendingBytes }) => pendingBytes),
  segments: segments.length,
  diskBytes: sum(segments, ({ size }) => size),
  torn,
})

const sum = <T>(all: readonly T[], of: (one: T) => number): number =>
  all.reduce((total, one) => total + of(one), 0)

/** There is nothing to look at: no such directory, or no store in it. */
const isNoStore = ({ code, cause }: SockError): boolean =>
  code === 'STORE_FAILED' &&
  (cause === undefined || ['ENOENT', 'ENOTDIR'].includes((cause as NodeJS.ErrnoException).code ?? ''))
