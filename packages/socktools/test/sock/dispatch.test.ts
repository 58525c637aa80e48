/** Which handlers a type reaches: names and numbers in one table, however they are written. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Context, json, type PipeSock } from '../../src/index.ts'
import { typeOf } from '../../src/sock/handler-table.ts'
import { all } from '../support/events.ts'
import { GUARD } from '../support/tcp.ts'
import { simulate, type World } from '../support/world.ts'

type Json = ReturnType<typeof json>

describe('typeOf', () => {
  const table: [name: string | number, type: string | number][] = [
    ['1', 1],
    ['0', 0],
    ['-1', -1],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ['-9007199254740991', Number.MIN_SAFE_INTEGER],
    [1, 1],
    ['say', 'say'],
    ['', ''],
    // Not as a number prints, or no integer that is sure: text like any other.
    ...[
      '01',
      '+1',
      '-0',
      '--1',
      '-',
      '1.0',
      '1.5',
      '1e3',
      '0x1',
      ' 1',
      '1 ',
      '1n',
      '½',
      '１',
      'NaN',
      'Infinity',
    ].map((name): [string, string] => [name, name]),
    ['9007199254740992', '9007199254740992'],
    ['9007199254740993', '9007199254740993'],
    ['99999999999999999999', '99999999999999999999'],
  ]
  for (const [name, type] of table) {
    test(`${JSON.stringify(name)} is the type ${JSON.stringify(type)}`, () =>
      assert.equal(typeOf(name), type))
  }
})

describe('a type reaches its handlers, named by text or by number', GUARD, () => {
  /** What was handled: by whom, and under which type as it was told. */
  const scene = async (
    world: World,
    handlers: Parameters<typeof world.open<Json>>[0] & object,
  ): Promise<{ server: PipeSock<Json>; client: PipeSock<Json> }> => {
    const server = await world.open<Json>({ bind: 'memory:a', codec: json(), ...handlers })
    const client = await world.open<Json>({ connect: 'memory:a', codec: json() })
    return { server, client }
  }

  test('names and numbers stand side by side', () =>
    simulate(async (world) => {
      const got: unknown[] = []
      const { client } = await scene(world, {
        handlers: {
          1: (data, { type }) => got.push(['one', type, data]),
          [-2]: (data, { type }) => got.push(['minus two', type, data]),
          say: (data, { type }) => got.push(['say', type, data]),
          '01': (data, { type }) => got.push(['text', type, data]),
        },
      })
      for (const type of [1, 'say', -2, '01', 1]) await client.sendMsg(type, null)
      await world.quiet()
      assert.deepEqual(got, [
        ['one', 1, null],
        ['say', 'say', null],
        ['minus two', -2, null],
        ['text', '01', null],
        ['one', 1, null],
      ])
    }))

  for (const written of [1, '1']) {
    for (const sent of [1, '1']) {
      test(`handlers, addHandler and messages of ${JSON.stringify(written)} all hear ${JSON.stringify(sent)}`, () =>
        simulate(async (world) => {
          const got: unknown[] = []
          const { server, client } = await scene(world, {
            handlers: { [written]: (_: unknown, { type }: Context<Json>) => got.push(['handlers', type]) },
          })
          server.addHandler(written, (_, { type }) => got.push(['addHandler', type]))
          const messages = server.messages(written)
          const unhandled = all(server, 'unhandled')
          await client.sendMsg(sent, 'x')
          await world.quiet()
          assert.deepEqual(got, [
            ['handlers', 1],
            ['addHandler', 1],
          ])
          const { value } = await messages.next()
          assert.deepEqual([value?.[0], value?.[1].type, unhandled], ['x', 1, []])
        }))
    }
  }

  test('an exclusive handler takes the place of all that the type has, and off() finds its own', () =>
    simulate(async (world) => {
      const got: string[] = []
      const { server, client } = await scene(world, { handlers: { 7: () => got.push('handlers') } })
      const off = server.addHandler('7', () => got.push('exclusive'), { exclusive: true })
      await client.sendMsg(7, null)
      await world.quiet()
      off()
      const unhandled = all(server, 'unhandled')
      await client.sendMsg('7', null)
      await world.quiet()
      assert.deepEqual([got, unhandled.map(({ type }) => type)], [['exclusive'], [7]])
    }))

  test('what middleware makes of a type counts; before that it is as the codec has it', () =>
    simulate(async (world) => {
      const got: unknown[] = []
      const { server, client } = await scene(world, { handlers: { 2: (_, { type }) => got.push(type) } })
      server.use((message, _, next) => {
        got.push(message.type)
        message.type = '2'
        return next()
      })
      await client.sendMsg('1', null)
      await world.quiet()
      assert.deepEqual(got, ['1', 2])
    }))

  test('what is sent keeps its form', () =>
    simulate(async (world) => {
      const { server, client } = await scene(world, {})
      const payloads = server.readRaw()
      for (const type of [1, '1']) await client.sendMsg(type, null)
      for (const text of ['[1,null]', '["1",null]'])
        assert.equal(Buffer.from((await payloads.next()).value?.[0] ?? []).toString(), text)
    }))

  test('a middleware that makes no type of it has it reported as unhandled, and no more', () =>
    simulate(async (world) => {
      const { server, client } = await scene(world, {})
      const [unhandled, faults] = [all(server, 'unhandled'), all(server, 'fault')]
      server.use((message, _, next) => {
        message.type = undefined as never
        return next()
      })
      await client.sendMsg('x', null)
      await world.quiet()
      assert.deepEqual([unhandled.length, faults.length], [1, 0])
    }))
})
