import { randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import type { DiskLock } from './disk.ts'

/**
 * The lock of a directory is the file `lock.N` with the highest N: it names a process and when that began, since
 * numbers of processes come again. Whoever wants the lock makes the next number, in one step and with its text in it,
 * so that of two who find a dead owner one fails. The highest is never removed, or the numbers could start anew under
 * the feet of somebody who has read them: to give the lock back is to write that nobody has it.
 *
 * A store on a full disk has to be opened, too, or nothing would ever leave it. So whatever is needed then is written over
 * what is there: to give the lock back, a few bytes of its file; to claim it, SPARE, which is the lock before this one.
 *
 * It holds among the processes that see each other: those of one machine and, with containers, of one of them.
 */
const NAME = /^lock\.(\d{1,15})$/
const FREE = 'free\n'
const SPARE = 'claim.spare'

export async function lockDirectory(path: string): Promise<DiskLock> {
  const claim = join(path, `lock-claim.${process.pid}.${randomBytes(6).toString('hex')}`)
  const text = `${process.pid} ${(await startOf(process.pid)) ?? ''}\n`
  let fromSpare = false
  try {
    if (!(await written(claim, text))) {
      // One of several gets it.
      await fs.rename(join(path, SPARE), claim).catch(() => {
        throw Object.assign(new Error('there is no room for a lock'), { code: 'ENOSPC' })
      })
      fromSpare = true
      await writeOver(claim, text, true)
    }
    const lock = await take(path, claim, text)
    fromSpare = false
    return lock
  } finally {
    if (fromSpare) await fs.rename(claim, join(path, SPARE))
    else await fs.rm(claim, { force: true })
  }
}

/** Makes a file; false: there is no room. */
async function written(path: string, text: string): Promise<boolean> {
  try {
    await fs.writeFile(path, text, { flag: 'wx' })
    return true
  } catch (error) {
    await fs.rm(path, { force: true })
    if (codeOf(error) === 'ENOSPC' || codeOf(error) === 'EDQUOT') return false
    throw error
  }
}

/** The first bytes of a file, in one step; `whole`: what was behind them goes. Takes no space. */
async function writeOver(path: string, text: string, whole = false): Promise<void> {
  const file = await fs.open(path, 'r+')
  try {
    const { bytesWritten } = await file.write(text, 0)
    if (whole) await file.truncate(bytesWritten)
  } finally {
    await file.close()
  }
}

async function take(path: string, claim: string, text: string): Promise<DiskLock> {
  for (;;) {
    const highest = (await numbers(path)).at(-1) ?? 0
    const holder = highest === 0 ? undefined : await holderOf(join(path, `lock.${highest}`))
    if (holder !== undefined) throw locked(holder)
    const own = join(path, `lock.${highest + 1}`)
    try {
      await fs.link(claim, own)
    } catch (error) {
      if (codeOf(error) === 'EEXIST') continue
      throw error
    }
    const now = await numbers(path)
    if (now.at(-1) !== highest + 1) {
      // What we had read was old: somebody has made higher ones since.
      await fs.rm(own, { force: true })
      continue
    }
    await keepSpare(path, claim, text, now.slice(0, -1))
    // Whoever reads it sees a number of a process, or not: what is behind these bytes does not matter then.
    return { release: () => writeOver(own, FREE) }
  }
}

/** Of the locks before ours one is kept; the very first has none before it. */
async function keepSpare(
  path: string,
  claim: string,
  text: string,
  before: readonly number[],
): Promise<void> {
  const spare = join(path, SPARE)
  for (const number of before) {
    await fs.rename(join(path, `lock.${number}`), spare).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw error
    })
  }
  const made = `${claim}.spare`
  if (before.length === 0 && (await written(made, text))) await fs.rename(made, spare)
}

async function numbers(path: string): Promise<number[]> {
  const found = (await fs.readdir(path)).flatMap((name) => {
    const [, number] = NAME.exec(name) ?? []
    return number === undefined ? [] : [Number(number)]
  })
  return found.sort((a, b) => a - b)
}

/** The process that has this lock, or undefined: it was given back, its owner is gone, or it is no more. */
async function holderOf(file: string): Promise<number | undefined> {
  const text = await fs.readFile(file, 'utf8').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return FREE
    throw error
  })
  const [, pid, start] = /^(\d+) (.*)\n$/.exec(text) ?? []
  if (pid === undefined || !isAlive(Number(pid))) return undefined
  const began = await startOf(Number(pid))
  // Where the system does not tell, the number alone has to do.
  return began === undefined || start === '' || began === start ? Number(pid) : undefined
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM' // it lives, and belongs to somebody else
  }
}

/** When a process began: the boot, and the ticks since then. Undefined where there is no /proc, or no such process. */
async function startOf(pid: number): Promise<string | undefined> {
  try {
    const stat = await fs.readFile(`/proc/${pid}/stat`, 'utf8')
    // The name of the program comes before, in parentheses, and may hold anything.
    const [state = '', ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const ticks = rest[18]
    // It has ended, and its parent has not looked yet.
    if ('ZX'.includes(state)) return 'over'
    const boot = await fs.readFile('/proc/sys/kernel/random/boot_id', 'utf8')
    return ticks === undefined ? undefined : `${boot.trim()} ${ticks}`
  } catch {
    return undefined
  }
}

const codeOf = (error: unknown): unknown => (error as { code?: unknown } | null)?.code

const locked = (pid: number): Error =>
  Object.assign(new Error(`process ${pid} has the lock`), { code: 'ELOCKED' })
