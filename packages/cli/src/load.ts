import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { extname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Protocol, SockError, fingerprint } from 'socktools'

/** What a module exports, by name. */
export type Exports = Readonly<Record<string, unknown>>

/** A file named on the command line that is not what it should be: wrong usage. The message names the file. */
export class LoadError extends Error {}

const JAVASCRIPT = ['.js', '.mjs', '.cjs']
const TYPESCRIPT = ['.ts', '.mts', '.cts']

/** Runs the module in `file`, of JavaScript or TypeScript. Rejects with LoadError. */
export async function loadModule(file: string): Promise<Exports> {
  const path = resolve(file)
  const extension = extname(path)
  if (![...JAVASCRIPT, ...TYPESCRIPT].includes(extension)) {
    throw new LoadError(`${file} is no module: give a .ts, .js or .mjs file`)
  }
  if (!existsSync(path)) throw new LoadError(`${file} does not exist`)
  try {
    if (TYPESCRIPT.includes(extension)) await needTypeScript(path, file)
    return (await import(pathToFileURL(path).href)) as Exports
  } catch (thrown) {
    if (thrown instanceof LoadError) throw thrown
    const reason = thrown instanceof Error ? thrown.message : String(thrown)
    throw new LoadError(`${file} cannot be loaded: ${reason}`, { cause: thrown })
  }
}

/** The contract that a module exports, as `protocol` or by default. Rejects with LoadError. */
export async function loadProtocol(file: string): Promise<Protocol> {
  const protocol = protocolIn(await loadModule(file))
  if (protocol === undefined) {
    throw new LoadError(
      `${file} exports no protocol: write \`export const protocol = { say: msg(…) }\` in it`,
    )
  }
  try {
    fingerprint(protocol as Protocol)
  } catch (thrown) {
    throw new LoadError(`${file}: ${thrown instanceof SockError ? thrown.what : String(thrown)}`, {
      cause: thrown,
    })
  }
  return protocol as Protocol
}

function protocolIn({ protocol, default: whole }: Exports): unknown {
  if (protocol !== undefined) return protocol
  // What a module of CommonJS exports is the default export.
  const inner: unknown = (whole as Exports | null | undefined)?.protocol
  const isType = typeof (inner as { kind?: unknown } | null | undefined)?.kind === 'string'
  return inner === undefined || isType ? whole : inner
}

/** Makes it possible to import TypeScript from where `path` lies: by the project's own tsx, or by Node itself. */
async function needTypeScript(path: string, file: string): Promise<void> {
  const tsx = found(path)
  if (tsx !== undefined) {
    // As `node --import tsx` does.
    await import(pathToFileURL(tsx).href)
    return
  }
  const { typescript = false } = process.features as { typescript?: string | false }
  if (typescript !== false) return
  throw new LoadError(
    `${file} is TypeScript, and Node ${process.versions.node} cannot run that: ` +
      'run `npm install --save-dev tsx` in its project, or take Node 22.18 or newer, or compile it and name the .js',
  )
}

/** Where the project that `path` is in has tsx. */
function found(path: string): string | undefined {
  try {
    return createRequire(path).resolve('tsx')
  } catch {
    return undefined
  }
}
