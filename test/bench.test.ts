/**
 * The benchmark's decisions: what counts as met, how rounds are paired, and in which order they run. The
 * measuring itself is never a test.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { contenders } from '../bench/contenders/index.mjs'
import { goals, judge, judgeAll, quantile, ratios, summarise } from '../bench/goals.mjs'
import { jobOf, plans, scheduleRound, workloads } from '../bench/workloads.mjs'

describe('a goal that is a lower limit', () => {
  test('is met when the median reaches it, exactly too', () => {
    assert.equal(judge([0.1, 0.2, 0.3], 0.2), true)
    assert.equal(judge([0.2, 0.2, 0.2, 0.2, 0.2], 0.2), true)
  })

  test('is within noise when only the better quarter of the rounds reaches it', () => {
    assert.equal(judge([0.1, 0.15, 0.19, 0.21, 0.3], 0.2), 'within noise')
  })

  test('is not met when even the better quarter misses it, one lucky round notwithstanding', () => {
    assert.equal(judge([0.1, 0.1, 0.1, 0.11, 5], 0.2), false)
  })
})

describe('a goal that is an upper limit', () => {
  test('is judged the other way round', () => {
    assert.equal(judge([7, 8, 20], 8, 'at most'), true)
    assert.equal(judge([7, 7.5, 9, 10, 11], 8, 'at most'), 'within noise')
    assert.equal(judge([1, 9, 9, 9, 9], 8, 'at most'), false)
  })
})

describe('the spread of the rounds', () => {
  test('is told as median and quartiles, whatever their order', () => {
    assert.deepEqual(summarise([5, 1, 3, 2, 4]), { median: 3, low: 2, high: 4, rounds: 5 })
  })

  test('is interpolated between two rounds', () => {
    assert.equal(quantile([1, 2], 0.5), 1.5)
    assert.equal(quantile([7], 0.25), 7)
  })
})

describe('a ratio', () => {
  test('pairs the two sides round by round', () => {
    assert.deepEqual(ratios([10, 40], [5, 8]), [2, 5])
  })

  test('leaves out a round in which one side failed', () => {
    assert.deepEqual(ratios([10, undefined, 30], [5, 5, undefined]), [2])
  })
})

describe('the verdicts', () => {
  test('are the median of the ratios, not the ratio of the medians', () => {
    const [verdict] = judgeAll({ awaited: { socktools: [8, 100, 900], ws: [1, 10, 100] } })
    assert.equal(verdict?.measured, 9)
    assert.equal(verdict.met, true)
    assert.deepEqual([verdict.workload, verdict.rival, verdict.goal], ['awaited', 'ws', 8])
  })

  test('judge a figure itself where there is no rival', () => {
    const [verdict] = judgeAll({ 'idle-memory': { socktools: [5, 6, 7] } })
    assert.deepEqual([verdict?.rival, verdict?.measured, verdict?.met], [null, 6, true])
  })

  test('leave out the goals whose rival was not measured', () => {
    assert.deepEqual(judgeAll({ '64B': { socktools: [1], naive: [1] } }), [])
    assert.deepEqual(judgeAll({}), [])
  })

  test('have a measure and a contender behind every goal', () => {
    for (const { workload, rival } of goals) {
      const measured = workloads.find(({ measures }) => measures.some(({ name }) => name === workload))
      assert.ok(measured, workload)
      assert.ok(measured.contenders.includes('socktools'), workload)
      if (rival !== null) assert.ok(measured.contenders.includes(rival), `${workload} ${rival}`)
    }
  })
})

describe('the schedule', () => {
  const two = workloads.slice(0, 2)

  test('runs the contenders of a workload next to each other, in every round', () => {
    const among = (name: string) => ['socktools', 'C', 'ws'].includes(name)
    const order = scheduleRound(two, 0, among).map(
      ({ workload, contender }) => `${workload.name} ${contender}`,
    )
    const expected = ['64B socktools', '64B C', '64B ws', '1KiB socktools', '1KiB C', '1KiB ws']
    assert.deepEqual(order, expected)
  })

  test('drops a workload after its own number of rounds', () => {
    const limited = two.map((workload, i) => (i === 0 ? { ...workload, rounds: 2 } : workload))
    const names = (round: number) =>
      scheduleRound(limited, round, () => true).map(({ workload }) => workload.name)
    assert.ok(names(1).includes('64B'))
    assert.ok(!names(2).includes('64B'))
    assert.ok(names(2).includes('1KiB'))
  })

  test('keeps a quick run to rounds that take two minutes at the most', () => {
    const trials = workloads.flatMap(({ quick = [] }) => quick).length
    const { rounds, warmMs, measureMs, budgetMs } = plans.quick
    assert.equal(rounds, 5)
    assert.equal(measureMs, 400)
    const startingBoth = 200
    assert.ok(trials * rounds * (startingBoth + warmMs + measureMs) < budgetMs)
    assert.ok(budgetMs <= 120_000)
  })

  test('gives both sides of a trial the same job', () => {
    const broadcast = workloads.find(({ name }) => name === 'broadcast-16')
    assert.ok(broadcast)
    const { peers, perTurn, size } = jobOf(broadcast, plans.full)
    assert.deepEqual([peers, perTurn, size], [500, 16, 64])
  })

  test('has a contender behind every name', () => {
    for (const { name, contenders: who, quick = [] } of workloads) {
      for (const contender of [...who, ...quick]) assert.ok(contender in contenders, `${name} ${contender}`)
      for (const contender of quick) assert.ok(who.includes(contender), `${name} ${contender}`)
    }
  })

  test('compares what is encrypted with what is encrypted alone', () => {
    const encrypted = new Set(['socktools', 'secret-stream', 'libp2p'])
    const rivals = new Set(['secret-stream', 'libp2p'])
    let seen = 0
    for (const workload of workloads) {
      const { secure } = jobOf(workload, plans.full)
      if (secure) seen++
      const stray = workload.contenders.filter((name) => (secure ? !encrypted.has(name) : rivals.has(name)))
      assert.deepEqual(stray, [], workload.name)
    }
    assert.ok(seen >= 4)
  })
})
