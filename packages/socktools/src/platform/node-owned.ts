import { constants } from 'node:fs'
import fs from 'node:fs/promises'
import { dirname, isAbsolute, join, parse } from 'node:path'
import process from 'node:process'
import { fail } from '../errors.ts'

const WRITABLE = 0o022
const STICKY = 0o1000
/** As many as Linux follows. */
const MAX_LINKS = 40

/** Windows has neither modes nor owners as these. */
export const hasModes = process.platform !== 'win32'

/** We ourselves, or who can do everything anyway. */
export const isOurs = (uid: number): boolean => uid === process.getuid?.() || uid === 0

/**
 * Throws UNSAFE_FILE where others could put another file in the place of this one: whoever can write a folder on the way to it, or owns
 * one, can exchange all that is below. In one with a sticky bit, as /tmp, all can exchange what is their own, which the next on the
 * way must not be. Links to folders are followed, and are on the way themselves. What is not there yet is nobody's.
 */
export async function needOwnFolders(path: string): Promise<void> {
  if (!hasModes) return
  // Not resolve(): where a link is on the way, "..", as the system reads it, leads elsewhere.
  const folder = dirname(isAbsolute(path) ? path : `${process.cwd()}/${path}`)
  let at = parse(folder).root
  const names = [...namesOf(folder)]
  let links = 0
  await needOwn(at)
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    const next = join(at, name)
    const is = await needOwn(next)
    if (is === 'missing') return
    if (is === 'folder') at = next
    else {
      if (++links > MAX_LINKS) fail('UNSAFE_FILE', `${path} leads over more than ${MAX_LINKS} links`)
      const to = await fs.readlink(next)
      if (isAbsolute(to)) at = parse(to).root
      names.unshift(...namesOf(to))
    }
  }
}

const namesOf = (path: string): string[] => path.split('/').filter((name) => name !== '' && name !== '.')

async function needOwn(folder: string): Promise<'folder' | 'link' | 'missing'> {
  const found = await fs.lstat(folder).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  })
  if (found === undefined) return 'missing'
  const { mode, uid } = found
  if (!isOurs(uid))
    fail('UNSAFE_FILE', `${folder} belongs to another user, who can put another file in the place of ours`)
  // A link has no mode of its own.
  if ((mode & constants.S_IFMT) === constants.S_IFLNK) return 'link'
  if ((mode & WRITABLE) !== 0 && (mode & STICKY) === 0)
    fail('UNSAFE_FILE', `others can write in ${folder}: chmod go-w ${folder}`)
  return 'folder'
}
