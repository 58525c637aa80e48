/**
 * npm run check:audit: the licence of each package in package-lock.json is one that a user of MIT can live with, the library
 * has no dependency at run time, and none of the command line's has a known hole. The last one asks the registry; one that has no
 * answer (no network, a mirror) is not asked, which is said.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

process.chdir(resolve(import.meta.dirname, '..'))

const ALLOWED = [
  'MIT',
  'ISC',
  '0BSD',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'CC0-1.0',
]

const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'))
const problems = []

for (const [path, { license, link }] of Object.entries(packages)) {
  // Ours are links; what they point to says its licence itself.
  if (link === true) continue
  const choices = (license ?? 'none').replace(/[()]/g, '').split(' OR ')
  if (!choices.some((one) => ALLOWED.includes(one)))
    problems.push(
      `${path}: its licence is ${license ?? 'not told'}, which is not in the list of ${import.meta.filename}`,
    )
}

const { dependencies = {} } = packages['packages/socktools']
for (const name of Object.keys(dependencies))
  problems.push(`packages/socktools: ${name} is a dependency at run time`)

const { stdout } = spawnSync('npm', ['audit', '--omit=dev', '--json'], { encoding: 'utf8', timeout: 60_000 })
const { vulnerabilities } = parsed(stdout)
if (vulnerabilities === undefined)
  console.log('skipped: the registry answers no audit, so known holes were not looked up')
for (const [name, { severity, range }] of Object.entries(vulnerabilities ?? {}))
  problems.push(`${name} ${range}: a known hole, ${severity}`)

for (const problem of problems) console.log(problem)
process.exitCode = problems.length > 0 ? 1 : 0

function parsed(text) {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}
