import {
  type DatagramNetwork,
  DatagramSock,
  PipeSock,
  type SockParts,
  nodePlatform,
  tcp,
  udp,
  unix,
} from 'socktools'
import { isUsage } from './errors.ts'
import type { Places } from './socks.ts'

/** What leads out of this process. `memory:` does not: nobody else could ever come. */
const TRANSPORTS = [tcp(), unix(nodePlatform)]

export const PARTS: SockParts = { platform: nodePlatform, transports: TRANSPORTS }

/** Rejects with BAD_ADDRESS where one of these can never be right. Asks nobody, and listens nowhere. */
export async function checkAddresses({ bind = [], dial = [], keep = [] }: Places): Promise<void> {
  const signal = AbortSignal.abort()
  const transports = TRANSPORTS.map((one) => ({ ...one, dial: (to: URL) => one.dial(to, { signal }) }))
  const streams = new PipeSock({}, { ...PARTS, transports })
  const datagrams = new DatagramSock({}, { platform: nodePlatform, network: NOWHERE })
  const check = async (address: string, toListen: boolean): Promise<void> => {
    try {
      // What can be dialed over a stream can be listened on as well; over UDP port 0 is but for listening.
      if (!/^udp:/.test(address)) await streams.connectTo(address)
      else if (toListen) await datagrams.startServer({ bind: address })
      else await datagrams.connectTo(address)
    } catch (error) {
      if (isUsage(error)) throw error
    }
  }
  for (const address of bind) await check(address, true)
  for (const address of [...dial, ...keep]) await check(address, false)
  await Promise.all([streams.close(), datagrams.close()])
}

/** Knows every name, and has no sockets. */
const NOWHERE: DatagramNetwork = {
  scheme: udp().scheme,
  resolve: () => Promise.resolve(['127.0.0.1']),
  open: () => Promise.reject(new Error('this is only a check')),
}
