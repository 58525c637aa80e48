// The goals, and how a run is judged by them. Pure: numbers in, verdicts out.

/**
 * @typedef {object} Goal
 * @property {string} workload  as a measure is named in workloads.mjs
 * @property {string | null} rival  ours is divided by its figure; null: the figure itself counts
 * @property {number} goal
 * @property {'at least' | 'at most'} [sense]  absent: at least
 * @property {string} [unit]  absent: times the rival
 */

/** @type {Goal[]} */
export const goals = [
  { workload: '64B', rival: 'C', goal: 0.18 },
  { workload: '64B', rival: 'ws', goal: 25 },
  { workload: '64B', rival: 'zeromq', goal: 30 },
  { workload: '64B', rival: 'nats', goal: 15 },
  { workload: 'awaited', rival: 'ws', goal: 8 },
  { workload: '1KiB', rival: 'C', goal: 0.55 },
  { workload: '1KiB', rival: 'ws', goal: 8 },
  { workload: '64KiB', rival: 'C', goal: 0.5 },
  { workload: '64KiB', rival: 'ws', goal: 1.8 },
  { workload: '1MiB', rival: 'C', goal: 0.42 },
  { workload: '1MiB', rival: 'ws', goal: 1.3 },
  { workload: 'broadcast-1', rival: 'C', goal: 0.75 },
  { workload: 'broadcast-16', rival: 'C', goal: 0.7 },
  { workload: 'one-per-turn', rival: 'net single write', goal: 0.9 },
  { workload: 'idle-memory', rival: null, goal: 8, sense: 'at most', unit: 'KB' },
  { workload: 'set-up', rival: 'ws', goal: 2.5 },
  { workload: '64B-typed', rival: 'ws', goal: 2 },
  { workload: '64B-typed', rival: 'sessions off', goal: 0.7 },
  { workload: 'call-1-p50', rival: 'C', goal: 1.2, sense: 'at most' },
  { workload: 'call-1-p99', rival: 'C', goal: 1.6, sense: 'at most' },
  { workload: 'call-1-p99', rival: 'ws', goal: 1, sense: 'at most' },
  { workload: 'call-128', rival: 'C', goal: 0.42 },
  { workload: 'call-128', rival: 'ws', goal: 3.5 },
  { workload: 'call-128-typed', rival: 'ws', goal: 2 },
  { workload: 'beside-feed', rival: null, goal: 5, sense: 'at most', unit: 'x idle' },
  { workload: '64B-tls', rival: 'secret-stream', goal: 20 },
  { workload: '64KiB-tls', rival: 'secret-stream', goal: 1.25 },
  // One of the two will do: which it is depends on the disk.
  { workload: 'durable', rival: 'bare append', goal: 0.6 },
  { workload: 'durable', rival: null, goal: 50_000, unit: 'msg/s' },
]

/** Whom the goals speak of. */
export const OURS = 'socktools'

/**
 * The value below which a share of the sorted values lies, interpolated.
 * @param {number[]} values
 * @param {number} share  0 to 1
 */
export function quantile(values, share) {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const below = Math.floor(at)
  const above = Math.ceil(at)
  return sorted[below] + (sorted[above] - sorted[below]) * (at - below)
}

/**
 * The middle of the rounds, and the quartiles as their spread.
 * @param {number[]} values
 */
export function summarise(values) {
  const [low, median, high] = [0.25, 0.5, 0.75].map((share) => Number(quantile(values, share).toPrecision(5)))
  return { median, low, high, rounds: values.length }
}

/**
 * `met` is true when the median of the rounds reaches the goal. When it does not, but the better quarter of the
 * rounds does, the run cannot tell: "within noise". Otherwise false.
 * @param {number[]} measured  one figure or ratio per round
 * @param {number} goal
 * @param {Goal['sense']} sense
 * @returns {boolean | 'within noise'}
 */
export function judge(measured, goal, sense = 'at least') {
  const { median, low, high } = summarise(measured)
  if (sense === 'at least') return median >= goal || (high >= goal && 'within noise')
  return median <= goal || (low <= goal && 'within noise')
}

/**
 * Ours divided by the rival's, round by round, so that what slowed both in a round cancels out. Rounds in which one
 * of the two failed are left out.
 * @param {(number | undefined)[]} ours
 * @param {(number | undefined)[]} rivals
 */
export function ratios(ours, rivals) {
  return ours.flatMap((value, round) => {
    const other = rivals[round]
    return value === undefined || other === undefined ? [] : [value / other]
  })
}

/**
 * The verdict on every goal whose workload and rival were measured.
 * @param {Record<string, Record<string, (number | undefined)[]>>} figures  by measure, contender and round
 */
export function judgeAll(figures) {
  return goals.flatMap(({ workload, rival, goal, sense, unit = 'x' }) => {
    const ours = figures[workload]?.[OURS] ?? []
    const rivals = rival === null ? ours.map(() => 1) : (figures[workload]?.[rival] ?? [])
    const measured = ratios(ours, rivals)
    if (measured.length === 0) return []
    const { median, low, high } = summarise(measured)
    const met = judge(measured, goal, sense)
    return [{ workload, rival, goal, measured: median, met, low, high, unit, sense: sense ?? 'at least' }]
  })
}
