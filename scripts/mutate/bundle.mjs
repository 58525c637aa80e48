/**
 * node bundle.mjs OUT ROOT TEST …   makes one module of tests and of what they import: a mutant then costs a start of
 *                                   Node and no more. Run by Stryker, in its copy of the tree, once for each source file.
 *
 * ROOT is the tree that was copied: files that tests read by their place are read there.
 */
import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'

const [outfile, root, ...tests] = process.argv.slice(2)

const places = {
  name: 'places',
  setup({ onLoad }) {
    onLoad({ filter: /\/packages\/socktools\/.*\.ts$/ }, ({ path }) => {
      const url = pathToFileURL(join(root, relative(process.cwd(), path))).href
      const contents = readFileSync(path, 'utf8').replaceAll('import.meta.url', JSON.stringify(url))
      return { contents, loader: 'ts' }
    })
  },
}

await build({
  stdin: {
    contents: [
      // The first case that fails kills a mutant: it need not become smaller. The cases are the same for each mutant.
      `import fc from 'fast-check'`,
      `fc.configureGlobal({ endOnFailure: true, seed: 1 })`,
      ...tests.map((test) => `await import('./packages/socktools/test/${test}')`),
    ].join('\n'),
    resolveDir: process.cwd(),
  },
  outfile,
  bundle: true,
  // The library says that its modules have no side effects; its tests are nothing else.
  ignoreAnnotations: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  packages: 'external',
  logLevel: 'error',
  plugins: [places],
})
