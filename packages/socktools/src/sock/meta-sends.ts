import { fail } from '../errors.ts'
import type { Codec } from '../wire/codec.ts'
import type { InnerSock } from './base-sock.ts'
import { checkSendOptions, isIterable, withoutStrangers } from './recipients.ts'
import { AMONG_SEVERAL } from './sends.ts'
import { RESOLVED } from './turn.ts'
import type { MessageOptions, Peer, SendOptions, To } from './types.ts'
import { Waiter } from './waiter.ts'

/** Sends by way of one sock. */
type SendBy = (sock: InnerSock, options: SendOptions<Codec> & MessageOptions) => Promise<void>

/** Sends to the peers of several socks as if they were those of one. Throws UNKNOWN_PEER. */
export function sendByAll(
  socks: readonly InnerSock[],
  options: SendOptions<Codec> & MessageOptions,
  send: SendBy,
): Promise<void> {
  checkSendOptions(options)
  const [first] = socks
  if (first !== undefined && socks.length === 1) return send(first, options)
  const { to, except, headers } = options
  const extra: MessageOptions = headers === undefined ? {} : { headers }
  const exempt: readonly Peer<Codec>[] = except === undefined ? [] : exemptAmong(socks, except)
  if (to === undefined) {
    // As a sock has it: to leave `to` out means everyone, to look someone up and find nobody must not.
    if ('to' in options) fail('UNKNOWN_PEER', '`to` is there and undefined')
    // One that nobody can be sent to by has no say, about lengths and codecs for instance.
    const peopled = socks.filter((sock) => sock.reachable > 0)
    return firstRoom(
      (peopled.length > 0 ? peopled : socks).map((sock) => {
        const own = exempt.filter((peer) => sock.owns(peer))
        return { sock, sent: send(sock, own.length === 0 ? extra : { ...extra, except: own }) }
      }),
    )
  }
  const stranger = typeof to === 'string' ? senderTo(socks, to) : undefined
  if (stranger !== undefined) return send(stranger, options)
  const chosen = findAmong(socks, to).filter((peer) => !exempt.includes(peer))
  const [only] = chosen
  const several = chosen.length > 1 ? { [AMONG_SEVERAL]: true as const } : undefined
  if (only !== undefined && several === undefined) return send(ownerOf(socks, only), { ...extra, to: only })
  const groups = new Map<InnerSock, Peer<Codec>[]>()
  for (const peer of chosen) {
    const sock = ownerOf(socks, peer)
    groups.set(sock, [...(groups.get(sock) ?? []), peer])
  }
  return firstRoom(
    [...groups].map(([sock, own]) => ({ sock, sent: send(sock, { ...extra, to: own, ...several }) })),
  )
}

/** The sock that can send to an address which is no peer's, as over UDP. */
function senderTo(socks: readonly InnerSock[], address: string): InnerSock | undefined {
  const known = socks.some((sock) => sock.knownPeers.some((peer) => isNamed(peer, address)))
  return known ? undefined : socks.find((sock) => sock.sendsTo(address))
}

function exemptAmong(socks: readonly InnerSock[], except: To<Codec>): Peer<Codec>[] {
  const own = withoutStrangers(except, (peer) => socks.some((sock) => sock.owns(peer)))
  return findAmong(socks, own)
}

/** The peers that `to` names, each once. Throws UNKNOWN_PEER. */
function findAmong(socks: readonly InnerSock[], to: To<Codec>): Peer<Codec>[] {
  if (typeof to === 'string') return namedAmong(socks, to, ({ state }) => state === 'open')
  if (socks.some((sock) => sock.owns(to))) return [to as Peer<Codec>]
  if (isIterable(to)) return [...new Set([...to].flatMap((one) => findAmong(socks, one as To<Codec>)))]
  return fail('UNKNOWN_PEER', 'this is neither a peer of a sock in here nor an address')
}

/** The peers with this address or id. Throws UNKNOWN_PEER, also when an id is that of peers of several socks. */
export function namedAmong(
  socks: readonly InnerSock[],
  name: string,
  match: (peer: Peer<Codec>) => boolean = () => true,
): Peer<Codec>[] {
  const found = socks.flatMap((sock) => sock.knownPeers.filter((peer) => isNamed(peer, name) && match(peer)))
  if (found.length === 0) return fail('UNKNOWN_PEER', 'no peer has this address', { address: name })
  if (found.filter(({ id }) => id === name).length > 1) {
    fail('UNKNOWN_PEER', `${found.length} socks in here have a peer "${name}", so this names none of them`)
  }
  return found
}

const isNamed = ({ address, id }: Peer<Codec>, name: string): boolean => address === name || id === name

function ownerOf(socks: readonly InnerSock[], peer: Peer<Codec>): InnerSock {
  return socks.find((sock) => sock.owns(peer)) ?? fail('UNKNOWN_PEER', 'no sock in here has this peer')
}

/**
 * Rejects with the first error; else resolves when the first sock has room: one that is slow holds the others
 * up no more than a slow peer does. A sock without peers always has room, and says nothing about the others.
 */
function firstRoom(all: readonly { sock: InnerSock; sent: Promise<void> }[]): Promise<void> {
  if (all.every(({ sent }) => sent === RESOLVED)) return RESOLVED
  const peopled = all.filter(({ sock }) => sock.reachable > 0)
  const first = new Waiter()
  // Asked before the others: an error that is there already comes first.
  for (const { sent } of all) sent.catch(first.reject)
  if (peopled.length === 0) void Promise.allSettled(all.map(({ sent }) => sent)).then(() => first.resolve())
  for (const { sent } of peopled) sent.then(first.resolve, () => undefined)
  return first.promise
}
