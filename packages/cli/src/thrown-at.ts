import { spawnSync } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { dirname, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** `chat.ts:12:9`: the line of the project of `file` where this was thrown; undefined: it does not tell. */
export function thrownAt(thrown: unknown, file: string): string | undefined {
  const project = dirname(realpathSync(file)) + sep
  for (const line of stackOf(thrown).split('\n')) {
    const frame = /^ +at (?:.*\()?((?:file:\/\/|\/|[A-Z]:\\).+?):(\d+):(\d+)\)?$/.exec(line)
    if (frame === null) continue
    const [, where = '', row, column] = frame
    const path = where.startsWith('file://') ? fileURLToPath(where.replace(/\?.*$/, '')) : where
    if (!path.startsWith(project) || path.includes(`${sep}node_modules${sep}`)) continue
    return `${shown(path)}:${row}:${column}`
  }
  return undefined
}

/** The same for JavaScript that cannot be parsed: of that the stack tells nothing, and Node itself only when it dies of it. */
export function unparsedAt(file: string): string | undefined {
  const { stderr } = spawnSync(process.execPath, ['--check', file], { encoding: 'utf8', timeout: 10_000 })
  const [, row] = /^.+:(\d+)\n/.exec(stderr) ?? []
  return row === undefined ? undefined : `${shown(file)}:${row}`
}

function stackOf(thrown: unknown): string {
  const { stack } = (thrown ?? {}) as { stack?: unknown }
  return typeof stack === 'string' ? stack : ''
}

function shown(path: string): string {
  const short = relative(process.cwd(), path)
  return short.startsWith('..') ? path : short
}
