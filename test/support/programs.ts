/**
 * Programs that others wrote, for tests against them: from the PATH, or else from Debian's packages, which are
 * fetched and unpacked into .cache/programs/ without root and without a change to the system. Where neither is
 * to be had, `skip` says why. `npm test --offline` fetches nothing.
 */
import { execFile } from 'node:child_process'
import { access, constants, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { delimiter, dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'

export interface Program {
  readonly path: string
  readonly env: NodeJS.ProcessEnv
}

/** `skip` is made for the option of that name of node:test. */
export type Found =
  | { readonly program: Program; readonly skip: false }
  | { readonly program: undefined; readonly skip: string }

const run = promisify(execFile)
const cache = resolve(import.meta.dirname, '../../.cache/programs')

/** For everything that is fetched for one program. */
const FETCH_MS = 120_000
const APT = ['-qq', '-o', 'Acquire::Retries=1', '-o', 'Acquire::http::Timeout=15']
/** A program would not start with another C library than the loader it is started by. */
const NEVER = new Set(['libc6', 'libc-bin', 'libc-l10n', 'locales'])

/** Finds `command`, which Debian has in `debianPackage`. Never throws. */
export async function findProgram(command: string, debianPackage: string): Promise<Found> {
  const reasons = [`there is no ${command} on the PATH`]
  try {
    const path = await within(placesOfThePath(), command)
    if (path !== undefined) return await tried({ path, env: process.env })
  } catch (error) {
    reasons[0] = `the ${command} on the PATH does not run: ${lastLine(error)}`
  }
  try {
    return await tried(await unpacked(command, debianPackage))
  } catch (error) {
    reasons.push(`and none came from the package ${debianPackage}: ${lastLine(error)}`)
  }
  return { program: undefined, skip: reasons.join(', ') }
}

/** Servers stand in folders that only the administrator's PATH has. */
function placesOfThePath(): string[] {
  return [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin']
}

async function within(folders: readonly string[], command: string): Promise<string | undefined> {
  for (const folder of folders) {
    const path = join(folder, command)
    if (folder !== '' && (await exists(path, constants.X_OK))) return path
  }
  return undefined
}

/** What was unpacked for another system is there and does not run. */
async function tried(program: Program): Promise<Found> {
  await run(program.path, ['--version'], { env: program.env, timeout: 10_000 })
  return { program, skip: false }
}

async function unpacked(command: string, debianPackage: string): Promise<Program> {
  const root = join(cache, debianPackage)
  if (await exists(root)) {
    try {
      const kept = await programIn(root, command)
      await tried(kept)
      return kept
    } catch {
      await rm(root, { recursive: true, force: true })
    }
  }
  await fetchInto(root, debianPackage)
  return programIn(root, command)
}

async function programIn(root: string, command: string): Promise<Program> {
  const places = ['usr/bin', 'usr/sbin', 'bin', 'sbin'].map((place) => join(root, place))
  const path = await within(places, command)
  if (path === undefined) throw new Error(`it holds no ${command}`)
  const files = await readdir(root, { recursive: true })
  const libraries = files.filter((file) => /\.so(\.|$)/.test(file)).map((file) => join(root, dirname(file)))
  const searched = [...new Set(libraries), process.env['LD_LIBRARY_PATH'] ?? '']
  return { path, env: { ...process.env, LD_LIBRARY_PATH: searched.filter(Boolean).join(delimiter) } }
}

/** Unpacks a package, and all that this system lacks for it, so that `root` is there whole or not at all. */
async function fetchInto(root: string, debianPackage: string): Promise<void> {
  if (process.env['npm_config_offline'] === 'true') throw new Error('npm is told to be offline')
  for (const tool of ['apt-get', 'dpkg']) {
    if ((await within(placesOfThePath(), tool)) === undefined) throw new Error(`there is no ${tool} here`)
  }
  await mkdir(cache, { recursive: true })
  const scratch = await mkdtemp(join(cache, '.fetching-'))
  const options = { cwd: scratch, signal: AbortSignal.timeout(FETCH_MS) }
  try {
    const names = await missingFor(debianPackage, options)
    await run('apt-get', [...APT, 'download', ...names], options)
    const packages = (await readdir(scratch)).filter((file) => file.endsWith('.deb'))
    for (const file of packages) await run('dpkg', ['-x', file, 'root'], options)
    await rename(join(scratch, 'root'), root).catch(async (error: unknown) => {
      // Another test has fetched the same meanwhile.
      if (!(await exists(root))) throw error
    })
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

interface FetchOptions {
  readonly cwd: string
  readonly signal: AbortSignal
}

/** The package and those that apt would install with it. It is only asked; nothing is installed. */
async function missingFor(debianPackage: string, options: FetchOptions): Promise<string[]> {
  await updateEmptyLists(options)
  const { stdout } = await run(
    'apt-get',
    ['-s', ...APT, '--no-install-recommends', 'install', debianPackage],
    options,
  )
  const names = [...stdout.matchAll(/^Inst (\S+)/gm)].map(([, name = '']) => name)
  // One that is installed already has nothing to install, and yet no command on the PATH.
  return [...new Set([debianPackage, ...names])].filter((name) => !NEVER.has(name.replace(/:.*/, '')))
}

/** A fresh container knows of no packages at all. */
async function updateEmptyLists(options: FetchOptions): Promise<void> {
  if (process.getuid?.() !== 0) return
  const hasLists = async (): Promise<boolean> =>
    (await readdir('/var/lib/apt/lists').catch(() => [])).some((file) => file.includes('_Packages'))
  if (await hasLists()) return
  // Tests run side by side, and apt's own lock would turn the second one away.
  await run('flock', ['--no-fork', join(cache, '.lock'), 'apt-get', ...APT, 'update'], options)
}

async function exists(path: string, mode = constants.F_OK): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  )
}

/** Of what a program said, the last line; else the error's own. */
function lastLine(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message?: string }
  const said = stderr === undefined || stderr.trim() === '' ? (message ?? String(error)) : stderr
  return said.trim().split('\n').at(-1) ?? ''
}
