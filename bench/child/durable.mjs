// Messages made durable, so many waiting for the disk at once: the rate at which they are accepted.
//
//   node durable.mjs socktools|store|'bare append' JOB
import { Buffer } from 'node:buffer'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { openLog } from '../contenders/append.mjs'
import { openPost } from '../contenders/post.mjs'
import { openStore } from '../contenders/store.mjs'
import { print } from './control.mjs'

const [name, jobText] = process.argv.slice(2)
/** @type {import('../workloads.mjs').Job} */
const { size, fill, inFlight, warmMs, measureMs } = JSON.parse(jobText)

// Beside the bench, not in a folder for temporary files: that may be memory.
const build = fileURLToPath(new URL('../build/', import.meta.url))
mkdirSync(build, { recursive: true })
const directory = mkdtempSync(`${build}durable-`)
process.on('exit', () => rmSync(directory, { recursive: true, force: true }))

const opened = { socktools: openPost, store: openStore, 'bare append': openLog }
const log = await opened[/** @type {keyof typeof opened} */ (name)](directory)
const payload = Buffer.alloc(size, fill)
const from = performance.now() + warmMs
const until = from + measureMs
let sent = 0
let first = 0
let last = 0
let before = 0
let counted = 0
// They come in batches: the window begins and ends with one.
const ask = async () => {
  for (let now = 0; now < until; ) {
    sent++
    await log.append(payload)
    now = performance.now()
    if (now < from) continue
    if (first === 0) first = now
    if (now - first < 1) before++
    else {
      counted++
      last = now
    }
  }
}
await Promise.all(Array.from({ length: inFlight }, ask))
const there = await log.count(size)
await log.close()
if (there !== sent) throw new Error(`${there} messages are there of ${sent} accepted`)
if (counted === 0) throw new Error(`no more than ${before} messages were accepted in the window`)
print({ acceptedPerSecond: (counted / (last - first)) * 1000 })
