// A run's figures as a table to read, as Markdown for the README, and as one JSON line.
import { cpus, loadavg } from 'node:os'
import { summarise } from './goals.mjs'

/** @typedef {Record<string, Record<string, (number | undefined)[]>>} Figures  by measure, contender and round */
/** @typedef {ReturnType<typeof import('./goals.mjs').judgeAll>} Verdicts */
/** @typedef {{ name: string, unit: string }[]} Measures */

/** What the figures depend on; no names of machines. `load`: how many cores were busy in the minute before. */
export function machine() {
  const [cpu] = cpus()
  return {
    cpu: cpu?.model.trim() ?? 'unknown',
    cores: cpus().length,
    node: process.version,
    os: process.platform,
    load: Number(loadavg()[0].toFixed(1)),
  }
}

/** @param {number} value */
export function short(value) {
  if (value >= 999_500) return `${(value / 1e6).toPrecision(3)} M`
  if (value >= 999.5) return `${(value / 1e3).toPrecision(3)} k`
  return value.toPrecision(3)
}

/** @param {(number | undefined)[]} rounds */
const valid = (rounds) =>
  rounds.filter((value) => value !== undefined).map((value) => Number(value.toPrecision(5)))

/**
 * One row per contender of each measure.
 * @param {Figures} figures
 * @param {Measures} measures
 */
export function rates(figures, measures) {
  return measures.flatMap(({ name: workload, unit }) =>
    Object.entries(figures[workload] ?? {}).flatMap(([contender, rounds]) => {
      const values = valid(rounds)
      if (values.length === 0) return []
      return [{ workload, contender, unit, ...summarise(values), values }]
    }),
  )
}

/** @type {(verdict: Verdicts[number]) => string} */
function condition({ rival, goal, sense, unit }) {
  return `${sense} ${goal}${unit === 'x' ? 'x' : ` ${unit}`}${rival === null ? '' : ` ${rival}`}`
}

/** @type {(met: Verdicts[number]['met']) => string} */
const verdictText = (met) => (met === true ? 'met' : met === false ? 'NOT met' : met)

/**
 * @param {Figures} figures
 * @param {Measures} measures
 * @param {Verdicts} verdicts
 */
export function table(figures, measures, verdicts) {
  const figureRows = rates(figures, measures).map(({ workload, contender, unit, median, low, high }) => [
    workload,
    contender,
    `${short(median)} ${unit}`,
    `${short(low)} to ${short(high)}`,
  ])
  const goalRows = verdicts.map((verdict) => [
    verdict.workload,
    condition(verdict),
    `${verdict.measured.toPrecision(3)}`,
    `${verdict.low.toPrecision(3)} to ${verdict.high.toPrecision(3)}`,
    verdictText(verdict.met),
  ])
  const parts = [align([['workload', 'contender', 'median', 'quartiles'], ...figureRows])]
  if (goalRows.length > 0) parts.push(align([['workload', 'goal', 'measured', 'quartiles', ''], ...goalRows]))
  return parts.join('\n\n')
}

/** @param {string[][]} rows */
function align(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/**
 * One table: a row per measure, a column per contender, the goals at its end.
 * @param {Figures} figures
 * @param {Measures} measures
 * @param {Verdicts} verdicts
 */
export function markdown(figures, measures, verdicts) {
  const shown = measures.filter(({ name }) => figures[name])
  const names = [...new Set(shown.flatMap(({ name }) => Object.keys(figures[name])))]
  const head = ['workload', 'unit', ...names, 'goals']
  const rows = shown.map(({ name, unit }) => [
    name,
    unit,
    ...names.map((contender) => {
      const values = valid(figures[name][contender] ?? [])
      return values.length > 0 ? short(summarise(values).median) : ''
    }),
    verdicts
      .filter(({ workload }) => workload === name)
      .map(
        (verdict) =>
          `${verdict.measured.toPrecision(3)} (${condition(verdict)}): ${verdictText(verdict.met)}`,
      )
      .join('; '),
  ])
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
}
