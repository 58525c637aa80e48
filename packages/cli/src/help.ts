/** What --help says beside the options: of the command, and of each subcommand. */

export const GENERAL = `
Addresses are URLs: tcp://127.0.0.1:4000, tcp://[::1]:4000, unix:/tmp/room.sock, udp://127.0.0.1:4000. With port 0
the system chooses; the address that came of it is printed.

Messages go to stdout, status and errors to stderr. A line of stdin ends with LF or CR LF: a CR before the LF is
stripped.

Exit codes:
  0    all went well; also after SIGINT or SIGTERM, which send what is left and then end
  1    something failed while running: no connection, or data that could not be delivered or printed
       (of compat: the protocols do not fit; of call and watch: the far side answered with an error; of outbox: it is
       damaged)
  2    wrong usage: an unknown option, a bad address, options that exclude each other, a file that exports no
       protocol or cannot be loaded, a directory without a store
  3    of compat: whether the protocols fit cannot be told
  130  at once, after a second SIGINT (143: SIGTERM)

Start here:
  socktools demo                                 see it work
  socktools listen tcp://127.0.0.1:4000          in one terminal
  socktools connect tcp://127.0.0.1:4000         in another; then type lines in either
  socktools serve chat.ts                        a typed contract and its handlers; then call, watch and send`

/** What listen and connect have in common. */
export const WIRE = `
Over TCP and Unix sockets --framing tells where a message ends: after a length of so many bits, big endian (be) or
little endian (le), or at the end of a line. With ",inclusive" after the name, as in u16be,inclusive, the length
counts itself. Over UDP each message is one datagram, whatever --framing says: it may be lost, come twice or out of
order, and nobody announces that they come or go.

With --codec json or msgpack each line, in and out, is one message: [type, data] as JSON on stdin, the type and the
data as JSON on stdout. Under msgpack bytes stand as {"base64":"aGk="}, and integers beyond 2^53 come as text.

A line that cannot be sent is told with its number; those after it are sent, and the exit code is 1.`

export const LISTEN = `
Each line of stdin goes to every peer, as one message; lines wait until there is a peer. The node stays until it
gets a signal: the end of stdin only means that there is no more to send. The peers of --connect are dialed again
whenever they end. Every line waits for the slowest peer: with --stall SECONDS, one that takes nothing for so long
is closed, and no longer holds up the others.

Examples:
  socktools listen tcp://127.0.0.1:4000
  socktools listen tcp://127.0.0.1:0 --connect tcp://127.0.0.1:4000     server and client at once
  socktools listen --lines tcp://127.0.0.1:4000                         then: nc 127.0.0.1 4000
  socktools listen --json unix:/tmp/in.sock | jq -r .text               one JSON object per message
  socktools listen tcp://127.0.0.1:4000 unix:/tmp/a.sock udp://127.0.0.1:4000   all three in one node
  socktools listen --identity id.pem --trust sock1… tcp://0.0.0.0:4000  over TLS, with this one alone`

export const CONNECT = `
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
  echo 68 69 | socktools connect --hex --framing u16be tcp://127.0.0.1:4000
  socktools connect --identity me.pem tcp://sock1…@shop.example:4000    over TLS, with that one or nobody`

export const DEMO = `
Three peers and one written in Python (left out where there is no python3) run as processes of their own on this
machine. Each pair exchanges, both ways at once, numbered messages, every line of a text file and 64 MiB in frames
of 0 bytes to 8 MiB. Order and SHA-256 are verified on every side. Then three guests meet in one room, a MetaSock, by
TCP, a Unix socket and UDP: what each says must reach the others. Beside them two processes, and the one in Python,
speak a typed contract over wire v1: messages, calls, a feed of bytes and a channel. Exits with 1 unless all of it is
right.

Examples:
  socktools demo
  socktools demo --json | jq .ok`

export const COMPAT = `
Each file is a module, .ts, .js or .mjs, that exports a protocol: \`export const protocol = { say: msg(Line) }\`, or
as its default export. It is run. TypeScript needs tsx in the project of that file, or Node 22.18 or newer.

What is compared is what is sent, both ways at once, as while one peer after another is upgraded: the types, their
kinds, and the structure of their data as the schemas tell it (zod 4.2, arktype 2.1.28 and newer do), or else their
\`version\`. Each difference is printed with its type: ok (nobody is hurt), breaking, or unknown (it cannot be told).

Exits with 0 if all is ok, with 1 if anything is breaking, else with 3 if anything is unknown.

Examples:
  socktools compat old/protocol.ts src/protocol.ts
  socktools compat --json old/protocol.js dist/protocol.js | jq -r 'select(.verdict == "breaking").what'`

export const CONFORMANCE = `
Each case is a connection of its own: frames by hand, right or wrong, and what has to come back by a rule of
PROTOCOL.md. The implementation serves the small contract of docs/conformance.md: with --role dialer it listens on the
address, with --role listener it dials it, again and again. --serve is such an implementation, and its --role what it
does itself.

--claims says what it can do beyond what every one must: sessions, done, ordered, all (the default) or none. In
a file each stands on a line of its own, and "-ID why" leaves a case out (-R*: all whose ids begin so).

Prints a line for each case: id, ok, FAILED or skipped, the rule, what it shows, and what came instead. Exits with 0 if
none failed, with 1 if any did.

Examples:
  socktools conformance --serve --role listener tcp://127.0.0.1:4000     in one terminal
  socktools conformance tcp://127.0.0.1:4000                             in another
  socktools conformance --role listener tcp://127.0.0.1:4001             and who is to dial: --serve --role dialer
  socktools conformance --wire plain --claims none tcp://127.0.0.1:4002
  socktools conformance --only S --only R01 --json tcp://127.0.0.1:4000 | jq -r 'select(.result == "FAILED").why'`

export const OUTBOX = `
Takes no lock and changes nothing: a process may have the store open, and what is told is then of some moment in
between. Every record is verified on the way. Each line is a JSON object:
  ls       one for each peer (pending, pendingBytes, and last: the highest n) and each cursor of the inbox, then the sum
  verify   one for each file, then the verdict; torn: bytes of a write that a crash cut short, of which nobody was told
  export   one for each message that is pending, in order: peer, id, n, type, at (ms since 1970) and base64

Exits with 0 if the store is whole, with 1 if it is damaged (what is damaged is told, nothing is exported) or cannot be
read, with 2 if there is none.

Examples:
  socktools outbox ls /var/lib/app/outbox
  socktools outbox verify /var/lib/app/outbox | tail -n 1 | jq .ok
  socktools outbox export --peer warehouse /var/lib/app/outbox | jq -r .base64`

export const ID = `
The private key is in the file, which only its owner may read; what is printed is for others. An id is the public key:
sock1 and 58 characters, of which the last six find typing errors.
  new      make a key, and print its id
  show     print the id of a key
  verify   tell whether an id is whole, or who signed the records of a file, one a line
  rotate   print the record that the new key takes the place of the old one, signed by both; hand it to all who know
           the old id
  revoke   print the record that nobody may use this key any more
  pins     print the addresses of a file of firstUse(), each with the id that answered there first
  unpin    take a pin back, when the owner of that address has told you his new id: compare it then with pins

Exits with 0 if all is well, with 1 if a key cannot be used, or a record is not signed as it must be.

Examples:
  socktools id new ~/.config/shop/id.pem
  socktools serve shop.ts --identity ~/.config/shop/id.pem --bind tcp://0.0.0.0:4000
  socktools call --identity me.pem tcp://sock1…@shop.example:4000 ping
  socktools id rotate old.pem new.pem --days 30 > rotation.json
  socktools id unpin pins.json tcp://shop.example:4000`

export const SERVE = `
The file is a module, .ts, .js or .mjs, that exports \`protocol\`, \`handlers\` and, if it likes, \`options\` of a
TcpSock. It is run. TypeScript needs tsx in the project of that file, or Node 22.18 or newer.

  import { call, feed, nothing } from 'socktools'
  import { z } from 'zod'

  export const protocol = {
    add: call(z.object({ a: z.number(), b: z.number() }), z.number()),
    time: feed(nothing(), z.string()),
  }
  export const handlers = {
    add: ({ a, b }) => a + b,
    async *time(_, { signal }) {
      while (!signal.aborted) {
        yield new Date().toISOString()
        await new Promise((resolve) => setTimeout(resolve, 1000))
      }
    },
  }

Where it listens, who comes and goes, and what a handler threw is told on stderr. SIGINT and SIGTERM finish the calls
that were begun, end the feeds and then the connections.

Where others than this machine can reach it, it wants an --identity: then every connection is TLS, both sides prove who they
are, and the address that is printed names it. --insecure does without.

Examples:
  socktools serve chat.ts --bind tcp://127.0.0.1:4000
  socktools serve chat.ts --bind tcp://0.0.0.0:4000 --identity id.pem
  socktools serve --json dist/chat.js 2> >(jq -r 'select(.event == "fault").at')`

/** What call, watch and send have in common. */
export const ASK = `
The data are JSON, or - if they are on stdin; none at all where the type takes none. Bytes stand as
{"base64":"aGk="}, in what is sent and in what is printed; integers beyond 2^53 are printed as text.

Without --protocol nothing is known of the type but its name: the far side checks what it is sent, and anything that
it answers is printed. With it, answers are checked as well, and the errors that the contract declares come with their
data. MessagePack is spoken where the far side has it, else JSON.

The answer goes to stdout, errors to stderr. A name that the far side does not have is answered with those it has.`

export const CALL = `
Examples:
  socktools call tcp://127.0.0.1:4000 add '{"a":1,"b":2}'
  socktools call --timeout 5 --header trace=17 unix:/tmp/chat.sock ping
  socktools call --raw tcp://127.0.0.1:4000 thumbnail '{"of":"a.png"}' > a.png
  jq -c . big.json | socktools call --protocol chat.ts tcp://127.0.0.1:4000 import -`

export const WATCH = `
Each item is one line of JSON. It ends with the feed, after --count items, or at SIGINT or SIGTERM, which end the feed
on the far side as well. The far side is held back as far as stdout is.

Examples:
  socktools watch tcp://127.0.0.1:4000 time
  socktools watch --count 3 tcp://127.0.0.1:4000 log '{"level":"warn"}' | jq -r .text
  socktools watch --raw tcp://127.0.0.1:4000 backup > backup.tar`

export const SEND = `
Ends when the far side has taken the message. Whether it has a handler for it is not told.

Examples:
  socktools send tcp://127.0.0.1:4000 say '{"text":"hi"}'
  echo '{"text":"hi"}' | socktools send tcp://127.0.0.1:4000 say -`

export const CHAOS = `
Each thing that it does is one line of JSON on stdout: listening (with its address), open, refused, cut, limit, end and
close, with the number of the connection and the bytes that passed each way.

SIGUSR1 freezes everything: nothing is read and nothing passes, until the next one. SIGUSR2 swallows what is sent,
until the next one, which resets the connections that lost something. It stays until SIGINT or SIGTERM.

Examples:
  socktools chaos --listen tcp://127.0.0.1:4001 --to tcp://127.0.0.1:4000 --latency 50 --jitter 20
  socktools chaos --listen tcp://127.0.0.1:4001 --to tcp://127.0.0.1:4000 --cut-after 1 --cut-grows
  socktools chaos --listen tcp://127.0.0.1:4001 --to tcp://127.0.0.1:4000 --black-hole --only down
  socktools chaos --listen tcp://127.0.0.1:0 --to unix:/tmp/a.sock --config bad-day.json`
