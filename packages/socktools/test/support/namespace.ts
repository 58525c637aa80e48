/** Commands of Linux that run what comes behind them in a namespace of its own: root there, and nothing elsewhere. */
import { spawnSync } from 'node:child_process'

/** Mounts and devices of this process alone. */
export const alone = (kinds: '-rm' | '-rn', setup: string): readonly string[] => [
  ...['unshare', kinds, 'sh', '-ec', `${setup}\nexec "$@"`, 'sh'],
]

/** Why this machine cannot do so; undefined: it can. */
export function cannot(command: readonly string[]): string | undefined {
  const [file = '', ...args] = command
  const { status, error, stderr } = spawnSync(file, [...args, 'true'], { encoding: 'utf8' })
  if (status === 0) return undefined
  return `not on this machine: ${(error?.message ?? stderr.trim()) || `${file} failed`}`
}
