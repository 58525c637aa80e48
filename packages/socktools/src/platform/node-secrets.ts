import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import fs from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fail } from '../errors.ts'
import type { DiskLock } from './disk.ts'
import { lockDirectory } from './node-lock.ts'
import { hasModes, needOwnFolders } from './node-owned.ts'

/** More than any file of these has. */
const MAX_SIZE = 1024 * 1024
const OTHERS = 0o077
const DRAFT = '.draft.'
/** No links, and no waiting for whoever writes into a named pipe. */
const FLAGS = constants.O_RDONLY | (hasModes ? constants.O_NOFOLLOW | constants.O_NONBLOCK : 0)

/**
 * The content of a file that is for its owner alone; undefined: there is none. Throws UNSAFE_FILE where others can read it or
 * put another in its place, and for a link.
 */
export async function readSecret(path: string): Promise<string | undefined> {
  let file: fs.FileHandle
  try {
    file = await fs.open(path, FLAGS)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    if (code === 'ELOOP' || code === 'EMLINK') return fail('UNSAFE_FILE', `${path} is a link`)
    throw error
  }
  try {
    // Of what is open, not of what has that name by now.
    const { mode, uid, size, ino } = await file.stat()
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) return fail('UNSAFE_FILE', `${path} is no file`)
    if (hasModes && (mode & OTHERS) !== 0)
      return fail('UNSAFE_FILE', `${path} can be used by others: chmod 600 ${path}`)
    if (hasModes && uid !== process.getuid?.()) return fail('UNSAFE_FILE', `${path} belongs to another user`)
    if (size > MAX_SIZE) return fail('UNSAFE_FILE', `${path} has ${size} bytes`)
    await needOwnFolders(path)
    // In this order: a draft goes, and none comes.
    const drafts = await draftsOf(path, ino)
    if (hasModes && (await file.stat()).nlink > 1 + drafts)
      return fail(
        'UNSAFE_FILE',
        `${path} has another name elsewhere (a hard link): copy it, and use the copy`,
      )
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

/** How many drafts are this very file: one, while it is made, or where a process ended in the middle of that. */
async function draftsOf(path: string, ino: number): Promise<number> {
  const directory = dirname(path)
  const names = (await fs.readdir(directory)).filter((name) => name.startsWith(DRAFT))
  const drafts = await Promise.all(
    names.map((name) => fs.lstat(join(directory, name)).catch(() => undefined)),
  )
  return drafts.filter((draft) => draft?.ino === ino).length
}

/** Makes a file that is for its owner alone, whole or not at all. False: there is one already, which stays. */
export async function createSecret(path: string, text: string): Promise<boolean> {
  return withDraft(path, text, async (draft) => {
    try {
      // Unlike a rename it does not replace; nor does it follow a link.
      await fs.link(draft, path)
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
      throw error
    } finally {
      await fs.rm(draft, { force: true })
    }
  })
}

/** What is done with each file now. */
const turns = new Map<string, Promise<unknown>>()

/** How long another process may keep us from a file, in milliseconds: it needs some. */
const PATIENCE = 10_000

/**
 * Runs `fn` when all that this process has begun with this file is through, and while no other process of this machine is here: what
 * reads the file and writes it again is one step. The lock is the folder `path`.lock.
 */
export function inTurn<T>(path: string, fn: () => Promise<T>): Promise<T> {
  const key = resolve(path)
  const done = (turns.get(key) ?? Promise.resolve()).then(async () => {
    const lock = await lockOf(`${path}.lock`)
    try {
      return await fn()
    } finally {
      await lock.release()
    }
  })
  const over = done
    .catch(() => undefined)
    .then(() => {
      if (turns.get(key) === over) turns.delete(key)
    })
  turns.set(key, over)
  return done
}

async function lockOf(folder: string): Promise<DiskLock> {
  const inside = join(folder, 'lock')
  await needOwnFolders(inside)
  await fs.mkdir(folder, { recursive: true, mode: 0o700 })
  await needOwnFolders(inside)
  const until = performance.now() + PATIENCE
  for (;;) {
    try {
      return await lockDirectory(folder)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ELOCKED' || performance.now() > until) throw error
      await sleep(5)
    }
  }
}

/** The same, in the place of one that may be there. */
export async function replaceSecret(path: string, text: string): Promise<void> {
  await withDraft(path, text, async (draft) => fs.rename(draft, path))
}

async function withDraft<T>(path: string, text: string, use: (draft: string) => Promise<T>): Promise<T> {
  const directory = dirname(path)
  // Before, so that nothing is made there; and after, of what was made.
  await needOwnFolders(path)
  await fs.mkdir(directory, { recursive: true, mode: 0o700 })
  await needOwnFolders(path)
  const draft = join(directory, `${DRAFT}${process.pid}.${randomBytes(6).toString('hex')}`)
  const file = await fs.open(draft, 'wx', 0o600)
  try {
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    const done = await use(draft)
    await syncDirectory(directory)
    return done
  } catch (error) {
    await fs.rm(draft, { force: true })
    throw error
  }
}

async function syncDirectory(path: string): Promise<void> {
  if (!hasModes) return
  const handle = await fs.open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
