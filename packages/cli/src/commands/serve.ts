import {
  type Codec,
  type Identity,
  identityTls,
  PipeSock,
  type Protocol,
  type SockOptions,
  json,
} from 'socktools'
import { isUsage, TYPED_FIX } from '../errors.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import { firstInterrupt } from '../interrupt.ts'
import { type Service, loadService } from '../load.ts'
import { Reporter, type ReporterOptions } from '../reporter.ts'
import { counted, tellEvents } from '../status.ts'
import { thrownAt } from '../thrown-at.ts'
import { type Secured, securityOf } from '../secured.ts'
import { PARTS } from '../transports.ts'

export interface ServeOptions extends ReporterOptions, Secured {
  readonly bind?: string
  /** Default: what the module says, else both. */
  readonly codec?: 'json' | 'msgpack'
}

const ANY_PORT = 'tcp://127.0.0.1:0'

/** Serves what a module exports until a signal comes, then ends in good order. */
export async function runServe(file: string, options: ServeOptions): Promise<ExitCode> {
  const reporter = new Reporter(options, TYPED_FIX)
  try {
    return await serve(file, await loadService(file), options, reporter)
  } catch (error) {
    reporter.error(error)
    return isUsage(error) ? EXIT.usage : EXIT.failed
  }
}

async function serve(
  file: string,
  { protocol, handlers, options: own }: Service,
  { bind = own.bind ?? ANY_PORT, codec, ...secured }: ServeOptions,
  reporter: Reporter,
): Promise<ExitCode> {
  const interrupted = firstInterrupt()
  const sock = new PipeSock<Codec, Protocol>(
    {
      ...ofModule(own),
      ...(await securityOf(secured)),
      protocol,
      handlers: handlers as NonNullable<SockOptions<Codec, Protocol>['handlers']>,
      bind,
      codec: await codecsOf(codec ?? own.codec),
    },
    PARTS,
  )
  // Also at once, after a second signal: the far sides are told.
  process.once('exit', () => void sock.close())
  tellEvents(sock, reporter, (error) => thrownAt(error, file))
  const names = Object.entries(protocol).map(([name, { kind }]) => `${name} (${kind})`)
  try {
    await sock.start()
    reporter.status('serving', { types: Object.keys(protocol) }, `serving ${names.join(', ')}`)
    const signal = await interrupted
    reporter.status(
      'interrupted',
      { signal },
      `${signal}: finishing what was begun, once more to leave at once`,
    )
    const { unsent } = await sock.drain()
    if (unsent === 0) return EXIT.ok
    throw new Error(`${counted(unsent, 'message')} could not be sent`)
  } finally {
    await sock.close()
  }
}

/** A module says who it is as for a TcpSock. */
function ofModule({
  identity,
  ...own
}: Service['options'] & { readonly identity?: Identity }): Service['options'] {
  return identity === undefined ? own : { ...own, security: identityTls(() => identity) }
}

async function codecsOf(
  asked: ServeOptions['codec'] | SockOptions<Codec>['codec'],
): Promise<Codec | readonly Codec[]> {
  if (asked === 'json') return json()
  if (asked !== undefined && asked !== 'msgpack') return asked
  const { msgpack } = await import('socktools/msgpack')
  return asked === 'msgpack' ? msgpack() : [json(), msgpack()]
}
