import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { packageFile } from '../place.ts'
import type { Report, Result } from './plan.ts'

/** A file to run, and what comes before the plan in its arguments. */
export type Program = readonly [file: string, ...args: string[]]

/** A process of the demo. */
export class Party<R = Result> {
  readonly name: string
  /** Where it listens. Rejects if it ends before it says so. */
  readonly listening: Promise<string>
  /** Resolves when it has ended; rejects if that was a failure. */
  readonly ended: Promise<void>
  killed = false
  readonly #child: ChildProcess

  constructor(plan: { readonly name: string }, [file, ...args]: Program, onResult: (result: R) => void) {
    this.name = plan.name
    const child = spawn(file, [...args, JSON.stringify(plan)], { stdio: 'pipe' })
    this.#child = child
    let complaint = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(-500)
    })
    child.stdin.on('error', () => undefined)
    this.ended = new Promise((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (code, signal) => {
        const how = signal ?? `code ${code ?? '?'}`
        if (code === 0) resolve()
        else
          reject(new Error([`${plan.name} ended with ${how}`, complaint.trim()].filter(Boolean).join(': ')))
      })
    })
    this.listening = new Promise((resolve, reject) => {
      this.ended.then(() => reject(new Error(`${plan.name} ended too early`)), reject)
      createInterface({ input: child.stdout }).on('line', (line) => {
        const report = JSON.parse(line) as Report<R>
        if ('listening' in report) resolve(report.listening)
        else if ('result' in report) onResult(report.result)
      })
    })
    // Whether they are waited for depends on what fails first.
    this.ended.catch(() => undefined)
    this.listening.catch(() => undefined)
  }

  /** One line on its stdin. */
  tell(word: string | number): void {
    this.#child.stdin?.write(`${word}\n`)
  }

  kill(): void {
    this.killed = true
    this.#child.kill('SIGKILL')
  }
}

/** This program again. */
export const self = (command: string): Program => [process.execPath, packageFile('dist/main.js'), command]

/** The party in Python, or undefined where there is none that could run it. */
export function python(): Program | undefined {
  const { status } = spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 8))'])
  return status === 0 ? inPython('demo.py') : undefined
}

/** The peer of wire v1 in Python, where there is a Python. */
export const pythonPeer = (): Program => inPython('peer.py')

/** -B: leaves no files in our package. */
const inPython = (file: string): Program => ['python3', '-B', packageFile(`dist/python/${file}`)]
