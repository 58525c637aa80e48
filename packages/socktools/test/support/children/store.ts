/**
 * A process that appends for ever, and says which n it was told: killed at some moment, these have to be there. Its
 * second argument is a number to begin its payloads with, or `lock`: it then opens the store alone, says so, and stays.
 */
import { Store } from '../../../src/store/index.ts'
import { content } from '../store.ts'
import { say } from './say.ts'

const [directory = '', first = ''] = process.argv.slice(2)
try {
  const store = await Store.open(directory, { segmentBytes: 64 * 1024 })
  if (first === 'lock') {
    say('open')
    process.stdin.on('data', () => void store.close())
  } else {
    let serial = Number(first)
    say('ready')
    const work = async (): Promise<void> => {
      for (;;) {
        const own = serial++
        const { type, payload } = content(own, own % 400)
        const n = await store.append('far', type, payload)
        say({ n, serial: own })
        if (n % 3 === 0) {
          await store.settle('far', n, 'delivered')
          say({ settled: n })
        }
      }
    }
    await Promise.all(Array.from({ length: 20 }, work))
  }
} catch (error) {
  say((error as { code?: string }).code)
}
