import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import fs from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { fail } from '../errors.ts'

/** More than any file of these has. */
const MAX_SIZE = 1024 * 1024
const OTHERS = 0o077
const WRITABLE = 0o022
const STICKY = 0o1000
const hasModes = process.platform !== 'win32'
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
    const { mode, uid, size } = await file.stat()
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) return fail('UNSAFE_FILE', `${path} is no file`)
    if (hasModes && (mode & OTHERS) !== 0)
      return fail('UNSAFE_FILE', `${path} can be used by others: chmod 600 ${path}`)
    if (hasModes && uid !== process.getuid?.()) return fail('UNSAFE_FILE', `${path} belongs to another user`)
    if (size > MAX_SIZE) return fail('UNSAFE_FILE', `${path} has ${size} bytes`)
    await needOwnDirectory(path)
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

/** Whoever can write a directory, without its sticky bit, can put another file in the place of ours. */
async function needOwnDirectory(path: string): Promise<void> {
  if (!hasModes) return
  const directory = dirname(resolve(path))
  const { mode } = await fs.stat(directory)
  if ((mode & WRITABLE) !== 0 && (mode & STICKY) === 0)
    fail('UNSAFE_FILE', `others can write in ${directory}: chmod go-w ${directory}`)
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

/** Runs `fn` when all that this process has begun with this file is through: what reads it and writes it again is one step. */
export function inTurn<T>(path: string, fn: () => Promise<T>): Promise<T> {
  const key = resolve(path)
  const done = (turns.get(key) ?? Promise.resolve()).then(fn)
  const over = done
    .catch(() => undefined)
    .then(() => {
      if (turns.get(key) === over) turns.delete(key)
    })
  turns.set(key, over)
  return done
}

/** The same, in the place of one that may be there. */
export async function replaceSecret(path: string, text: string): Promise<void> {
  await withDraft(path, text, async (draft) => fs.rename(draft, path))
}

async function withDraft<T>(path: string, text: string, use: (draft: string) => Promise<T>): Promise<T> {
  const directory = dirname(resolve(path))
  await fs.mkdir(directory, { recursive: true, mode: 0o700 })
  await needOwnDirectory(path)
  const draft = join(directory, `.draft.${process.pid}.${randomBytes(6).toString('hex')}`)
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
