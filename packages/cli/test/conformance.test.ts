/** `conformance`: this library against itself, one that breaks rules, and one that is not there. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, describe, test } from 'node:test'
import { ANY, Cli, freeAddress, rawServer, run, temporary } from './cli.ts'
import { FAULTS, wrong } from './wrong.ts'

interface Told {
  readonly event: 'case' | 'summary'
  readonly id: string
  readonly rule: string
  readonly result: 'ok' | 'FAILED' | 'skipped'
  readonly why?: string
}

/** What comes of the cases, and with which code it exits. */
async function verdict(t: TestContext, ...args: string[]) {
  const { code, stdout, stderr } = await run(t, ['conformance', '--json', ...args])
  const told = stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Told)
  const cases = told.filter(({ event }) => event === 'case')
  const ids = (result: Told['result']): string[] =>
    cases.filter((one) => one.result === result).map(({ id }) => id)
  const whys = cases.filter(({ result }) => result === 'FAILED').map(({ id, why }) => `${id}: ${why ?? ''}`)
  return { code, stderr, cases, ok: ids('ok'), failed: ids('FAILED'), skipped: ids('skipped'), whys }
}

async function listening(t: TestContext, ...args: string[]): Promise<string> {
  return new Cli(t, ['conformance', '--serve', '--role', 'listener', ...args, ANY]).address()
}

describe('this library against itself', () => {
  test('as the listener: it passes all', async (t) => {
    const { whys, ok, skipped, code } = await verdict(t, await listening(t))
    assert.deepEqual([whys, code], [[], 0])
    assert.deepEqual(skipped, ['H43'])
    assert.ok(ok.length > 500, `${ok.length} cases`)
  })

  test('as the dialer: it passes all', async (t) => {
    const address = freeAddress(t)
    const cases = verdict(t, '--role', 'listener', address)
    new Cli(t, ['conformance', '--serve', '--role', 'dialer', address])
    const { whys, ok, skipped, code } = await cases
    assert.deepEqual([whys, code], [[], 0])
    assert.deepEqual(skipped, ['H43'])
    assert.ok(ok.length > 450, `${ok.length} cases`)
  })

  test('on the plain wire, in both roles: it passes all', async (t) => {
    const served = await verdict(t, '--wire', 'plain', await listening(t, '--wire', 'plain'))
    assert.deepEqual([served.whys, served.code], [[], 0])
    assert.ok(served.ok.length > 150, `${served.ok.length} cases`)
    const address = freeAddress(t)
    const cases = verdict(t, '--wire', 'plain', '--role', 'listener', '--only', 'P', address)
    new Cli(t, ['conformance', '--serve', '--role', 'dialer', '--wire', 'plain', address])
    const dialed = await cases
    assert.deepEqual([dialed.whys, dialed.ok.length], [[], 12])
  })
})

type Entry = [keyof typeof FAULTS, { fails: string[]; passes: string[] }]

describe('one that breaks a rule fails the cases of that rule', () => {
  const FAILS: Record<keyof typeof FAULTS, { readonly fails: string[]; readonly passes: string[] }> = {
    'acks too much': { fails: ['S05', 'E01'], passes: ['H06'] },
    'acks nothing': { fails: ['S15', 'S16', 'E06', 'E14'], passes: ['S01', 'S05', 'E01', 'E05'] },
    'no GOODBYE': { fails: ['S01', 'S08', 'E05', 'E20'], passes: ['S05', 'S16', 'E01'] },
    'PONG with other bytes': { fails: ['S15', 'E01'], passes: ['S01', 'S16', 'E05'] },
    'any seq will do': { fails: ['S01', 'S02', 'S05', 'S06', 'S07'], passes: ['S08', 'S15', 'E01'] },
    'says nothing': { fails: ['S01', 'E01'], passes: ['H06'] },
    'takes whatever begins with the magic for HELLO': { fails: ['H54'], passes: ['H06', 'H17', 'H55'] },
    'waits on where the other side has ended': { fails: ['H55', 'H57'], passes: ['H54', 'H56'] },
  }
  for (const [what, { fails, passes }] of Object.entries(FAILS) as Entry[]) {
    test(what, async (t) => {
      const address = await wrong(t, await listening(t), FAULTS[what])
      const only = [...fails, ...passes].flatMap((id) => ['--only', id])
      const { failed, ok, whys, code } = await verdict(t, ...only, '--deadline', '3', address)
      assert.deepEqual(failed, fails, whys.join('\n'))
      assert.deepEqual(ok.toSorted(), passes.toSorted())
      assert.equal(code, 1)
    })
  }
})

describe('it ends, whoever is there', () => {
  test('nobody listens', async (t) => {
    const { code, ok, whys } = await verdict(t, freeAddress(t))
    assert.deepEqual([ok, code], [[], 1])
    assert.match(whys[0] ?? '', /it cannot be dialed/)
    assert.match(whys.at(-1) ?? '', /not run: nobody was there/)
  })

  test('nobody dials', async (t) => {
    const { code, ok, whys } = await verdict(t, '--role', 'listener', '--deadline', '0.1', ANY)
    assert.deepEqual([ok, code], [[], 1])
    assert.match(whys[0] ?? '', /did not come in 0.1 s/)
  })

  test('one that neither reads nor answers', async (t) => {
    const { address } = await rawServer(t)
    const { code, whys } = await verdict(t, '--deadline', '0.1', '--only', 'H0', address)
    assert.equal(code, 1)
    assert.match(whys[0] ?? '', /WELCOME was due, and did not come in 0.1 s/)
  })
})

describe('what is claimed, and what is asked for', () => {
  test('what is not claimed is skipped, with the reason', async (t) => {
    const address = await listening(t)
    const { cases } = await verdict(t, '--claims', 'none', '--only', 'R01', '--only', 'S01', address)
    assert.deepEqual(
      cases.map(({ id, result, why }) => [id, result, why]),
      [
        ['S01', 'ok', undefined],
        ['R01', 'skipped', 'it does not claim sessions'],
      ],
    )
  })

  test('a file of claims leaves cases out by name', async (t) => {
    const file = join(temporary(t), 'claims')
    writeFileSync(file, 'sessions # all of them\n-R02 ids are numbers there\n-S*\n')
    const only = ['R01', 'R02', 'S01', 'D01'].flatMap((id) => ['--only', id])
    const { cases } = await verdict(t, '--claims', file, ...only, await listening(t))
    assert.deepEqual(
      cases.map(({ id, result, why }) => [id, result, why]),
      [
        ['S01', 'skipped', 'left out by --claims'],
        ['D01', 'skipped', 'it does not claim done'],
        ['R01', 'ok', undefined],
        ['R02', 'skipped', 'ids are numbers there'],
      ],
    )
  })

  test('a table for people, and the sum', async (t) => {
    const { stdout, code } = await run(t, ['conformance', '--only', 'S01', await listening(t)])
    assert.equal(
      stdout,
      'S01        ok       Seq and ack 2             the first seq is 2\n1 ok, 0 FAILED, 0 skipped\n',
    )
    assert.equal(code, 0)
  })

  test('ids are given once, and the list has them all', async (t) => {
    for (const role of ['dialer', 'listener']) {
      const { stdout } = await run(t, ['conformance', '--list', '--json', '--role', role])
      const ids = stdout
        .split('\n')
        .slice(0, -1)
        .map((line) => (JSON.parse(line) as { id: string }).id)
      assert.equal(new Set(ids).size, ids.length)
      const own = ids.filter((id) => !id.includes('-'))
      assert.ok(own.length >= 150, `${own.length} of our own`)
    }
  })

  test('wrong usage exits with 2', async (t) => {
    const wrongs: [args: string[], what: RegExp][] = [
      [[], /an address is due/],
      [['udp://127.0.0.1:1'], /no address of this/],
      [['--claims', 'sesions', ANY], /--claims knows sessions, done/],
      [['--only', 'Q', ANY], /no case/],
      [['--role', 'both', ANY], /--role/],
      [['--deadline', '0', ANY], /--deadline/],
    ]
    for (const [args, what] of wrongs) {
      const { code, stderr } = await run(t, ['conformance', ...args])
      assert.equal(code, 2, args.join(' '))
      assert.match(stderr, what)
    }
  })
})
