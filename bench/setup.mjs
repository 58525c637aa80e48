// What a run needs: the built library, the C reference, the rivals' packages, nats-server. Whatever cannot be had is
// left out, and the report says so.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { binary } from './contenders/c.mjs'
import { library } from './contenders/socktools.mjs'

const rivals = fileURLToPath(new URL('./rivals/', import.meta.url))
const reference = fileURLToPath(new URL('./c/ref.c', import.meta.url))
const INSTALL_MS = 180_000
const COMPILE_MS = 60_000
/** The idle workload's connections and some more. */
const FILES_NEEDED = 5500

/**
 * @param {(line: string) => void} say
 * @returns {Map<string, string>} the contenders that are left out, and why
 */
export function setUp(say) {
  /** @type {Map<string, string>} */
  const missing = new Map()
  /** @type {(names: string[], why: string | undefined) => void} */
  const leaveOut = (names, why) => {
    if (why !== undefined) for (const name of names) missing.set(name, why)
  }
  leaveOut(['socktools'], existsSync(library) ? undefined : 'not built: run `npm run build` first')
  leaveOut(['C'], compileReference(say))
  const packages = ['ws', 'zeromq', 'nats', 'grpc-js', 'socket.io', 'secret-stream', 'libp2p']
  leaveOut(packages, installRivals(say))
  leaveOut(['nats'], isOnPath('nats-server') ? undefined : 'nats-server is not on PATH')
  return missing
}

/** @param {(line: string) => void} say */
function compileReference(say) {
  if (!isOnPath('cc')) return 'cc is not on PATH'
  if (existsSync(binary) && statSync(binary).mtimeMs > statSync(reference).mtimeMs) return undefined
  say('building the C reference')
  mkdirSync(dirname(binary), { recursive: true })
  return failure(spawnSync('cc', ['-O3', '-o', binary, reference], { encoding: 'utf8', timeout: COMPILE_MS }))
}

/**
 * Installs exactly what the lock file says, into bench/rivals/ alone, and once: a stamp keeps the lock it was done for.
 * @param {(line: string) => void} say
 */
function installRivals(say) {
  const lock = readFileSync(join(rivals, 'package-lock.json'), 'utf8')
  const stamp = join(rivals, 'node_modules', '.installed-lock')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return undefined
  say("installing the rivals' packages into bench/rivals")
  // Without scripts: zeromq and secret-stream ship their binaries in the package and need none.
  const args = ['ci', '--prefix', rivals, '--ignore-scripts', '--no-audit', '--no-fund']
  const failed = failure(
    spawnSync('npm', args, {
      cwd: rivals,
      encoding: 'utf8',
      timeout: INSTALL_MS,
      shell: process.platform === 'win32',
    }),
  )
  if (failed === undefined) writeFileSync(stamp, lock)
  return failed
}

/** Whether there may be as many open files as the idle workload has connections; Node raises its own limit to that. */
export function mayHoldIdle() {
  const { hard } = /** @type {any} */ (process.report.getReport()).userLimits?.open_files ?? {}
  return typeof hard !== 'number' || hard >= FILES_NEEDED
}

/** @param {import('node:child_process').SpawnSyncReturns<string>} run */
function failure({ error, status, stderr }) {
  if (status === 0) return undefined
  return (error?.message ?? stderr.trim().split('\n').at(-1)) || `status ${status}`
}

/** @param {string} program */
function isOnPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)))
}
