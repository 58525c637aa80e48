/**
 * What the compiler knows of a protocol. Each `@ts-expect-error` is a wrong use that must not compile: `npm run check`
 * fails where one does. What runs here shows that the values are as the types say.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type } from 'arktype'
import * as v from 'valibot'
import { z } from 'zod'
import { call, channel, feed, msg } from '../../src/contract/declare.ts'
import { isCallError } from '../../src/contract/failed.ts'
import { type Protocol, compile } from '../../src/contract/protocol.ts'
import type {
  CallTypes,
  ChannelTypes,
  DataArgs,
  DeclarationOf,
  ErrorCodes,
  ErrorInput,
  ErrorOutput,
  FeedTypes,
  Handlers,
  Input,
  MsgTypes,
  OpenedChannel,
  Output,
  ReplyInput,
  ReplyOutput,
  ServedChannel,
  TypesOf,
} from '../../src/contract/types.ts'
import { CallError, SockError } from '../../src/errors.ts'
import { type InferInput, bytes, nothing, validate } from '../../src/schema.ts'
import { raw } from '../../src/wire/codec.ts'

const Line = z.object({ text: z.string(), at: z.string().transform(Number) })
const Room = v.object({ room: v.string() })
const Lines = type({ text: 'string' }).array()

const chat = {
  say: msg(Line),
  blob: msg(bytes()),
  file: msg(raw()),
  history: call(Room, Lines, { errors: { NO_ROOM: undefined, FULL: z.object({ free: z.number() }) } }),
  ping: call(nothing(), nothing()),
  follow: feed(Room, Line),
  talk: channel(Line, Room),
}
type Chat = typeof chat
interface Context {
  readonly peer: string
}

/** True where the two are the very same type. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- how the compiler compares two types
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the argument is all there is to it
const same = <_T extends true>(): void => undefined

/** As a sock has them. */
declare function sendMsg<T extends MsgTypes<Chat>>(type: T, ...data: DataArgs<Chat[T]>): void
declare function request<T extends CallTypes<Chat>>(
  type: T,
  ...data: DataArgs<Chat[T], { readonly deadline?: number }>
): Promise<ReplyOutput<Chat[T]>>
declare function stream<T extends FeedTypes<Chat>>(
  type: T,
  ...data: DataArgs<Chat[T]>
): AsyncIterable<ReplyOutput<Chat[T]>>
declare function open<T extends ChannelTypes<Chat>>(type: T): Promise<OpenedChannel<Chat[T]>>
declare function handle(handlers: Handlers<Chat, Context>): void

/** Compiled, never run. */
export async function uses(): Promise<void> {
  sendMsg('say', { text: 'hi', at: '1' })
  sendMsg('blob', Uint8Array.of(1))
  sendMsg('file', Uint8Array.of(1))
  // @ts-expect-error: no such type
  sendMsg('shout', { text: 'hi', at: '1' })
  // @ts-expect-error: a call is asked, not sent
  sendMsg('ping')
  // @ts-expect-error: what is sent is the input of the schema: text
  sendMsg('say', { text: 'hi', at: 1 })
  // @ts-expect-error: a property is missing
  sendMsg('say', { text: 'hi' })
  // @ts-expect-error: the data are missing
  sendMsg('say')
  // @ts-expect-error: bytes are no text
  sendMsg('blob', 'text')

  const lines = await request('history', { room: 'lobby' }, { deadline: 5 })
  lines.map(({ text }) => text.length)
  await request('ping')
  await request('ping', undefined, { deadline: 5 })
  // @ts-expect-error: nothing is sent with it
  await request('ping', 1)
  // @ts-expect-error: a message has no answer
  await request('say', { text: 'hi', at: '1' })
  // @ts-expect-error: the data are missing
  await request('history')
  // @ts-expect-error: another question
  await request('history', { room: 1 })
  // @ts-expect-error: another answer
  lines.map(({ at }) => at)

  for await (const { at } of stream('follow', { room: 'lobby' })) at.toFixed()
  // @ts-expect-error: a call has one answer
  stream('history', { room: 'lobby' })

  const end = await open('talk')
  await end.send({ text: 'hi', at: '1' })
  for await (const { room } of end) room.trim()
  // @ts-expect-error: that is what the other end sends
  await end.send({ room: 'lobby' })
  // @ts-expect-error: no channel
  await open('follow')

  handle({
    say: ({ at }, { peer }) => at.toFixed() + peer,
    history: async ({ room }) => Promise.resolve([{ text: room }]),
    ping: () => undefined,
    async *follow({ room }) {
      await Promise.resolve()
      yield { text: room, at: '1' }
    },
    async talk(here, { peer }) {
      for await (const { at } of here) await here.send({ room: peer + at.toFixed() })
      await here.end()
    },
  })
  // Whatever can be iterated over.
  handle({ follow: ({ room }) => [{ text: room, at: '1' }] })
  handle({
    *follow({ room }) {
      yield { text: room, at: '1' }
    },
  })
  handle({
    // @ts-expect-error: an item of the wrong shape
    *follow({ room }) {
      yield { txt: room }
    },
  })
  // Some may be missing; a handler that waits is one that answers nothing.
  handle({ ping: async () => Promise.resolve() })
  // @ts-expect-error: no such type
  handle({ shout: () => undefined })
  // @ts-expect-error: an answer of the wrong shape
  handle({ history: ({ room }) => [{ txt: room }] })
  // @ts-expect-error: no answer
  handle({ history: () => undefined })
  // @ts-expect-error: one answer in the place of many
  handle({ follow: ({ room }) => ({ text: room, at: '1' }) })
  handle({
    // @ts-expect-error: an item of the wrong shape
    async *follow({ room }) {
      await Promise.resolve()
      yield { text: room }
    },
  })
  // @ts-expect-error: what arrives has been transformed: a number
  handle({ say: ({ at }) => at.trim() })
  // @ts-expect-error: that is what the other end sends
  handle({ talk: async (here) => here.send({ text: 'hi', at: '1' }) })
  // @ts-expect-error: the context has no such thing
  handle({ say: (_line, { sock }) => sock })

  // @ts-expect-error: no schema
  msg(String)
  // @ts-expect-error: no output
  call(Line)
  // @ts-expect-error: no such priority
  msg(Line, { priority: 'hihg' })
  // @ts-expect-error: no such option
  msg(Line, { prio: 'high' })
  // @ts-expect-error: only calls have a deadline
  feed(Line, Line, { deadline: 5 })
  // @ts-expect-error: messages have no errors, since nobody hears of them
  msg(Line, { errors: { GONE: undefined } })
  // @ts-expect-error: an error is a schema or nothing
  call(Line, Line, { errors: { GONE: 'gone' } })
  // @ts-expect-error: a protocol is of declarations
  compile({ say: Line })
  // @ts-expect-error: what is declared does not change
  chat.say.priority = 'high'
}

// Names by kind.
same<Same<TypesOf<Chat>, 'say' | 'blob' | 'file' | 'history' | 'ping' | 'follow' | 'talk'>>()
same<Same<MsgTypes<Chat>, 'say' | 'blob' | 'file'>>()
same<Same<CallTypes<Chat>, 'history' | 'ping'>>()
same<Same<FeedTypes<Chat>, 'follow'>>()
same<Same<ChannelTypes<Chat>, 'talk'>>()

// No protocol.
same<Same<MsgTypes<undefined>, string | number>>()
same<Same<CallTypes<undefined>, never>>()
same<Same<FeedTypes<undefined>, never>>()
same<Same<ChannelTypes<undefined>, never>>()
same<Same<DeclarationOf<undefined, 'say'>, never>>()
same<Same<DeclarationOf<Chat, 'say'>, Chat['say']>>()
same<Same<DeclarationOf<Chat, 'shout'>, never>>()

// Some protocol.
same<Same<MsgTypes<Protocol>, string>>()

// What is sent, and what arrives.
same<Same<Input<Chat['say']>, { text: string; at: string }>>()
same<Same<Output<Chat['say']>, { text: string; at: number }>>()
same<Same<Input<Chat['file']>, Uint8Array>>()
same<Same<Output<Chat['ping']>, undefined>>()
same<Same<ReplyInput<Chat['history']>, { text: string }[]>>()
same<Same<ReplyOutput<Chat['follow']>, { text: string; at: number }>>()
same<Same<Output<Chat['talk']>, { text: string; at: number }>>()
same<Same<ReplyInput<Chat['talk']>, { room: string }>>()
same<Same<Parameters<ServedChannel<Chat['talk']>['send']>, [item: { room: string }]>>()

// Declared errors.
same<Same<ErrorCodes<Chat['history']>, 'NO_ROOM' | 'FULL'>>()
same<Same<ErrorCodes<Chat['ping']>, never>>()
same<Same<ErrorCodes<Chat['say']>, never>>()
same<Same<ErrorInput<Chat['history'], 'FULL'>, { free: number }>>()
same<Same<ErrorOutput<Chat['history'], 'FULL'>, { free: number }>>()
same<Same<ErrorInput<Chat['history'], 'NO_ROOM'>, undefined>>()

/** Compiled, never run: what is known of an error that was caught. */
export function caught(error: unknown): number | undefined {
  if (isCallError(error, chat.history, 'FULL')) {
    same<Same<typeof error.code, 'FULL'>>()
    same<Same<typeof error.data, { free: number }>>()
    return error.data.free
  }
  if (isCallError(error, chat.history, 'NO_ROOM')) return error.data
  // @ts-expect-error: no such error
  if (isCallError(error, chat.history, 'EMPTY')) return 0
  // @ts-expect-error: a message has no errors
  if (isCallError(error, chat.say, 'FULL')) return 0
  return undefined
}

// The data may be left out where the schema takes undefined.
same<Same<DataArgs<Chat['ping']>, [data?: Input<Chat['ping']>]>>()
same<Same<DataArgs<Chat['blob'], 1>, [data: Uint8Array, options?: 1]>>()

describe('an error that was caught', () => {
  test('is that of a declaration by its code, of whichever copy of this package', () => {
    const full = new CallError('FULL', { free: 1 })
    assert.ok(isCallError(full, chat.history, 'FULL'))
    assert.ok(!isCallError(full, chat.history, 'NO_ROOM'))
    const others = Object.assign(new Error('FULL'), {
      [Symbol.for('socktools.CallError')]: true,
      code: 'FULL',
    })
    assert.ok(isCallError(others, chat.history, 'FULL'))
    for (const other of [undefined, 'FULL', { code: 'FULL' }, new SockError('CLOSED', 'x')])
      assert.ok(!isCallError(other, chat.history, 'FULL'))
  })
})

describe('types', () => {
  test('of a protocol are those of its values', () => {
    const said: Output<Chat['say']> = validate(chat.say.schema, { text: 'hi', at: '7' }) as Output<
      Chat['say']
    >
    assert.equal(said.at, 7)
    const line: InferInput<typeof Line> = { text: 'hi', at: '7' }
    assert.deepEqual(validate(Line, line), { text: 'hi', at: 7 })
    assert.equal(compile(chat).types.length, 7)
  })

  test('validate answers with the output, or a promise of it', async () => {
    const one: { room: string } | Promise<{ room: string }> = validate(Room, { room: 'a' })
    assert.deepEqual(await one, { room: 'a' })
  })
})
