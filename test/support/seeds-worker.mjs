/** A worker of scripts/seeds.mjs whose seeds end as their number says. */
import { jobOf } from '../../scripts/seeds.mjs'

const { from, to, step } = jobOf(process.argv)
for (let seed = from; seed < to; seed += step) {
  if (seed % 10 === 3) for (;;);
  if (seed % 10 === 6) {
    console.error('out of memory, say')
    process.exit(7)
  }
  if (seed % 10 === 8) {
    process.send({ patience: 60_000 })
    await new Promise((resolve) => setTimeout(resolve, 2 * Number(process.argv.at(-1))))
  }
  process.send({ seed, square: seed ** 2 })
}
process.disconnect()
