import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { msg } from '../../src/contract/declare.ts'
import { bytes } from '../../src/schema.ts'
import {
  type Fault,
  type Sim,
  simulate,
  SimulationError,
  type SimulateOptions,
} from '../../src/testing/index.ts'
import { coded } from '../support/coded.ts'

const protocol = { say: msg(bytes()) }

/** Two nodes: the second keeps a connection to the first, which writes down what comes, and when. */
async function pair(
  faults: readonly Fault[],
  work: (
    sim: Sim,
    say: (text: string) => void,
    heard: readonly { readonly at: number; readonly text: string }[],
    ends: readonly string[],
  ) => Promise<void>,
  options: SimulateOptions = {},
): Promise<void> {
  await simulate({ nodes: 2, duration: 60_000, latency: [5, 5], faults, ...options }, async (sim) => {
    const heard: { at: number; text: string }[] = []
    const ends: string[] = []
    const cluster = await sim.boot(async (me) => {
      const sock = me.sock({
        protocol,
        // What breaks is to be seen.
        sessions: false,
        bind: me.machine.address,
        connect: me.node === 1 ? ['tcp://n1:4000'] : [],
        handlers: {
          say: (data) => void heard.push({ at: sim.clock.now(), text: new TextDecoder().decode(data) }),
        },
      })
      sock.on('gone', ({ error }) => ends.push(`${me.name} ${error?.code ?? 'ok'}`))
      await sock.start()
      return sock
    })
    const say = (text: string): void => {
      cluster
        .app(1)
        ?.sendMsg('say', new TextEncoder().encode(text))
        .catch(() => undefined)
    }
    await work(sim, say, heard, ends)
    sim.eventually(
      'they are linked',
      () => cluster.apps.length === 2 && cluster.apps[1]!.knownPeers.length === 1,
    )
  })
}

const until = (sim: Sim, at: number): Promise<void> => sim.sleep(at - sim.clock.now())
const texts = (heard: readonly { text: string }[]): string => heard.map(({ text }) => text).join(' ')

describe('faults', () => {
  test('partition: what is under way waits, and arrives when it is over', () =>
    pair([{ at: 1000, kind: 'partition', nodes: [0, 1], for: 5000 }], async (sim, say, heard, ends) => {
      await until(sim, 900)
      say('before')
      await until(sim, 2000)
      say('within')
      await until(sim, 5900)
      assert.equal(texts(heard), 'before')
      await until(sim, 9000)
      assert.equal(texts(heard), 'before within')
      assert.ok(heard[1]!.at >= 6000)
      assert.deepEqual(ends, [])
    }))

  test('oneWay: the other way stays open', () =>
    pair([{ at: 1000, kind: 'oneWay', nodes: [0, 1], for: 5000 }], async (sim, say, heard) => {
      await until(sim, 2000)
      say('through')
      await until(sim, 3000)
      assert.equal(texts(heard), 'through')
    }))

  test('delay: it takes so much longer', () =>
    pair([{ at: 1000, kind: 'delay', nodes: [1, 0], for: 5000, by: 700 }], async (sim, say, heard) => {
      await until(sim, 2000)
      say('late')
      await until(sim, 4000)
      assert.deepEqual([texts(heard), Math.round(heard[0]!.at)], ['late', 2705])
    }))

  test('split: whole all the same', () =>
    pair([{ at: 0, kind: 'split', nodes: [1, 0], by: 3 }], async (sim, say, heard) => {
      await until(sim, 2000)
      say('a message in many segments')
      await until(sim, 4000)
      assert.equal(texts(heard), 'a message in many segments')
    }))

  test('reset: both sides hear of it, and connect again', () =>
    pair([{ at: 1000, kind: 'reset', nodes: [0, 1] }], async (sim, say, heard, ends) => {
      await until(sim, 5000)
      assert.deepEqual([...ends].sort(), ['n1 PIPE_FAILED', 'n2 PIPE_FAILED'])
      say('again')
      await until(sim, 6000)
      assert.equal(texts(heard), 'again')
    }))

  test('halfOpen: what is written is swallowed, and nobody is told before they look', () =>
    pair([{ at: 1000, kind: 'halfOpen', nodes: [0, 1], for: 50_000 }], async (sim, say, heard, ends) => {
      await until(sim, 2000)
      say('into the void')
      await until(sim, 40_000)
      assert.deepEqual([texts(heard), ends], ['', []])
      await until(sim, 55_000)
      assert.deepEqual([...ends].sort(), ['n1 IDLE_TIMEOUT', 'n2 IDLE_TIMEOUT'])
    }))

  test('stall: nothing is read until it is over', () =>
    pair([{ at: 1000, kind: 'stall', nodes: [0], for: 3000 }], async (sim, say, heard) => {
      await until(sim, 2000)
      say('waits')
      await until(sim, 3900)
      assert.equal(texts(heard), '')
      await until(sim, 4100)
      assert.equal(texts(heard), 'waits')
    }))

  test('freeze: nothing happens in that process, and then all of it', () =>
    pair([{ at: 1000, kind: 'freeze', nodes: [1], for: 3000 }], async (sim, _say, heard) => {
      const { process } = sim.nodes[1]!
      await until(sim, 100)
      const fired: number[] = []
      for (const ms of [400, 1400, 2400]) process!.platform.setTimer(() => fired.push(sim.clock.now()), ms)
      const cancelled = process!.platform.setTimer(() => assert.fail('it was cancelled'), 2000)
      sim.nodes[0]!.process!.platform.setTimer(() => cancelled.cancel(), 3000)
      await until(sim, 5000)
      assert.deepEqual([fired.map(Math.floor), texts(heard)], [[500, 4000, 4000], ''])
    }))

  test('kill: its system ends its connections; it starts again with nothing but its disk', () =>
    pair([{ at: 1000, kind: 'kill', nodes: [0], for: 500 }], async (sim, say, heard, ends) => {
      await until(sim, 1200)
      assert.deepEqual([sim.nodes[0]!.process, ends.length], [undefined, 1])
      await until(sim, 10_000)
      assert.deepEqual([sim.nodes[0]!.process?.life, sim.nodes[0]!.starts], [2, 2])
      say('to the second')
      await until(sim, 11_000)
      assert.equal(texts(heard), 'to the second')
    }))

  test('power: nobody is told; what is written to it once it is back is answered by a reset', () =>
    pair([{ at: 1000, kind: 'power', nodes: [0], for: 5000 }], async (sim, say, heard, ends) => {
      await until(sim, 2000)
      say('swallowed')
      await until(sim, 5900)
      assert.deepEqual(ends, [])
      await until(sim, 8000)
      assert.deepEqual([ends, texts(heard)], [['n2 PIPE_FAILED'], ''])
    }))

  test('refuse: who dials is refused while it holds', () =>
    pair(
      [
        { at: 1000, kind: 'refuse', nodes: [0], for: 3000 },
        { at: 1100, kind: 'reset', nodes: [0, 1] },
      ],
      async (sim) => {
        const failed: string[] = []
        await sim.sleep(500)
        await assert.doesNotReject(dial(sim))
        await until(sim, 2000)
        await dial(sim).catch((error: unknown) => failed.push((error as { code: string }).code))
        assert.deepEqual(failed, ['CONNECT_FAILED'])
        await until(sim, 4500)
        await assert.doesNotReject(dial(sim))
      },
    ))

  const dial = async (sim: Sim): Promise<void> => {
    const [transport] = sim.nodes[1]!.process!.transports
    const pipe = await transport!.dial(new URL('tcp://n1:4000'), {})
    pipe.destroy()
  }

  test('clock: the wall clock jumps, the other does not', () =>
    pair([{ at: 1000, kind: 'clock', nodes: [1], by: -31_536_000_000 }], async (sim) => {
      const { clock } = sim.nodes[1]!.process!
      const [now, wall] = [clock.now(), clock.wall()]
      await until(sim, 2000)
      assert.equal(clock.now(), now + 2000 - (2000 - (clock.now() - now)))
      assert.ok(Math.abs(clock.wall() - wall + 31_536_000_000) <= 2001)
    }))

  test('dial: both dial each other in the same instant', () =>
    pair([{ at: 1000, kind: 'dial', nodes: [0, 1] }], async (sim) => {
      const dials: string[] = []
      sim.onDial = (from, to) => dials.push(`${from.name} ${to.name} ${sim.clock.now()}`)
      await until(sim, 2000)
      assert.deepEqual(dials, ['n1 n2 1000', 'n2 n1 1000'])
    }))
})

describe('a crash', () => {
  const crashed = async (how: 'kill' | 'power', seed = 1): Promise<string[]> => {
    let kept: string[] = []
    await simulate(
      { seed, nodes: 2, duration: 5000, faults: [{ at: 1000, kind: how, nodes: [0], for: 1000 }] },
      async (sim) => {
        await sim.boot(async (me) => {
          const { disk } = me
          if (me.node !== 0) return
          if (me.life === 2) {
            kept = [...(await disk.keys())]
            return
          }
          await disk.write('synced', new Uint8Array(1))
          await disk.sync()
          await disk.write('unsynced', new Uint8Array(1))
          setTimeout(() => assert.fail('a timer of the dead'), 1500)
          // What is left of the dead does nothing.
          void (async () => {
            await sim.sleep(1500)
            void disk.write('by the dead', new Uint8Array(1))
            void disk.sync()
            me.platform.setTimer(() => assert.fail('a timer of the dead'), 1)
            me.platform.defer(() => assert.fail('deferred by the dead'))
            me.note('not in the trace')
          })()
        })
      },
    )
    return kept
  }

  test('kill leaves to the disk what was written, and nothing that the dead still do has any effect', async () => {
    assert.deepEqual(await crashed('kill'), ['synced', 'unsynced'])
  })

  test('power takes of the unsynced what chance will', async () => {
    const seen = new Set<string>()
    for (let seed = 1; seed <= 12; seed++) seen.add((await crashed('power', seed)).join(' '))
    assert.deepEqual([...seen].sort(), ['synced', 'synced unsynced'])
  })
})

describe('simulate', () => {
  const busy = (sim: Sim): Promise<void> =>
    (async () => {
      await sim.boot(async (me) => {
        const others = sim.nodes.filter(({ index }) => index > me.node).map(({ address }) => address)
        const sock = me.sock({
          protocol,
          bind: me.machine.address,
          connect: others,
          handlers: { say: () => undefined },
        })
        await sock.start()
        setInterval(
          () => void sock.sendMsg('say', crypto.getRandomValues(new Uint8Array(20))),
          1000 * Math.random(),
        )
      })
    })()

  test('the same seed gives the same run, another one another', async () => {
    const run = async (seed: number): Promise<string> =>
      (await simulate({ seed, nodes: 4, duration: 60_000 }, busy)).hash
    const hash = await run(5)
    assert.match(hash, /^[0-9a-f]{16}$/)
    assert.equal(await run(5), hash)
    assert.notEqual(await run(6), hash)
  })

  test('its replay line gives the same run', async () => {
    const { hash, replay } = await simulate({ seed: 8, nodes: 3, duration: 60_000 }, busy)
    assert.ok(!replay.includes('\n'))
    assert.equal((await simulate(JSON.parse(replay) as SimulateOptions, busy)).hash, hash)
  })

  const failing = async (
    options: SimulateOptions,
    scenario: (sim: Sim) => Promise<void>,
  ): Promise<SimulationError> => {
    const error: unknown = await simulate({ faults: 'none', duration: 1000, ...options }, scenario).catch(
      (e: unknown) => e,
    )
    assert.ok(error instanceof SimulationError, String(error))
    assert.equal(error.code, 'SIMULATION_FAILED')
    return error
  }

  test('a check that does not hold ends the run at that event', async () => {
    const error = await failing({ seed: 3 }, async (sim) => {
      let n = 0
      sim.always('n is small', () => assert.ok(n < 3))
      for (;;) {
        await sim.sleep(100)
        sim.note(`n is ${++n}`)
      }
    })
    assert.deepEqual([error.check, error.report.seed, error.report.time], ['n is small', 3, 300])
    assert.match(error.lines.at(-1) ?? '', /n is 3$/)
    assert.ok(error.cause instanceof assert.AssertionError)
  })

  test('what is not so in time after the heal fails the run, by name; what is so later than that does, too', async () => {
    const never = await failing({ within: 500 }, async (sim) => sim.eventually('pigs fly', () => false))
    assert.deepEqual([never.check, never.report.time], ['pigs fly', 1500])
    const late = (sim: Sim): Promise<void> => {
      sim.eventually('it is late', () => sim.clock.now() >= 1400)
      return sim.boot(() => void setInterval(() => undefined, 100)).then(() => undefined)
    }
    await failing({ within: 300 }, late)
    await simulate({ faults: 'none', duration: 1000, within: 500 }, late)
  })

  test('so do a scenario that throws, a program, an error in a timer, a rejection that nobody takes, sim.fail', async () => {
    const boom = new Error('boom')
    const throws = (): never => {
      throw boom
    }
    assert.equal((await failing({}, async () => throws())).cause, boom)
    assert.equal(
      (
        await failing({}, async (sim) => {
          await sim.boot(throws)
        })
      ).check,
      'program',
    )
    assert.equal((await failing({}, async (sim) => (setTimeout(throws, 5), sim.sleep(10)))).cause, boom)
    assert.equal(
      (
        await failing({}, async () => {
          void Promise.reject(boom)
        })
      ).check,
      'unhandled rejection',
    )
    assert.equal((await failing({}, async (sim) => sim.fail('mine', boom))).check, 'mine')
  })

  test('so does a scenario that waits for what never happens, and one that never rests', async () => {
    assert.match((await failing({}, () => new Promise(() => undefined))).what, /never happens/)
    const restless = async (sim: Sim): Promise<void> => {
      for (;;) {
        await sim.sleep(0)
        sim.note('again')
      }
    }
    assert.match((await failing({ maxEvents: 1000 }, restless)).what, /no end after 1000 events/)
  })

  test('a sock that is left open is closed at the end, and what it leaves behind is a failure', async () => {
    const error = await failing({}, async (sim) => {
      await sim.boot((me) => void me.platform.setTimer(() => undefined, 1e6))
    })
    assert.match(error.what, /1 timers are left/)
  })

  test('safety mode ends where the faults do', async () => {
    const { time } = await simulate({ mode: 'safety', duration: 5000, faults: 'none' }, async (sim) =>
      sim.eventually('never', () => false),
    )
    assert.equal(time, 5000)
  })

  test('wrong options are BAD_OPTION, and say what is right', async () => {
    const nothing = async (): Promise<void> => undefined
    const bad: [object, RegExp][] = [
      [{ sede: 1 }, /has no "sede"/],
      [{ seed: 0.5 }, /seed is a whole number/],
      [{ nodes: 0 }, /nodes is a whole number from 1 to 64/],
      [{ faults: ['fire'] }, /there is no fault "fire"/],
      [{ faults: 'some' }, /'all', 'none'/],
      [{ faults: [{ at: 1, kind: 'reset', nodes: [0] }] }, /two different nodes/],
      [{ faults: [{ at: 1, kind: 'kill', nodes: [3] }] }, /from 0 to 2/],
      [{ faults: [{ at: -1, kind: 'kill', nodes: [0] }] }, /no `at`/],
      [{ mode: 'fast' }, /'liveness' or 'safety'/],
      [{ latency: [5, 1] }, /latency is/],
    ]
    for (const [options, text] of bad)
      await assert.rejects(simulate(options, nothing), coded('BAD_OPTION', text))
    await assert.rejects(simulate({}, 7 as never), coded('BAD_OPTION', /the scenario/))
  })
})

describe('shrinking', () => {
  test('finds the fault that matters, its time cut down, and the least work, within its bound', async () => {
    let runs = 0
    const scenario = async (sim: Sim): Promise<void> => {
      runs++
      await sim.boot(() => undefined)
      let down = 0
      sim.always('n2 is up for most of it', () => {
        if (sim.nodes[1]!.process !== undefined || sim.size < 3) down = sim.clock.now()
        else if (sim.clock.now() - down >= 400) throw new Error('it is down')
      })
      for (let i = 0; i < 600; i++) await sim.sleep(100)
    }
    const kill: Fault = { at: 20_000, kind: 'kill', nodes: [1], for: 7000 }
    const noise: Fault[] = Array.from({ length: 20 }, (_, i) => ({
      at: 100 * i,
      kind: 'delay',
      nodes: [0, 1],
      for: 50,
      by: 1,
    }))
    const faults = [...noise, kill]
    const options = { nodes: 2, duration: 60_000, size: 100, faults }
    const error = await simulate({ ...options, shrink: 100 }, scenario).catch((e: unknown) => e)
    assert.ok(error instanceof SimulationError)
    const { faults: left, size } = JSON.parse(error.report.replay) as { faults: Fault[]; size: number }
    assert.deepEqual([left, size], [[{ ...kill, for: 437 }], 3])
    assert.ok(runs <= 101, String(runs))
    runs = 0
    await assert.rejects(simulate({ ...options, shrink: 4 }, scenario))
    assert.equal(runs, 5)
  })
})
