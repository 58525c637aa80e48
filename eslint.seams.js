/**
 * The seams of packages/socktools/src, as a table: who may import what, and who may touch the outside.
 *
 * Imports point down, and only platform/ and net/ know the world. This is what lets the same code run under
 * the simulated clock, in a model checker and on other runtimes. What is not listed here is forbidden: a new
 * folder can import nothing until it has a row. test/lint.test.ts shows each row catching its violations.
 */

const src = 'packages/socktools/src/'

const pure = ['errors.ts', 'events.ts', 'schema.ts', 'address.ts', 'contract/', 'wire/']
/** What of identities needs no keys. */
const identities = ['identity/id.ts', 'identity/trust.ts']
const concrete = ['platform/', 'net/', 'store/']

/**
 * - values: files and folders (ending in /) of src that may be imported; its own folder always may
 * - types: the same, but by `import type` only
 * - packages, packageTypes: bare specifiers, as regular expressions
 * - never: files of its own folder that it may not import
 * - globals: the forbidden globals that are allowed here after all
 */
const rooms = {
  'errors.ts': {},
  'schema.ts': { values: ['errors.ts'] },
  'events.ts': { values: ['errors.ts', 'schema.ts'] },
  'address.ts': { values: ['errors.ts'] },

  // What peers can say to each other, and bytes and decisions: pure.
  'contract/': { values: ['errors.ts', 'schema.ts'] },
  'wire/': { values: ['errors.ts', 'schema.ts', 'contract/'] },

  // MessagePack has times: it makes a Date of a number that came, and asks for none.
  'wire/msgpack/time.ts': { types: ['wire/'], globals: ['Date'] },

  // The outside, but for the network.
  'platform/': {
    values: ['errors.ts'],
    packages: [
      'node:(fs|fs/promises|path|crypto|diagnostics_channel|process|perf_hooks|timers|timers/promises|zlib)',
    ],
    globals: 'all',
  },

  // Pipes. Time and chance come from the platform that is handed in.
  'net/': {
    values: ['errors.ts', 'address.ts'],
    types: ['platform/'],
    packages: ['node:(net|tls|dgram|dns|dns/promises|os)'],
    packageTypes: ['node:(stream|crypto)'],
    globals: ['Buffer'],
  },

  // How many descriptors there are, the system tells in a file.
  'net/descriptors.ts': { packageTypes: ['node:net'], packages: ['node:fs'] },

  // Peers. They see interfaces only; the concrete ones meet in the entry files below.
  'sock/': {
    values: [...pure, ...identities],
    types: ['net/', 'platform/', 'store/'],
    never: ['./tcp-sock.ts', './udp-sock.ts', './meta-sock.ts'],
  },

  'store/': {
    values: ['errors.ts', 'events.ts', 'wire/'],
    types: ['platform/'],
    never: ['./index.ts', './inspect.ts'],
  },
  // Ids, certificates, judgements: pure. Keys and sockets come in with the entry files below.
  'identity/': {
    values: ['errors.ts', 'address.ts'],
    types: ['net/'],
    never: ['./identity.ts', './secure.ts', './ca.ts', './policies.ts'],
  },
  'mesh/': {
    values: [...pure, 'sock/'],
    types: ['net/', 'platform/', 'store/', 'identity/'],
  },
  'adapters/': {
    values: [...pure, 'net/', 'sock/'],
    types: ['platform/', 'store/'],
    // Each adapter's library is an optional peer dependency.
    packages: ['ws', 'bonjour-service', 'prom-client', '@opentelemetry/api', '@nats-io/[a-z-]+'],
  },
  'testing/': { values: [...pure, ...concrete, 'sock/', 'identity/'] },
  // The chaos proxy breaks real connections.
  'testing/chaos.ts': {
    values: [
      'errors.ts',
      'address.ts',
      'platform/',
      'testing/chaos-lane.ts',
      'testing/chaos-options.ts',
      'testing/sim-platform.ts',
    ],
    packages: ['node:net'],
  },
  'testing/chaos-lane.ts': { types: ['platform/', 'testing/chaos-options.ts'], packageTypes: ['node:net'] },
  // What a simulation takes the place of, it has to touch.
  'testing/outside.ts': {
    values: ['errors.ts'],
    types: ['platform/'],
    packages: ['node:(child_process|crypto|dgram|dns|fs|module|net|timers|timers/promises)'],
    globals: 'all',
  },

  // The entry files: where the concrete platform and transports meet the socks.
  'sock/tcp-sock.ts': {
    values: [...pure, ...concrete, 'identity/'],
    packageTypes: ['node:net'],
  },
  'sock/udp-sock.ts': { values: [...pure, ...concrete] },
  'identity/identity.ts': { values: ['errors.ts', 'platform/'] },
  'identity/ca.ts': { values: ['errors.ts', 'net/'] },
  'identity/policies.ts': { values: ['errors.ts', 'platform/'], types: ['net/'] },
  'identity/secure.ts': { values: ['errors.ts', 'platform/', 'net/'] },
  'store/index.ts': { values: ['errors.ts', 'platform/'] },
  'store/inspect.ts': { values: ['errors.ts', 'platform/'] },
  'sock/meta-sock.ts': { values: [...pure, 'platform/'] },
  'index.ts': { values: [...pure, ...concrete, 'sock/', 'identity/'] },
  'browser.ts': { values: [...pure, ...concrete, 'sock/', 'identity/'] },
}

/** Time, chance and the runtime itself. `globalThis` and its kin would be ways around the list. */
const outside = [
  ...['Date', 'performance', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'],
  ...['clearTimeout', 'clearInterval', 'clearImmediate', 'MessageChannel', 'WeakRef', 'FinalizationRegistry'],
  ...['process', 'Buffer', 'crypto', 'fetch', 'console', 'require'],
  ...['globalThis', 'global', 'self', 'window'],
]
const outsideProperties = [
  { object: 'Math', property: 'random', message: 'Randomness comes from the platform.' },
  { object: 'AbortSignal', property: 'timeout', message: 'Deadlines come from the platform.' },
]

/** no-restricted-globals looks at values only. Public byte types are Uint8Array. */
const nodeTypes = {
  selector: 'TSTypeReference > Identifier[name="Buffer"], TSQualifiedName > Identifier[name="NodeJS"]',
  message: 'Only platform/ and net/ know the types of Node.',
}

const literally = (path) => path.replaceAll('.', '\\.')

/** One configuration block for one row: `files` lie `depth` folders below src. */
function seam(name, room, files, depth) {
  const { values = [], types = [], packages = [], packageTypes = [], never = [], globals = [] } = room
  const up = depth === 0 ? './' : '../'.repeat(depth)
  const inSrc = (path) => literally(up + path) + (path.endsWith('/') ? '' : '$')
  const bare = (name) => `${name}$`
  const own = ['$', '\\./', '\\.\\.?/(?!\\.\\.)'][depth] // a folder may import itself, one level of subfolders too
  const asValue = [own, ...values.map(inSrc), ...packages.map(bare)].join('|')
  const asType = ['$', ...types.map(inSrc), ...packageTypes.map(bare)].join('|')
  const list = (names) => names.join(', ') || 'nothing'
  const may = `${name} may import ${list([...values, ...packages])}; types of ${list([...types, ...packageTypes])}.`

  const patterns = [
    { regex: `^(?!${asValue}|${asType})`, message: may },
    { regex: `^(?:${asType})`, message: `Only by \`import type\`: ${may}`, allowTypeImports: true },
    // `./../net/tcp.ts` would slip past the two above.
    { regex: '[^.]/\\.|^\\./\\.', message: 'Write the path plainly.' },
    ...never.map((file) => ({
      regex: `^${literally(file)}$`,
      message: 'Entry files are imported from outside only.',
    })),
  ]
  const message = 'Only platform/ and net/ know the outside.'
  const forbidden = outside.filter((one) => !globals.includes(one)).map((name) => ({ name, message }))
  return {
    name: `seams/${name}`,
    files: [src + files],
    rules: {
      '@typescript-eslint/no-restricted-imports': ['error', { patterns }],
      'no-restricted-globals': globals === 'all' ? 'off' : ['error', ...forbidden],
      'no-restricted-properties': globals === 'all' ? 'off' : ['error', ...outsideProperties],
      // What the rules above do not see.
      'no-restricted-syntax': [
        'error',
        { selector: 'ImportExpression', message: 'Import at the top, where the seams are checked.' },
        { selector: 'TSImportType', message: 'Use `import type` at the top, where the seams are checked.' },
        ...(globals.includes('Buffer') || globals === 'all' ? [] : [nodeTypes]),
      ],
    },
  }
}

/** Later blocks win: first what holds where no row does, then each row, the single files last. */
export const seams = [
  seam('a file without a row in eslint.seams.js', {}, '**/*.ts', 0),
  ...Object.entries(rooms).flatMap(([name, room]) =>
    name.endsWith('/')
      ? [seam(name, room, `${name}*.ts`, 1), seam(name, room, `${name}*/*.ts`, 2)]
      : [seam(name, room, name, name.split('/').length - 1)],
  ),
]
