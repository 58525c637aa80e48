/** npm run build: the library, then the command line that imports it. Quiet unless something is wrong. */
import { resolve } from 'node:path'
import { build } from 'tsdown'

for (const name of ['socktools', 'cli']) {
  await build({
    cwd: resolve(import.meta.dirname, '../packages', name),
    logLevel: 'warn',
    failOnWarn: true,
    // How long a plugin takes says nothing about what was built.
    checks: { pluginTimings: false },
  })
}
