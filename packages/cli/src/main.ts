import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { forTerminal } from './escape.ts'
import { EXIT, type ExitCode } from './exit.ts'
import {
  ASK,
  CALL,
  CHAOS,
  COMPAT,
  CONFORMANCE,
  CONNECT,
  DEMO,
  GENERAL,
  ID,
  LISTEN,
  OUTBOX,
  SEND,
  SERVE,
  WATCH,
  WIRE,
} from './help.ts'
import { FRAMINGS, framingNamed } from './framing-names.ts'
import type { NodeOptions } from './commands/node.ts'
import { version } from './place.ts'

/** Commands are loaded when they are called: `--help` needs none of them. */
const program = new Command('socktools')
  .description('Whole messages between peers, over TCP, Unix sockets and UDP.')
  .version(version())
  .addHelpText('after', GENERAL)
  .configureHelp({ helpWidth: 110 })
  .configureOutput({
    outputError: (text, write) => {
      const line = text
        .replace(/^error: /, '')
        .trim()
        .replaceAll(/\s*\n\s*/g, ' ')
        .replace(/\.$/, '')
      write(`socktools: ${forTerminal(line)}: see socktools --help\n`)
    },
  })
  .exitOverride()

let exitCode: ExitCode = EXIT.ok

nodeCommand('listen <addresses...>')
  .description('listen, on one address or several, and talk with whoever connects')
  .option('-c, --connect <address>', 'also dial this one and keep it up; may be given again', collect)
  .addHelpText('after', LISTEN)
  .action(async (bind: string[], { connect = [], ...options }: NodeFlags & { connect?: string[] }) => {
    const { runNode } = await import('./commands/node.ts')
    exitCode = await runNode({ bind, keep: connect }, nodeOptions(options))
  })

nodeCommand('connect <addresses...>')
  .description('connect, and talk with whoever answers')
  .option('-r, --retry', 'keep trying, and connect again whenever a connection ends')
  .addHelpText('after', CONNECT)
  .action(async (addresses: string[], { retry, ...options }: NodeFlags & { retry?: boolean }) => {
    const { runNode } = await import('./commands/node.ts')
    exitCode = await runNode(retry === true ? { keep: addresses } : { dial: addresses }, nodeOptions(options))
  })

program
  .command('serve <file>')
  .description('serve the contract and the handlers that a module exports')
  .option(
    '-b, --bind <address>',
    "where to listen (default: the module's options.bind, else tcp://127.0.0.1:0)",
  )
  .addOption(
    new Option(
      '--codec <name>',
      "take this one alone (default: the module's options.codec, else both)",
    ).choices(['json', 'msgpack']),
  )
  .option('-i, --identity <file>', 'prove this key to whoever comes, and want one of him: see socktools id')
  .option('--trust <id>', 'take this one; may be given again (default: everybody who has an id)', collect)
  .option('--insecure', 'listen where others can reach it, with nothing proven')
  .option('-j, --json', 'print status as one JSON object a line')
  .option('-q, --quiet', 'print no status')
  .addHelpText('after', SERVE)
  .action(async (file: string, options: import('./commands/serve.ts').ServeOptions) => {
    const { runServe } = await import('./commands/serve.ts')
    exitCode = await runServe(file, options)
  })

askCommand('call', 'call')
  .description('ask once, and print the answer as one line of JSON')
  .addOption(
    new Option(
      '-t, --timeout <seconds>',
      'until the answer must be there, 0: for ever (default: of the type, else 30)',
    ).argParser(seconds),
  )
  .option('--raw', 'an answer of bytes() goes to stdout as it is')
  .addHelpText('after', CALL)

askCommand('watch', 'feed')
  .description('ask for a feed, and print each item as one line of JSON')
  .addOption(new Option('-n, --count <items>', 'end after so many').argParser(count))
  .option('--raw', 'items of bytes() go to stdout as they are, with nothing between them')
  .addHelpText('after', WATCH)

askCommand('send', 'msg').description('send one message').addHelpText('after', SEND)

program
  .command('demo')
  .description('see processes exchange messages, and every byte verified')
  .option('--json', 'print one line of JSON')
  .option('--text <file>', 'the text whose lines are sent (default: the licence)')
  .addOption(new Option('--numbered <count>').default(100_000).argParser(count).hideHelp())
  .addOption(new Option('--mebibytes <count>').default(64).argParser(count).hideHelp())
  .addOption(new Option('--deadline <seconds>').default(60).argParser(count).hideHelp())
  .addOption(
    new Option('--fault <kind>')
      .choices(['flip', 'swap', 'drop', 'hang', 'crash', 'hush', 'blur', 'skip', 'forget', 'lose', 'gap'])
      .hideHelp(),
  )
  .addHelpText('after', DEMO)
  .action(async (options: import('./commands/demo.ts').DemoOptions) => {
    const { demo } = await import('./commands/demo.ts')
    exitCode = await demo(options)
  })

program
  .command('compat <old> <new>')
  .description('tell whether peers with an old protocol and a new one understand each other')
  .option('-j, --json', 'print one JSON object a line: event, type, verdict and what')
  .addHelpText('after', COMPAT)
  .action(async (before: string, after: string, options: import('./commands/compat.ts').CompatOptions) => {
    const { runCompat } = await import('./commands/compat.ts')
    exitCode = await runCompat(before, after, options)
  })

program
  .command('chaos')
  .description('a proxy that breaks what passes through it: slow, in pieces, cut, swallowed, frozen')
  .requiredOption('--listen <address>', 'where to listen: tcp://127.0.0.1:0, unix:/path')
  .requiredOption('--to <address>', 'where what comes is passed on to')
  .option('--seed <number>', 'of all chance in it (default: 1)', count)
  .option('--latency <ms>', 'hold bytes back for so long', number)
  .option('--jitter <ms>', 'and by chance up to so much longer', number)
  .option('--bandwidth <bytes>', 'pass on so many a second', atLeastOne)
  .option('--slice <bytes>', 'pass on pieces of 1 to so many', atLeastOne)
  .option('--cut-after <bytes>', 'reset a connection once so many have passed', count)
  .option('--cut-grows', 'cut connection i after i times as many')
  .option('--limit <bytes>', 'end a direction in good order once so many have passed', count)
  .option('--black-hole', 'swallow everything')
  .addOption(
    new Option(
      '--only <direction>',
      'all of these in one direction: up is from who connects (default: both)',
    ).choices(['up', 'down']),
  )
  .option('--config <file>', 'the options of chaos() as JSON; what is given here as well goes before it')
  .addHelpText('after', CHAOS)
  .action(async (options: import('./commands/chaos.ts').ChaosFlags) => {
    const { runChaos } = await import('./commands/chaos.ts')
    exitCode = await runChaos(options)
  })

program
  .command('conformance')
  .description('hold an implementation of PROTOCOL.md against it, case by case')
  .argument('[address]', 'of the implementation, or where to listen for it')
  .addOption(
    new Option('-r, --role <role>', 'what this side does').choices(['dialer', 'listener']).default('dialer'),
  )
  .addOption(new Option('--wire <wire>', 'which of the two').choices(['v1', 'plain']).default('v1'))
  .option('--serve', 'be the implementation, made of this library')
  .option('--claims <list>', 'what it can do: a list, or a file (default: all)')
  .option('--only <ids>', 'cases whose ids begin so; may be given again', collect)
  .addOption(new Option('--deadline <seconds>', 'that a case may take').default(5).argParser(positiveSeconds))
  .option('--slow', 'run those that take longer by their nature, too')
  .option('--list', 'print the cases and run none')
  .option('-j, --json', 'print one JSON object a line: event, id, rule, what, result and why')
  .option('-q, --quiet', 'print no status')
  .addHelpText('after', CONFORMANCE)
  .action(
    async (address: string | undefined, options: import('./commands/conformance.ts').ConformanceOptions) => {
      const { runConformance } = await import('./commands/conformance.ts')
      exitCode = await runConformance(address, options)
    },
  )

program
  .command('outbox')
  .description('look at a durable outbox: what waits in it, and whether it is whole')
  .addArgument(new Argument('<action>', 'what to print').choices(['ls', 'verify', 'export']))
  .argument('<directory>', 'where it lies')
  .option('-p, --peer <name>', 'of ls and export: what waits for this peer alone')
  .addHelpText('after', OUTBOX)
  .action(
    async (
      action: import('./commands/outbox.ts').OutboxAction,
      directory: string,
      options: import('./commands/outbox.ts').OutboxOptions,
    ) => {
      const { runOutbox } = await import('./commands/outbox.ts')
      exitCode = await runOutbox(action, directory, options)
    },
  )

program
  .command('id')
  .description('make the key that a node is known by, and say which other takes its place')
  .addArgument(
    new Argument('<action>', 'what to do').choices([
      'new',
      'show',
      'verify',
      'rotate',
      'revoke',
      'pins',
      'unpin',
    ]),
  )
  .argument(
    '<file>',
    'of the private key; of verify: an id, or a file of records; of pins and unpin: of firstUse()',
  )
  .argument(
    '[other]',
    'of rotate: the file of the new key, which is made if it is not there; of unpin: the address',
  )
  .option('--days <count>', 'of rotate: how long the old key counts as well', count, 30)
  .addHelpText('after', ID)
  .action(
    async (
      action: import('./commands/id.ts').IdAction,
      file: string,
      next: string | undefined,
      options: import('./commands/id.ts').IdOptions,
    ) => {
      const { runId } = await import('./commands/id.ts')
      exitCode = await runId(action, file, next, options)
    },
  )

program.command('demo-party <plan>', { hidden: true }).action(async (plan: string) => {
  const { demoParty } = await import('./commands/demo-party.ts')
  await demoParty(plan)
})

program.command('demo-typed <plan>', { hidden: true }).action(async (plan: string) => {
  const { demoTyped } = await import('./commands/demo-typed.ts')
  await demoTyped(plan)
})

for (const role of ['room', 'guest'] as const) {
  program.command(`demo-${role} <plan>`, { hidden: true }).action(async (plan: string) => {
    const { demoRoom } = await import('./commands/demo-room.ts')
    await demoRoom(role, plan)
  })
}

for (const role of ['shop', 'warehouse'] as const) {
  program.command(`demo-${role} <plan>`, { hidden: true }).action(async (plan: string) => {
    const { demoOrders } = await import('./commands/demo-orders.ts')
    await demoOrders(role, plan)
  })
}

type NodeFlags = NodeOptions & { readonly lines?: boolean }

function nodeOptions({ lines = false, ...options }: NodeFlags): NodeOptions {
  const { framing, codec = 'raw', hex } = options
  if (lines && framing !== undefined) program.error('--lines is --framing lines: give one of the two')
  if (hex === true && codec !== 'raw')
    program.error(`--hex is for bytes, and --codec ${codec} is for values: give one of the two`)
  return lines ? { ...options, framing: framingNamed('lines') } : options
}

function nodeCommand(usage: string): Command {
  return program
    .command(usage)
    .option('-l, --lines', 'plain lines, as telnet and netcat speak: same as --framing lines')
    .addOption(
      new Option('-f, --framing <name>', `where a message ends: ${FRAMINGS} (default: u32be)`).argParser(
        framingNamed,
      ),
    )
    .addOption(
      new Option('--codec <name>', 'what messages are made of')
        .choices(['raw', 'json', 'msgpack'])
        .default('raw'),
    )
    .option('-x, --hex', 'lines are bytes in hex, on stdin and stdout')
    .option(
      '-i, --identity <file>',
      'prove this key, over TLS, and want one of the far side: see socktools id',
    )
    .option(
      '--trust <id>',
      'speak with this one; may be given again (default: with who dials in, and who is dialed by id)',
      collect,
    )
    .option(
      '-j, --json',
      'print one JSON object a line: event, peer, address, and text, base64, hex or type and data',
    )
    .option('-q, --quiet', 'print no status')
    .addOption(
      new Option('--wait <seconds>', 'after the end of stdin: how long a far side may be silent')
        .default(5)
        .argParser(count),
    )
    .addOption(
      new Option('--stall <seconds>', 'close a peer that takes nothing for so long while lines wait for it')
        .default(0, '0: wait')
        .argParser(count),
    )
    .addOption(
      new Option(
        '--max-frame <bytes>',
        'the longest message, sent or received (default: 16 MiB; of JSON 1 MiB; over UDP 1,472)',
      ).argParser(atLeastOne),
    )
    .addHelpText('after', WIRE)
}

/** What leads to one question under wire v1. */
function askCommand(name: string, kind: 'call' | 'feed' | 'msg'): Command {
  return program
    .command(`${name} <address> <type> [data]`)
    .option('-p, --protocol <file>', 'a module that exports the contract, as of serve')
    .option('-H, --header <name=value>', 'text that travels with it; may be given again', header)
    .option('-i, --identity <file>', 'prove this key; the address names whom to reach: tcp://ID@host:port')
    .option('--insecure', 'speak where others can read and change it, with nothing proven')
    .option('-j, --json', 'print errors as one JSON object a line')
    .addHelpText('after', ASK)
    .action(
      async (
        address: string,
        type: string,
        text: string | undefined,
        options: import('./commands/ask.ts').AskOptions,
      ) => {
        const { runAsk } = await import('./commands/ask.ts')
        exitCode = await runAsk({ kind, address, type, text }, options)
      },
    )
}

function header(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const [, name, value] = /^([a-z0-9-]{1,255})=(.*)$/s.exec(text) ?? []
  if (name === undefined || value === undefined)
    throw new InvalidArgumentError('It is name=value, with a name of a-z, 0-9 and -.')
  return { ...before, [name]: value }
}

/** Up to what a timer of the system can count. */
function seconds(text: string): number {
  const number = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Infinity
  if (number * 1000 >= 2 ** 31 || (number > 0 && number < 0.001))
    throw new InvalidArgumentError('It must be a number of seconds, 2147483 at the most.')
  return number
}

function positiveSeconds(text: string): number {
  const number = seconds(text)
  if (number === 0) throw new InvalidArgumentError('It must be more than 0.')
  return number
}

function number(text: string): number {
  if (!/^\d{1,15}(\.\d+)?$/.test(text)) throw new InvalidArgumentError('It must be a number.')
  return Number(text)
}

function count(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}

function atLeastOne(text: string): number {
  const number = count(text)
  if (number === 0) throw new InvalidArgumentError('It must be 1 or more.')
  return number
}

function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value]
}

/** Whoever read our output has enough of it, as `head` does: that is no failure. */
process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
  if (code === 'EPIPE') process.exit(EXIT.ok)
  process.stderr.write(`socktools: stdout cannot be written: ${forTerminal(message)}\n`)
  process.exit(EXIT.failed)
})
process.stderr.on('error', () => undefined)

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage
  else {
    exitCode = EXIT.failed
    process.stderr.write(
      `socktools: ${forTerminal(error instanceof Error ? error.message : String(error))}\n`,
    )
  }
}
// A pipe may still hold output, and stdin may be open: neither is to decide when this ends.
process.stdout.write('', (error) => {
  // What broke stdout is told by its error event, which is still to come.
  if (error) setImmediate(() => process.exit(EXIT.failed))
  else process.exit(exitCode)
})
