import type { Orders } from './orders.ts'
import type { Room } from './room.ts'
import type { Typed } from './typed.ts'
import type { Row } from './verdict.ts'

export interface Outcome {
  readonly ok: boolean
  readonly counts: {
    readonly pairs: number
    readonly messages: number
    /** For each pair and direction. */
    readonly numbered: number
    readonly lines: number
    readonly frames: number
  }
  readonly bytes: number
  readonly seconds: number
  readonly pairs: readonly Row[]
  /** The MetaSock over three transports; null where it did not come to that. */
  readonly room: Room | null
  /** The contract over wire v1; null where it did not come to that. */
  readonly typed: Typed | null
  /** What was posted over a cut connection and past killed processes; null where it did not come to that. */
  readonly orders: Orders | null
  /** Why the party in Python was left out, or null. */
  readonly leftOut: string | null
  /** What stopped the demo, or null. */
  readonly error: string | null
}

const whole = (n: number): string => Math.round(n).toLocaleString('en')
const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`
const HEAD = ['pair', 'messages both ways', 'bytes', 'seconds', 'verdict']

/** What is going to happen, for a person who waits for it. */
export const intro = (numbered: number, lines: number, frames: number, withPython: boolean): string =>
  [
    `A listens, B listens and dials A, C only dials${withPython ? ', P is written in Python' : ''}: each a process on this machine.`,
    'Each pair exchanges, both ways at once:',
    `  ${whole(numbered)} numbered messages, ${whole(lines)} lines of text, ${whole(frames)} frames of 0 bytes to 8 MiB`,
    'Then three guests meet in one room, by TCP, a Unix socket and UDP; and two processes speak a typed contract',
    `  over wire v1: messages, calls, a feed and a channel${withPython ? ', with P as well' : ''}.`,
    'Then a shop posts orders to a warehouse, while the connection between them is cut and each of them killed.',
  ].join('\n')

/** What came of it, for a person. */
export function table({
  ok,
  counts,
  bytes,
  seconds,
  pairs,
  room,
  typed,
  orders,
  leftOut,
  error,
}: Outcome): string {
  const cells = pairs.map((row) => [
    `${row.pair[1]} ↔ ${row.pair[0]}`,
    whole(row.messages),
    mib(row.bytes),
    row.seconds.toFixed(2),
    row.ok ? 'in order, SHA-256 equal on both sides' : `WRONG: ${row.why ?? ''}`,
  ])
  const widths = HEAD.map((name, i) => Math.max(name.length, ...cells.map((line) => line[i]?.length ?? 0)))
  const aligned = [HEAD, ...cells].map((line) =>
    line
      .map((cell, i) =>
        i === 0 || i === HEAD.length - 1 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0),
      )
      .join('   ')
      .trimEnd(),
  )
  const right = pairs.filter((row) => row.ok).length
  const rate = `${whole(counts.messages / seconds)} messages/s, ${mib(bytes / seconds)}/s`
  return [
    '',
    ...aligned,
    ...(room === null && typed === null ? [] : ['']),
    ...(room === null ? [] : [roomLine(room)]),
    ...(typed === null ? [] : [typedLine(typed)]),
    ...(orders === null ? [] : [ordersLine(orders)]),
    ...(leftOut === null ? [] : [`P was left out: ${leftOut}`]),
    '',
    ...(error === null ? [] : [error]),
    `${ok ? 'OK' : 'FAILED'}: ${right} of ${pairs.length} pairs right; ` +
      `${whole(counts.messages)} messages and ${mib(bytes)} in ${seconds.toFixed(1)} s (${rate})`,
  ].join('\n')
}

const roomLine = ({ ok, transports, messages, why }: Room): string =>
  `one MetaSock over ${transports.join(', ')}: ` +
  (ok ? `${whole(messages)} messages passed on, each once and in order` : `WRONG: ${why ?? ''}`)

const typedLine = ({ ok, messages, calls, echoes, bytes, seconds, python, why }: Typed): string =>
  'one contract over wire v1: ' +
  (ok
    ? `${whole(messages)} messages in order, ${whole(calls)} calls, ${whole(echoes)} items there and back, ` +
      `${mib(bytes)} with equal SHA-256, in ${seconds.toFixed(2)} s${python === true ? '; and with P' : ''}`
    : `WRONG: ${why ?? ''}`)

const ordersLine = ({
  ok,
  orders,
  cut,
  killed,
  redelivered,
  lost,
  twice,
  items,
  why,
  seconds,
}: Orders): string =>
  `${whole(orders)} orders posted, connections cut: ${cut}, processes killed: ${killed}: ` +
  (ok
    ? `${whole(redelivered)} redelivered, ${lost} lost, ${twice} twice, in order; ` +
      `a feed of ${whole(items)} items over the cut; in ${seconds.toFixed(2)} s`
    : `WRONG: ${why ?? ''}`)
