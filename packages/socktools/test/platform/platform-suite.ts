/** What every Platform promises: run over Node's, and over the simulated one. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Platform } from '../../src/platform/platform.ts'

export function platformSuite(
  name: string,
  given: () => { platform: Platform; run: (scenario: () => Promise<void>) => Promise<void> },
): void {
  /** Runs `scenario`, which notes what happens, from within a timer; compares when the last has happened. */
  const trace = (
    what: string,
    want: string[],
    scenario: (platform: Platform, note: (text: string) => () => void) => void,
  ): void => {
    test(what, () => {
      const { platform, run } = given()
      return run(async () => {
        const noted: string[] = []
        await new Promise<void>((resolve) => {
          const note = (text: string) => (): void => {
            noted.push(text)
            if (noted.length === want.length) resolve()
          }
          platform.setTimer(() => scenario(platform, note), 0)
        })
        await new Promise<void>((resolve) => platform.afterPoll(resolve))
        assert.deepEqual(noted, want)
      })
    })
  }

  describe(`platform ${name}`, () => {
    trace('timers fire in the order of their times', ['1', '30', '60'], (platform, note) => {
      platform.setTimer(note('60'), 60)
      platform.setTimer(note('1'), 1)
      platform.setTimer(note('30'), 30)
    })

    trace(
      'timers of one time fire in the order in which they were set',
      ['a', 'b', 'c'],
      (platform, note) => {
        for (const text of ['a', 'b', 'c']) platform.setTimer(note(text), 5)
      },
    )

    trace('a cancelled timer does not fire; cancelling again is harmless', ['after'], (platform, note) => {
      const timer = platform.setTimer(note('never'), 1)
      timer.cancel()
      timer.cancel()
      const fired = platform.setTimer(() => {
        fired.cancel()
        note('after')()
      }, 5)
    })

    trace(
      'deferred functions run when the callback is through, in order, before polls and timers',
      ['callback', 'a', 'b', 'nested', 'poll'],
      (platform, note) => {
        platform.afterPoll(note('poll'))
        platform.defer(note('a'))
        platform.defer(() => {
          note('b')()
          platform.defer(note('nested'))
        })
        note('callback')()
      },
    )

    trace(
      'promises that can go on do so before the next poll',
      ['callback', 'then', 'then again', 'poll'],
      (platform, note) => {
        platform.afterPoll(note('poll'))
        void Promise.resolve().then(note('then')).then(note('then again'))
        note('callback')()
      },
    )

    trace(
      'every poll is followed by what it deferred',
      ['poll 1', 'deferred', 'then', 'poll 2'],
      (platform, note) => {
        platform.afterPoll(() => {
          note('poll 1')()
          platform.defer(() => {
            note('deferred')()
            void Promise.resolve().then(note('then'))
          })
          platform.afterPoll(note('poll 2'))
        })
      },
    )

    test('the clock goes on by what a timer waits for, and never back', () => {
      const { platform, run } = given()
      return run(async () => {
        let last = platform.now()
        for (const ms of [0, 3, 1, 12]) {
          await new Promise<void>((resolve) => platform.setTimer(resolve, ms))
          // System timers can be early by a fraction of a millisecond.
          assert.ok(platform.now() >= last + ms - 1, 'early')
          assert.ok(platform.now() >= last, 'back')
          last = platform.now()
        }
      })
    })

    test('random numbers are from 0 to below 1, and evenly so', () => {
      const { platform } = given()
      const tenths = new Array<number>(10).fill(0)
      for (let i = 0; i < 10_000; i++) {
        const x = platform.random()
        assert.ok(x >= 0 && x < 1, String(x))
        tenths[Math.floor(x * 10)]!++
      }
      // 1,000 each, ± 7 standard deviations.
      assert.ok(
        tenths.every((n) => Math.abs(n - 1000) < 210),
        tenths.join(),
      )
    })

    test('random bytes are as many as asked for, evenly so, and others each time', () => {
      const { platform } = given()
      for (const n of [0, 1, 16, 70_000]) assert.equal(platform.randomBytes(n).length, n)
      assert.notDeepEqual(platform.randomBytes(16), platform.randomBytes(16))
      assert.equal(Object.getPrototypeOf(platform.randomBytes(16)), Uint8Array.prototype, 'no Buffer')
      const quarters = [0, 0, 0, 0]
      for (const byte of platform.randomBytes(10_000)) quarters[byte >> 6]!++
      // 2,500 each, ± 7 standard deviations.
      assert.ok(
        quarters.every((n) => Math.abs(n - 2500) < 303),
        quarters.join(),
      )
    })

    test('hash is SHA-256', () => {
      const { platform } = given()
      // FIPS 180-4, examples.
      const table = {
        '': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
        abc: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
      }
      for (const [text, want] of Object.entries(table)) {
        const digest = platform.hash(new TextEncoder().encode(text))
        assert.equal(Buffer.from(digest).toString('hex'), want)
        assert.equal(Object.getPrototypeOf(digest), Uint8Array.prototype, 'no Buffer')
      }
    })

    test('unlink resolves when there is no such file', () => given().platform.unlink('/nowhere/at/all'))
  })
}
