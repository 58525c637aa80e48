// grpc-js: one unary method whose messages are bytes as they are, without encryption.
import { createRequire } from 'node:module'

const grpc = createRequire(new URL('../rivals/', import.meta.url))('@grpc/grpc-js')

/** @type {(bytes: Buffer) => Buffer} */
const asIs = (bytes) => bytes
const echo = {
  path: '/bench.Bench/Echo',
  requestStream: false,
  responseStream: false,
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
}

/** @type {import('./index.mjs').Listen} */
export async function listen(onMessage) {
  const server = new grpc.Server()
  server.addService(
    { echo },
    {
      echo(/** @type {any} */ asked, /** @type {(error: null, answer: Buffer) => void} */ answer) {
        onMessage(asked.request)
        answer(null, asked.request)
      },
    },
  )
  /** @type {number} */
  const port = await new Promise((resolve, reject) => {
    server.bindAsync(
      '127.0.0.1:0',
      grpc.ServerCredentials.createInsecure(),
      (/** @type {Error | null} */ error, /** @type {number} */ bound) =>
        error ? reject(error) : resolve(bound),
    )
  })
  return { peers: () => 1, port }
}

/** @type {import('./index.mjs').Dial} */
export async function dial(port) {
  const Bench = grpc.makeGenericClientConstructor({ echo }, 'Bench')
  const client = new Bench(`127.0.0.1:${port}`, grpc.credentials.createInsecure())
  await new Promise((resolve, reject) => {
    client.waitForReady(Date.now() + 5000, (/** @type {Error | undefined} */ error) =>
      error ? reject(error) : resolve(undefined),
    )
  })
  return {
    peers: () => 1,
    call: (payload) =>
      new Promise((resolve, reject) => {
        client.echo(payload, (/** @type {Error | null} */ error, /** @type {Buffer} */ answer) =>
          error ? reject(error) : resolve(answer),
        )
      }),
  }
}
