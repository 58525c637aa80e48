/**
 * A node with an identity, to be attacked: listens, or dials when it is told. Its options are JSON, each line on stdin is one thing to
 * do, each on stdout what came of it.
 */
import { createInterface } from 'node:readline'
import { type Candidate, Identity, type Peer, type RawCodec, SockError, TcpSock } from '../../../src/index.ts'
import { Store } from '../../../src/store/index.ts'
import { type Order, protocol, type ProvenOptions, type ProvenReport, type Talk } from '../proven.ts'
import { say } from './say.ts'

const { key, store: path, ...options } = JSON.parse(process.argv[2] ?? '') as ProvenOptions
const identity = await Identity.load(key)
const store = path === undefined ? undefined : await Store.open(path)
let handled: string[] = []
let ends: string[] = []
let asked = 0

/** What a peer calls itself: the first word of what it says. */
const tags = new WeakMap<object, string>()
const told = (text: string, { peer: from }: { readonly peer: object }): void => {
  tags.set(from, text.split(' ', 1)[0] ?? '')
  handled.push(text)
}

const open = (more: object = {}): TcpSock<RawCodec, typeof protocol> => {
  const sock = new TcpSock<RawCodec, typeof protocol>({
    ...{ identity, protocol, handlers: { echo: (text: string) => text, say: told } },
    ...{ goodPeer: () => ++asked > 0, ...options, ...more },
  })
  sock.on('detached', ({ peer: one, error }) => ends.push(`${tags.get(one)} detached ${error?.code}`))
  sock.on('gone', ({ peer: one, error }) => ends.push(`${tags.get(one)} gone ${error?.code ?? 'well'}`))
  return sock
}
const sock = open(store === undefined ? {} : { store, nameOf: ({ identity: id }: Candidate) => id })
if (options.bind !== undefined) await sock.startServer()
let peer: Peer<RawCodec, typeof protocol> | undefined

const codeOf = (thrown: unknown): string =>
  thrown instanceof SockError ? thrown.code : `no code: ${String(thrown)}`

/** One short session, with whatever becomes of it. */
async function talk(to: string, tag: string): Promise<Talk> {
  const own = open()
  const events: string[] = []
  own.on('detached', () => events.push('detached'))
  own.on('resumed', () => events.push('resumed'))
  try {
    const far = await own.connectTo(to)
    const { outcome } = far.send('say', `${tag} a`)
    const answer = await far.request('echo', tag)
    const { status } = await outcome
    await own.drain({ timeout: 1_000 })
    const { failed, refused } = own.stats()
    return { answer, status, told: events, failed: { ...failed, ...refused } }
  } catch (thrown) {
    return { code: codeOf(thrown), told: events, failed: { ...own.stats().failed, ...own.stats().refused } }
  } finally {
    await own.close()
  }
}

async function obey(order: Order): Promise<unknown> {
  switch (order.do) {
    case 'report': {
      const report: ProvenReport = { stats: sock.stats(), handled, ends, asked, state: peer?.state }
      if (order.anew === true) [handled, ends] = [[], []]
      return report
    }
    case 'dial':
      return sock.connectTo(order.to).then(
        (made) => {
          peer = made
          return 'connected'
        },
        (thrown: unknown) => codeOf(thrown),
      )
    case 'send':
      if (peer === undefined) throw new Error('to whom?')
      for (const text of order.texts) void peer.sendMsg('say', text)
      return 'sent'
    case 'post':
      for (const text of order.texts) await sock.post(order.to, 'say', text).accepted
      return 'posted'
    case 'talk':
      return talk(order.to, order.tag)
  }
}

say(sock.address ?? null)
createInterface(process.stdin).on('line', (line) => {
  const { n, order } = JSON.parse(line) as { n: number; order: Order }
  void obey(order).then((result) => {
    say({ n, result })
  })
})
