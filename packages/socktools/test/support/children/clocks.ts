/** Lets the wall clock jump while a sock ticks, waits for deadlines and keeps a quiet peer. */
import { type SockError, type Tick, TcpSock } from '../../../src/index.ts'
import { say } from './say.ts'

const HOUR = 3_600_000
const RealDate = Date
let jump = 0
class JumpingDate extends RealDate {
  constructor() {
    super(RealDate.now() + jump)
  }
  static override now(): number {
    return RealDate.now() + jump
  }
}
globalThis.Date = JumpingDate as DateConstructor

const ticks: Tick[] = []
const done = new Promise<void>((resolve) => {
  const jumps = [HOUR, -HOUR, 365 * 24 * HOUR, -365 * 24 * HOUR]
  const tick = (one: Tick): void => {
    jump = jumps[ticks.push(one) % jumps.length] ?? 0
    if (ticks.length === 30) resolve()
  }
  // Half an hour of silence would be too much; it takes the jump of an hour to make it that.
  void TcpSock.open({
    bind: 'memory:a',
    tick,
    tickInterval: 10,
    timeout: HOUR / 2,
    connect: 'memory:b',
  }).then(listen)
})

const codes: string[] = []
async function listen(sock: TcpSock): Promise<void> {
  sock.on('gone', ({ error }) => codes.push(error?.code ?? 'gone'))
  const client = await TcpSock.open({ connect: 'memory:a' })
  // Begun an hour ago, by the wall clock, or a year from now.
  const gate = new TcpSock({ goodPeer: () => new Promise(() => undefined), gateTimeout: 30 })
  const refusals: unknown[] = []
  for (let i = 0; i < 3; i++)
    await gate.connectTo('memory:a').catch((error: unknown) => refusals.push((error as SockError).code))
  await done
  const elapsed = ticks.map((one) => one.elapsed)
  say({
    counts: { peers: sock.knownPeers.length, client: client.knownPeers.length },
    codes: codes.filter((code) => code !== 'gone'),
    refusals,
    times: {
      shortest: Math.min(...elapsed),
      longest: Math.max(...elapsed),
      late: Math.max(...ticks.map((one) => one.late)),
      silent: Math.max(...sock.knownPeers.map((peer) => peer.stats().silent)),
    },
  })
  await Promise.all([sock.close(), client.close(), gate.close()])
}
