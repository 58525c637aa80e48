import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { unix } from '../../src/net/unix.ts'
import { nodePlatform } from '../../src/platform/node.ts'
import { transportSuite } from './transport-suite.ts'

const folder = mkdtempSync(join(os.tmpdir(), 'socktools-'))
after(() => rmSync(folder, { recursive: true }))
let names = 0

transportSuite('unix', () => ({
  transport: unix(nodePlatform),
  free: () => `unix:${join(folder, String(++names))}`,
  run: (scenario) => scenario(),
}))
