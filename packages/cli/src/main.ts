import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { forTerminal } from './escape.ts'
import { EXIT, type ExitCode } from './exit.ts'
import { FRAMINGS, framingNamed } from './framing-names.ts'
import type { NodeOptions } from './commands/node.ts'
import { version } from './place.ts'

const GENERAL = `
Addresses are URLs: tcp://127.0.0.1:4000, tcp://[::1]:4000, unix:/tmp/room.sock, udp://127.0.0.1:4000. With port 0
the system chooses; the address that came of it is printed.

Messages go to stdout, status and errors to stderr. A line of stdin ends with LF or CR LF: a CR before the LF is
stripped.

Exit codes:
  0    all went well; also after SIGINT or SIGTERM, which send what is left and then end
  1    something failed while running: no connection, or data that could not be delivered or printed
       (of compat: the protocols do not fit)
  2    wrong usage: an unknown option, a bad address, options that exclude each other, a file that is no protocol
  3    of compat: whether the protocols fit cannot be told
  130  at once, after a second SIGINT (143: SIGTERM)

Start here:
  socktools demo                                 see it work
  socktools listen tcp://127.0.0.1:4000          in one terminal
  socktools connect tcp://127.0.0.1:4000         in another; then type lines in either`

/** What listen and connect have in common. */
const WIRE = `
Over TCP and Unix sockets --framing tells where a message ends: after a length of so many bits, big endian (be) or
little endian (le), or at the end of a line. With ",inclusive" after the name, as in u16be,inclusive, the length
counts itself. Over UDP each message is one datagram, whatever --framing says: it may be lost, come twice or out of
order, and nobody announces that they come or go.

With --codec json or msgpack each line, in and out, is one message: [type, data] as JSON on stdin, the type and the
data as JSON on stdout. Under msgpack bytes stand as {"base64":"aGk="}, and integers beyond 2^53 come as text.

A line that cannot be sent is told with its number; those after it are sent, and the exit code is 1.`

const LISTEN = `
Each line of stdin goes to every peer, as one message; lines wait until there is a peer. The node stays until it
gets a signal: the end of stdin only means that there is no more to send. The peers of --connect are dialed again
whenever they end. Every line waits for the slowest peer: with --stall SECONDS, one that takes nothing for so long
is closed, and no longer holds up the others.

Examples:
  socktools listen tcp://127.0.0.1:4000
  socktools listen tcp://127.0.0.1:0 --connect tcp://127.0.0.1:4000     server and client at once
  socktools listen --lines tcp://127.0.0.1:4000                         then: nc 127.0.0.1 4000
  socktools listen --json unix:/tmp/in.sock | jq -r .text               one JSON object per message
  socktools listen tcp://127.0.0.1:4000 unix:/tmp/a.sock udp://127.0.0.1:4000   all three in one node`

const CONNECT = `
Each line of stdin goes to every peer, as one message, the last one even if nothing ends it. When stdin ends, all
is sent, and answers are printed until the far side has ended too or has been silent for --wait seconds: over UDP
only the silence tells. When every peer has ended, so does this; it is a failure if lines are left. With --retry it
stays until it gets a signal.

Examples:
  socktools connect tcp://127.0.0.1:4000
  printf hi | socktools connect tcp://127.0.0.1:4000                    send one message, print the answers
  seq 100000 | socktools connect tcp://127.0.0.1:4000 unix:/tmp/b.sock  each line to both
  socktools connect --retry tcp://127.0.0.1:4000                        until it is up, and again after that
  echo '["say","hi"]' | socktools connect --codec json tcp://127.0.0.1:4000
  echo 68 69 | socktools connect --hex --framing u16be tcp://127.0.0.1:4000`

const DEMO = `
Three peers and one written in Python (left out where there is no python3) run as processes of their own on this
machine. Each pair exchanges, both ways at once, numbered messages, every line of a text file and 64 MiB in frames
of 0 bytes to 8 MiB. Order and SHA-256 are verified on every side. Then three guests meet in one room, a MetaSock, by
TCP, a Unix socket and UDP: what each says must reach the others. Exits with 1 unless all of it is right.

Examples:
  socktools demo
  socktools demo --json | jq .ok`

const COMPAT = `
Each file is a module, .ts, .js or .mjs, that exports a protocol: \`export const protocol = { say: msg(Line) }\`, or
as its default export. It is run. TypeScript needs tsx in the project of that file, or Node 22.18 or newer.

What is compared is what is sent, both ways at once, as while one peer after another is upgraded: the types, their
kinds, and the structure of their data as the schemas tell it (zod 4.2, arktype 2.1.28 and newer do), or else their
\`version\`. Each difference is printed with its type: ok (nobody is hurt), breaking, or unknown (it cannot be told).

Exits with 0 if all is ok, with 1 if anything is breaking, else with 3 if anything is unknown.

Examples:
  socktools compat old/protocol.ts src/protocol.ts
  socktools compat --json old/protocol.js dist/protocol.js | jq -r 'select(.verdict == "breaking").what'`

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
  .command('demo')
  .description('see processes exchange messages, and every byte verified')
  .option('--json', 'print one line of JSON')
  .option('--text <file>', 'the text whose lines are sent (default: the licence)')
  .addOption(new Option('--numbered <count>').default(100_000).argParser(count).hideHelp())
  .addOption(new Option('--mebibytes <count>').default(64).argParser(count).hideHelp())
  .addOption(new Option('--deadline <seconds>').default(60).argParser(count).hideHelp())
  .addOption(
    new Option('--fault <kind>').choices(['flip', 'swap', 'drop', 'hang', 'crash', 'hush']).hideHelp(),
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

program.command('demo-party <plan>', { hidden: true }).action(async (plan: string) => {
  const { demoParty } = await import('./commands/demo-party.ts')
  await demoParty(plan)
})

for (const role of ['room', 'guest'] as const) {
  program.command(`demo-${role} <plan>`, { hidden: true }).action(async (plan: string) => {
    const { demoRoom } = await import('./commands/demo-room.ts')
    await demoRoom(role, plan)
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
