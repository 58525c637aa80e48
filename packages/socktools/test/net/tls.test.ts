/** Pipes under TLS keep the contract of pipes: end and close, pause, drain, order. */
import { Identity } from '../../src/identity/identity.ts'
import { identityTls } from '../../src/identity/secure.ts'
import type { Pipe } from '../../src/net/pipe.ts'
import type { Security } from '../../src/net/security.ts'
import { tcp } from '../../src/net/tcp.ts'
import type { Transport } from '../../src/net/transport.ts'
import { transportSuite } from './transport-suite.ts'

const signal = new AbortController().signal

/** TCP whose every pipe is handed out when it is proven. */
function secured(base: Transport, dialer: Security, listener: Security): Transport {
  return {
    scheme: base.scheme,
    async dial(to, options) {
      const pipe = await base.dial(to, { ...options, toBeSecured: true })
      return dialer.secure(pipe, { dialed: true, host: to.hostname, signal: options.signal ?? signal })
    },
    listen: (at, options, onPipe) =>
      base.listen(at, options, (pipe: Pipe) => {
        listener.secure(pipe, { dialed: false, signal }).then(onPipe, () => undefined)
      }),
  }
}

const [one, other] = [Identity.generate(), Identity.generate()]
transportSuite('tls on 127.0.0.1', () => ({
  transport: secured(
    tcp(),
    identityTls(() => one),
    identityTls(() => other),
  ),
  free: () => 'tcp://127.0.0.1:0',
  run: (scenario) => scenario(),
}))
