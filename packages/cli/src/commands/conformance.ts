/*
 * `socktools conformance`: cases that say what PROTOCOL.md says, over real connections.
 *
 *   --role dialer     dials the implementation, a connection for each case
 *   --role listener   listens; the implementation dials, and dials again
 *   --serve           the other side of that, made of this library
 */
import type { NetConnectOpts } from 'node:net'
import { SockError } from 'socktools'
import { casesFor } from '../conformance/all.ts'
import type { Case, Wire } from '../conformance/case.ts'
import { claimsOf } from '../conformance/claims.ts'
import { type Result, runCases } from '../conformance/run.ts'
import { type Role, Visitors } from '../conformance/stage.ts'
import { subject } from '../conformance/subject.ts'
import { isUsage, UsageError } from '../errors.ts'
import { jsonLine, forTerminal } from '../escape.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import { firstInterrupt } from '../interrupt.ts'
import { Reporter } from '../reporter.ts'

export interface ConformanceOptions {
  readonly role: Role
  readonly wire: Wire
  readonly serve?: boolean
  readonly claims?: string
  /** Ids, or the beginnings of ids. */
  readonly only?: readonly string[]
  readonly deadline: number
  readonly slow?: boolean
  readonly list?: boolean
  readonly json?: boolean
  readonly quiet?: boolean
}

export async function runConformance(
  address: string | undefined,
  options: ConformanceOptions,
): Promise<ExitCode> {
  const reporter = new Reporter(options)
  try {
    if (options.list === true) return list(options)
    if (address === undefined) throw new UsageError('an address is due: where to dial, or to listen')
    if (options.serve === true) return await serve(address, options, reporter)
    return await run(address, options, reporter)
  } catch (error) {
    reporter.error(error)
    return isUsage(error) ? EXIT.usage : EXIT.failed
  }
}

async function serve(
  address: string,
  { wire, role }: ConformanceOptions,
  reporter: Reporter,
): Promise<ExitCode> {
  const interrupted = firstInterrupt()
  const sock = subject(wire, role, address)
  process.once('exit', () => void sock.close())
  if (role === 'listener')
    sock.on('listening', ({ address: at }) =>
      reporter.status('listening', { address: at }, `listening on ${at}`),
    )
  await sock.start()
  await interrupted
  await sock.close()
  return EXIT.ok
}

function chosen({ wire, role, only }: ConformanceOptions): readonly Case[] {
  const cases = casesFor(wire, role)
  if (only === undefined) return cases
  const some = cases.filter(({ id }) => only.some((one) => id.startsWith(one)))
  if (some.length === 0)
    throw new UsageError(`no case of this wire and role has an id that begins with ${only.join(' or ')}`)
  return some
}

async function run(address: string, options: ConformanceOptions, reporter: Reporter): Promise<ExitCode> {
  const { role, deadline, slow = false, json = false } = options
  const cases = chosen(options)
  const claims = claimsOf(options.claims)
  const to = placeOf(address)
  const visitors = role === 'listener' ? new Visitors() : undefined
  void firstInterrupt().then(() => process.exit(EXIT.failed))
  if (visitors !== undefined) {
    try {
      await visitors.listen(to)
    } catch (cause) {
      throw new SockError('LISTEN_FAILED', (cause as Error).message, { address })
    }
    reporter.status('listening', { address: visitors.address }, `listening on ${visitors.address}`)
  }
  const sums = { ok: 0, FAILED: 0, skipped: 0 }
  const all = runCases(cases, { role, to, visitors, claims, deadline: deadline * 1000, slow })
  for await (const one of all) {
    sums[one.result]++
    process.stdout.write(json ? `${jsonLine({ event: 'case', ...one })}\n` : row(one))
  }
  visitors?.close()
  const { ok, FAILED: failed, skipped } = sums
  const summary = `${ok} ok, ${failed} FAILED, ${skipped} skipped\n`
  process.stdout.write(json ? `${jsonLine({ event: 'summary', ok, failed, skipped })}\n` : summary)
  return failed === 0 ? EXIT.ok : EXIT.failed
}

function list(options: ConformanceOptions): ExitCode {
  for (const { id, rule, what } of chosen(options))
    process.stdout.write(
      options.json === true ? `${jsonLine({ id, rule, what })}\n` : row({ id, rule, what }),
    )
  return EXIT.ok
}

/** One line of the table: wide enough for most, and whoever is longer pushes the rest aside. */
function row({ id, rule, what, result, why }: Omit<Result, 'result'> & Partial<Result>): string {
  const cells = [id.padEnd(9), ...(result === undefined ? [] : [result.padEnd(7)]), rule.padEnd(24), what]
  const line = cells.join('  ')
  return `${forTerminal(why === undefined ? line : `${line}: ${why}`)}\n`
}

/** TCP and Unix sockets: what has connections. Throws UsageError. */
function placeOf(address: string): NetConnectOpts & ({ host: string; port: number } | { path: string }) {
  const [, path] = /^unix:(?:\/\/)?(\/.*)$/.exec(address) ?? []
  if (path !== undefined) return { path }
  const [, host, port] = /^tcp:\/\/(\[[0-9a-f:]+\]|[^/:]+):(\d{1,5})$/i.exec(address) ?? []
  if (host === undefined || port === undefined || Number(port) > 65_535)
    throw new UsageError(`${address} is no address of this: write tcp://host:port or unix:/path`)
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) }
}
