import type { TestContext } from 'node:test'
import { Identity, type Protocol, TcpSock, type TcpSockOptions } from '../../src/index.ts'

/** A sock with an identity, of its own if `options` have none; closed with the test. */
export async function opened<P extends Protocol>(
  t: TestContext,
  protocol: P,
  options: Partial<TcpSockOptions<never, P>> = {},
): Promise<TcpSock<never, P>> {
  const sock = await TcpSock.open<never, P>({ identity: Identity.generate(), protocol, ...options })
  t.after(() => sock.close())
  return sock
}
