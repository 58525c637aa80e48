/* Pins 20 addresses in a file that others use as well. */
import { firstUse, Identity } from '../../../src/index.ts'

const [path = '', tag = ''] = process.argv.slice(2)
const trust = await firstUse(path)
const { id } = Identity.generate()
process.stdout.write('"ready"\n')
await new Promise((resolve) => process.stdin.once('data', resolve))
for (let port = 1; port <= 20; port++) {
  const address = `tcp://host${tag}:${port}`
  const error = await trust.judge({ id, proof: { by: 'tls', id }, address, dialed: true, named: false })
  if (error !== undefined) throw error
}
process.stdout.write('"done"\n')
process.stdin.pause()
