import { PipeSock, type SockParts, nodePlatform, tcp, unix } from 'socktools'
import { isUsage } from './errors.ts'

/** What leads out of this process. `memory:` does not: nobody else could ever come. */
const TRANSPORTS = [tcp(), unix(nodePlatform)]

export const PARTS: SockParts = { platform: nodePlatform, transports: TRANSPORTS }

/** Rejects with BAD_ADDRESS where one of these could never be dialed. Dials none of them. */
export async function checkAddresses(addresses: readonly string[]): Promise<void> {
  const signal = AbortSignal.abort()
  const transports = TRANSPORTS.map((one) => ({ ...one, dial: (to: URL) => one.dial(to, { signal }) }))
  const sock = new PipeSock({}, { ...PARTS, transports })
  for (const address of addresses) {
    // Dialing over UDP asks nobody, so it finds out at once by itself.
    if (/^udp:/.test(address)) continue
    await sock.connectTo(address).catch((error: unknown) => {
      if (isUsage(error)) throw error
    })
  }
  await sock.close()
}
