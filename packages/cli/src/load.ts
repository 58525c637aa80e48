import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { extname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Codec, type Protocol, SockError, type SockOptions, fingerprint } from 'socktools'
import { UsageError } from './errors.ts'
import { thrownAt, unparsedAt } from './thrown-at.ts'

/** What a module exports, by name. */
export type Exports = Readonly<Record<string, unknown>>

/** A file named on the command line that is not what it should be: wrong usage. The message names the file. */
export class LoadError extends UsageError {}

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
    const at = thrown instanceof SyntaxError ? unparsedAt(path) : thrownAt(thrown, path)
    throw new LoadError(`${file} cannot be loaded: ${reason}${at === undefined ? '' : ` (at ${at})`}`, {
      cause: thrown,
    })
  }
}

/** The contract that a module exports, as `protocol` or by default. Rejects with LoadError. */
export async function loadProtocol(file: string): Promise<Protocol> {
  return checkedProtocol(file, protocolIn(await loadModule(file)))
}

/** A contract and what serves it. */
export interface Service {
  readonly protocol: Protocol
  readonly handlers: Readonly<Record<string, unknown>>
  /** For the sock; not checked. */
  readonly options: SockOptions<Codec, Protocol>
}

/** What a module exports as `protocol`, `handlers` and perhaps `options`. Rejects with LoadError. */
export async function loadService(file: string): Promise<Service> {
  const exports = await loadModule(file)
  const protocol = checkedProtocol(file, protocolIn(exports))
  // What a module of CommonJS exports is the default export.
  const { handlers, options = {} } = {
    ...(exports['default'] as Exports | undefined),
    ...exports,
  } as Partial<Service>
  if (!isObject(handlers)) {
    throw new LoadError(
      `${file} exports no handlers: write \`export const handlers = { add: ({ a, b }) => a + b }\` in it`,
    )
  }
  if (!isObject(options)) throw new LoadError(`${file} exports options that are no object`)
  for (const [type, handler] of Object.entries(handlers)) {
    const name = JSON.stringify(type)
    if (!Object.hasOwn(protocol, type)) {
      throw new LoadError(`${file} has a handler for ${name}, and its protocol has no such type`)
    }
    if (typeof handler !== 'function') throw new LoadError(`${file}: the handler for ${name} is no function`)
  }
  return { protocol, handlers, options }
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

function checkedProtocol(file: string, protocol: unknown): Protocol {
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
