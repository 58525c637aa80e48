/** A byte that changes on the way, after the handshake: both pipes are over at once, and nobody has to miss the other first. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Identity } from '../../src/identity/identity.ts'
import { identityTls } from '../../src/identity/secure.ts'
import type { Pipe } from '../../src/net/pipe.ts'
import { tcp } from '../../src/net/tcp.ts'
import { Bent, type Way } from '../attacks/tls-bent.ts'

const signal = new AbortController().signal
const [one, other] = [Identity.generate(), Identity.generate()]
/** Of the handshake of either way are some 660 bytes; what comes behind is tickets, and what we write. */
const BEHIND = 720

/** What came of a pipe that says something. */
function heard(pipe: Pipe): Promise<{ bytes: number; error: Error | undefined }> {
  return new Promise((resolve) => {
    let bytes = 0
    pipe.attach({
      data: (chunk) => (bytes += chunk.length),
      drain: () => undefined,
      end: () => undefined,
      close: (error) => {
        resolve({ bytes, error })
      },
    })
    pipe.resume()
    pipe.write([new Uint8Array(100)])
  })
}

for (const way of ['up', 'down'] satisfies Way[]) {
  test(`a byte that changes on its way ${way}`, { timeout: 10_000 }, async (t) => {
    const accepted: Promise<Pipe>[] = []
    const listener = await tcp().listen(new URL('tcp://127.0.0.1:0'), {}, (pipe) => {
      accepted.push(identityTls(() => other).secure(pipe, { dialed: false, signal }))
    })
    t.after(() => listener.close())
    const bent = await Bent.listen(t, Number(new URL(listener.address).port))
    bent.plan = { how: 'flip', way, at: BEHIND }
    const dialed = await tcp().dial(new URL(`tcp://127.0.0.1:${bent.port}`), { toBeSecured: true })
    const near = await identityTls(() => one).secure(dialed, { dialed: true, signal })
    const far = await (accepted[0] ?? assert.fail('nobody came'))
    const [here, there] = await Promise.all([heard(near), heard(far)])
    const { error, bytes } = way === 'up' ? there : here
    assert.match(String((error as NodeJS.ErrnoException | undefined)?.code), /^ERR_SSL_.*BAD_RECORD_MAC$/)
    assert.equal(bytes, 0)
  })
}
