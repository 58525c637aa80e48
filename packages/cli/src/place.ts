import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** A file of this package. This module and what is built of it both lie one folder below its root. */
export const packageFile = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url))

export function version(): string {
  const { version } = JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as { version: string }
  return version
}
