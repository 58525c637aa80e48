/** npm run check: every `check:…` script of package.json in its order, one line each, its output if it fails. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

process.chdir(resolve(import.meta.dirname, '..'))
const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'))
const steps = Object.keys(scripts).filter((name) => name.startsWith('check:'))

let failed = 0
for (const step of steps) {
  const began = performance.now()
  const { status, stdout, stderr } = spawnSync('npm', ['run', '--silent', step], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28, // a first lint of much new code has much to say
  })
  const ok = status === 0
  if (!ok) failed += 1
  console.log(`${ok ? 'ok' : 'FAIL'}  ${step}  ${((performance.now() - began) / 1000).toFixed(1)} s`)
  if (!ok) console.log(`\n${stdout ?? ''}${stderr ?? ''}`)
  // What a step has not looked at does not pass in silence.
  else for (const line of stdout.split('\n')) if (line.startsWith('skipped: ')) console.log(`    ${line}`)
}
console.log(`${steps.length - failed} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0
