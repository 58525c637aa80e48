import { readFileSync } from 'node:fs'
import { type Chaos, chaos, type ChaosOptions, type Toxics } from 'socktools/testing'
import { isUsage, UsageError } from '../errors.ts'
import { jsonLine } from '../escape.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import { firstInterrupt } from '../interrupt.ts'
import { Reporter } from '../reporter.ts'

export interface ChaosFlags extends Toxics {
  readonly listen: string
  readonly to: string
  readonly seed?: number
  readonly cutGrows?: boolean
  readonly only?: 'up' | 'down'
  readonly config?: string
}

/** Stays until a signal ends it. */
export async function runChaos({
  listen,
  to,
  seed,
  cutGrows,
  only,
  config,
  ...toxics
}: ChaosFlags): Promise<ExitCode> {
  const reporter = new Reporter({ json: true })
  let proxy: Chaos
  const interrupted = firstInterrupt()
  try {
    const file = config === undefined ? {} : fromFile(config)
    const direction = only ?? 'both'
    proxy = await chaos({
      ...file,
      ...(seed === undefined ? {} : { seed }),
      ...(cutGrows === undefined ? {} : { cutGrows }),
      [direction]: { ...file[direction], ...toxics },
      listen,
      to,
      log: (event) => {
        process.stdout.write(`${jsonLine(event)}\n`)
      },
    })
  } catch (error) {
    reporter.error(error)
    return isUsage(error) ? EXIT.usage : EXIT.failed
  }
  toggle(
    'SIGUSR1',
    () => proxy.freeze(),
    () => proxy.release(),
  )
  toggle(
    'SIGUSR2',
    () => proxy.blackHole(),
    () => proxy.heal(),
  )
  await interrupted
  await proxy.close()
  return EXIT.ok
}

function toggle(signal: NodeJS.Signals, on: () => void, off: () => void): void {
  let is = false
  process.on(signal, () => {
    is = !is
    if (is) on()
    else off()
  })
}

/** What of it is wrong, chaos() tells. Throws UsageError. */
function fromFile(path: string): Partial<ChaosOptions> {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Partial<ChaosOptions>
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new UsageError(`--config ${path} is no JSON that can be read: ${why}`, { cause })
  }
}
