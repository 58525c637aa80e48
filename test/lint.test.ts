/**
 * The seams hold: each row of eslint.seams.js catches what it forbids and lets its allowed twin pass.
 * The snippets are linted as if they lay at the path given; none of these files need exist.
 */
import assert from 'node:assert/strict'
import { readFile, readdir } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ESLint } from 'eslint'
import tseslint from 'typescript-eslint'

const IMPORTS = '@typescript-eslint/no-restricted-imports'
const GLOBALS = 'no-restricted-globals'
const PROPERTIES = 'no-restricted-properties'
const SYNTAX = 'no-restricted-syntax'
const SEAMS = [IMPORTS, GLOBALS, PROPERTIES, SYNTAX]

const root = new URL('../', import.meta.url)
const eslint = new ESLint({
  cwd: fileURLToPath(root),
  // The seams need no types, and a file that does not exist belongs to no TypeScript project.
  overrideConfig: [
    { ...tseslint.configs.disableTypeChecked, files: ['**/*.ts'] },
    { files: ['**/*.ts'], languageOptions: { parserOptions: { projectService: false } } },
  ],
})

/** The seam rules that `code` breaks when it lies at `file` in the library's src (or, from the root, at `/…`). */
async function broken(file: string, code: string): Promise<string[]> {
  const filePath = file.startsWith('/') ? file.slice(1) : `packages/socktools/src/${file}`
  const [result] = await eslint.lintText(code, { filePath })
  assert.ok(result, `${filePath} is linted`)
  assert.equal(result.fatalErrorCount, 0, `the snippet parses: ${result.messages[0]?.message ?? ''}`)
  return [...new Set(result.messages.map((m) => m.ruleId ?? ''))].filter((rule) => SEAMS.includes(rule))
}

/** What is caught, where, by which rule; and its twin, in the same file, that passes. */
const table: [file: string, rule: string, bad: string, good: string][] = [
  // wire/ is pure.
  ['wire/x.ts', IMPORTS, `import { tcp } from '../net/tcp.ts'`, `import { lines } from './lines.ts'`],
  ['wire/x.ts', IMPORTS, `import type { Pipe } from '../net/pipe.ts'`, `import { fail } from '../errors.ts'`],
  [
    'wire/x.ts',
    IMPORTS,
    `import type { P } from '../platform/platform.ts'`,
    `import { v } from '../schema.ts'`,
  ],
  ['wire/x.ts', IMPORTS, `export * from '../events.ts'`, `export * from './codec.ts'`],
  ['wire/x.ts', IMPORTS, `import fs from 'node:fs'`, `import { fail } from '../errors.ts'`],
  ['wire/x.ts', IMPORTS, `import 'fs'`, `import './held.ts'`],
  ['wire/x.ts', IMPORTS, `import { Packr } from 'msgpackr/pack'`, `import { encode } from './codec.ts'`],
  ['wire/v1/x.ts', IMPORTS, `import { tcp } from '../../net/tcp.ts'`, `import { lines } from '../lines.ts'`],
  ['wire/v1/x.ts', IMPORTS, `import { on } from '../../events.ts'`, `import { fail } from '../../errors.ts'`],
  [
    'wire/v1/x.ts',
    IMPORTS,
    `import { on } from '../../sock/x.ts'`,
    `import { c } from '../../contract/x.ts'`,
  ],
  // contract/ is pure, and knows no wire.
  [
    'contract/x.ts',
    IMPORTS,
    `import { raw } from '../wire/codec.ts'`,
    `import { isBytes } from '../schema.ts'`,
  ],
  [
    'contract/x.ts',
    IMPORTS,
    `import type { P } from '../platform/x.ts'`,
    `import { msg } from './declare.ts'`,
  ],
  ['contract/x.ts', IMPORTS, `import { z } from 'zod'`, `import { fail } from '../errors.ts'`],
  [
    'schema.ts',
    IMPORTS,
    `import type { S } from '@standard-schema/spec'`,
    `import { fail } from './errors.ts'`,
  ],
  // platform/ stands alone.
  ['platform/x.ts', IMPORTS, `import net from 'node:net'`, `import fs from 'node:fs/promises'`],
  ['platform/x.ts', IMPORTS, `import { raw } from '../wire/codec.ts'`, `import { fail } from '../errors.ts'`],
  [
    'platform/x.ts',
    IMPORTS,
    `import type { Pipe } from '../net/pipe.ts'`,
    `import crypto from 'node:crypto'`,
  ],
  // net/ knows the platform by type, and never the wire.
  [
    'net/x.ts',
    IMPORTS,
    `import { node } from '../platform/node.ts'`,
    `import type { P } from '../platform/node.ts'`,
  ],
  [
    'net/x.ts',
    IMPORTS,
    `import type { Framing } from '../wire/framing.ts'`,
    `import { pathOf } from './address.ts'`,
  ],
  ['net/x.ts', IMPORTS, `import fs from 'node:fs'`, `import net from 'node:net'`],
  ['net/x.ts', IMPORTS, `import { setTimeout } from 'node:timers/promises'`, `import tls from 'node:tls'`],
  // sock/ sees interfaces; the concrete ones meet in its entry files.
  ['sock/x.ts', IMPORTS, `import { tcp } from '../net/tcp.ts'`, `import type { Pipe } from '../net/pipe.ts'`],
  [
    'sock/x.ts',
    IMPORTS,
    `import { type Pipe, tcp } from '../net/tcp.ts'`,
    `import { raw } from '../wire/codec.ts'`,
  ],
  ['sock/x.ts', IMPORTS, `export { tcp } from '../net/tcp.ts'`, `export type { Pipe } from '../net/tcp.ts'`],
  [
    'sock/x.ts',
    IMPORTS,
    `import { n } from '../platform/node.ts'`,
    `import type { N } from '../platform/node.ts'`,
  ],
  [
    'sock/x.ts',
    IMPORTS,
    `import { log } from '../store/log.ts'`,
    `import type { Log } from '../store/log.ts'`,
  ],
  ['sock/x.ts', IMPORTS, `import type { Server } from 'node:net'`, `import { Events } from '../events.ts'`],
  ['sock/x.ts', IMPORTS, `import { TcpSock } from './tcp-sock.ts'`, `import { Sock } from './sock.ts'`],
  ['sock/tcp-sock.ts', IMPORTS, `import net from 'node:net'`, `import type { Server } from 'node:net'`],
  ['sock/tcp-sock.ts', IMPORTS, `import type { S } from 'node:tls'`, `import { tcp } from '../net/tcp.ts'`],
  ['sock/udp-sock.ts', IMPORTS, `import dgram from 'node:dgram'`, `import { udp } from '../net/udp.ts'`],
  [
    'sock/meta-sock.ts',
    IMPORTS,
    `import { tcp } from '../net/tcp.ts'`,
    `import { n } from '../platform/node.ts'`,
  ],
  ['sock/x.ts', IMPORTS, `import { z } from 'zod'`, `import { compile } from '../contract/protocol.ts'`],
  ['sock/x.ts', IMPORTS, `import { MetaSock } from './meta-sock.ts'`, `import { x } from './meta-sends.ts'`],
  // What lies above.
  [
    'store/x.ts',
    IMPORTS,
    `import { n } from '../platform/node.ts'`,
    `import type { P } from '../platform/node.ts'`,
  ],
  [
    'store/x.ts',
    IMPORTS,
    `import { Peer } from '../sock/peer.ts'`,
    `import { lines } from '../wire/lines.ts'`,
  ],
  ['store/x.ts', IMPORTS, `import { Store } from './index.ts'`, `import { Log } from './log.ts'`],
  [
    'store/index.ts',
    IMPORTS,
    `import { Peer } from '../sock/peer.ts'`,
    `import { n } from '../platform/node.ts'`,
  ],
  [
    'identity/x.ts',
    IMPORTS,
    `import { tcp } from '../net/tcp.ts'`,
    `import type { Proof } from '../net/pipe.ts'`,
  ],
  ['identity/x.ts', IMPORTS, `import { sign } from 'node:crypto'`, `import { fail } from '../errors.ts'`],
  ['mesh/x.ts', IMPORTS, `import { ws } from '../adapters/ws.ts'`, `import { Sock } from '../sock/sock.ts'`],
  ['adapters/x.ts', IMPORTS, `import net from 'node:net'`, `import { WebSocket } from 'ws'`],
  [
    'adapters/x.ts',
    IMPORTS,
    `import { connect } from 'nats'`,
    `import { connect } from '@nats-io/transport-node'`,
  ],
  [
    'adapters/ws/x.ts',
    IMPORTS,
    `import { sim } from '../../testing/sim.ts'`,
    `import { P } from '../../sock/peer.ts'`,
  ],
  [
    'testing/x.ts',
    IMPORTS,
    `import { TcpSock } from '../index.ts'`,
    `import { memory } from '../net/memory.ts'`,
  ],
  ['events.ts', IMPORTS, `import { Peer } from './sock/peer.ts'`, `import { fail } from './errors.ts'`],
  ['address.ts', IMPORTS, `import net from 'node:net'`, `import { fail } from './errors.ts'`],
  ['errors.ts', IMPORTS, `import { Events } from './events.ts'`, `export const one = 1`],
  ['sock/x.ts', IMPORTS, `import { TcpSock } from '../index.ts'`, `import { Events } from '../events.ts'`],
  ['index.ts', IMPORTS, `export * from './testing/index.ts'`, `export * from './sock/tcp-sock.ts'`],
  ['index.ts', IMPORTS, `import '../../cli/src/main.ts'`, `import { node } from './platform/node.ts'`],
  ['sock/x.ts', IMPORTS, `import '@socktools/cli'`, `import '../errors.ts'`],
  ['/packages/cli/src/x.ts', IMPORTS, `import '../../socktools/src/index.ts'`, `import 'socktools'`],
  ['/examples/x.ts', IMPORTS, `import '../packages/socktools/src/index.ts'`, `import 'socktools/testing'`],
  // Ways around.
  [
    'sock/x.ts',
    IMPORTS,
    `import { tcp } from './../net/tcp.ts'`,
    `import type { Pipe } from '../net/tcp.ts'`,
  ],
  [
    'sock/x.ts',
    IMPORTS,
    `import { tcp } from '../wire/../net/tcp.ts'`,
    `import { raw } from '../wire/codec.ts'`,
  ],
  ['sock/x.ts', SYNTAX, `await import('../net/tcp.ts')`, `import '../wire/codec.ts'`],
  ['wire/x.ts', SYNTAX, `let a: import('node:net').Socket`, `let a: Uint8Array`],
  ['nowhere/x.ts', IMPORTS, `import { fail } from '../errors.ts'`, `export const one = 1`],
  // The outside.
  ['sock/x.ts', GLOBALS, `setTimeout(f, 1)`, `platform.setTimeout(f, 1)`],
  ['sock/x.ts', GLOBALS, `const now = Date.now()`, `const now = platform.now()`],
  ['sock/x.ts', GLOBALS, `globalThis.setTimeout(f, 1)`, `platform.globalThis`],
  ['sock/x.ts', PROPERTIES, `AbortSignal.timeout(5)`, `AbortSignal.abort()`],
  ['sock/x.ts', PROPERTIES, `Math.random()`, `Math.floor(1.5)`],
  ['wire/x.ts', PROPERTIES, `const { random } = Math`, `const { floor } = Math`],
  ['wire/x.ts', SYNTAX, `let b: Buffer`, `let b: Uint8Array`],
  ['sock/x.ts', SYNTAX, `let t: NodeJS.Timeout`, `let t: Timer`],
  ['net/x.ts', SYNTAX, `let s: import('node:net').Socket`, `let b: Buffer`],
  ['net/x.ts', GLOBALS, `setTimeout(f, 1)`, `Buffer.alloc(1)`],
  ['net/x.ts', GLOBALS, `new Date()`, `new AbortController()`],
  ['net/x.ts', PROPERTIES, `Math.random()`, `Math.max(1, 2)`],
  ['testing/x.ts', GLOBALS, `performance.now()`, `clock.performance.now()`],
]

/** In `wire/`, each of these alone is caught; in platform/ each passes. */
const forbidden = [
  ...[
    'Date',
    'setTimeout',
    'setInterval',
    'setImmediate',
    'queueMicrotask',
    'process',
    'Buffer',
    'performance',
  ],
  ...['crypto', 'fetch', 'console', 'WeakRef', 'FinalizationRegistry', 'require', 'globalThis'],
]

describe('the seams of src', () => {
  for (const [file, rule, bad, good] of table) {
    test(`${file}: ${bad}`, async () => {
      assert.deepEqual(await broken(file, bad), [rule])
      assert.deepEqual(await broken(file, good), [], `${good} passes`)
    })
  }

  for (const name of forbidden) {
    test(`${name} is for platform/ alone`, async () => {
      const room = {
        wire: await broken('wire/x.ts', `f(${name})`),
        platform: await broken('platform/x.ts', `f(${name})`),
      }
      assert.deepEqual(room, { wire: [GLOBALS], platform: [] })
    })
  }

  test('no file of src switches a seam off', async () => {
    const src = new URL('packages/socktools/src/', root)
    const switches = /eslint-disable(?!-(?:next-)?line @typescript-eslint\/(?!no-restricted))/
    for (const file of await readdir(src, { recursive: true })) {
      if (!file.endsWith('.ts')) continue
      assert.doesNotMatch(await readFile(new URL(file, src), 'utf8'), switches, file)
    }
  })
})
