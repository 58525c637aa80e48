import js from '@eslint/js'
import { defineConfig } from 'eslint/config'
import tseslint from 'typescript-eslint'
import { seams } from './eslint.seams.js'

const tests = ['packages/*/test/**/*.ts', 'test/**/*.ts', 'examples/**/*.ts']

const nodeGlobals = [
  ...[
    'process',
    'console',
    'performance',
    'Buffer',
    'URL',
    'TextEncoder',
    'TextDecoder',
    'fetch',
    'WebSocket',
  ],
  ...['AbortController', 'AbortSignal', 'queueMicrotask', 'structuredClone', 'globalThis'],
  ...['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'clearImmediate'],
]

export default defineConfig(
  { ignores: ['**/dist/', '**/node_modules/', 'coverage/', 'test/.*/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },

  // Scripts are plain JavaScript on Node.
  {
    files: ['**/*.js', '**/*.mjs'],
    extends: [js.configs.recommended],
    languageOptions: { globals: Object.fromEntries(nodeGlobals.map((name) => [name, 'readonly'])) },
  },

  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // `import { type X } from` would stay behind as an import that runs the module.
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      '@typescript-eslint/no-import-type-side-effects': 'error',

      // Under noUncheckedIndexedAccess `bytes[i]!` is the honest way to say what a loop's bounds already do.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // An interface may ask for a promise that one implementation has no need to wait for.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
    },
  },

  ...seams,

  // The command line and the examples know the library by its public names.
  {
    files: ['packages/cli/**/*.ts', 'examples/**/*.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [{ regex: 'socktools/(src|dist)/', message: 'Import `socktools` by its public names.' }],
        },
      ],
    },
  },

  {
    files: tests,
    rules: {
      // node:test collects the promises of its own functions.
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            { from: 'package', package: 'node:test', name: ['default', 'test', 'describe', 'it', 'suite'] },
          ],
        },
      ],
      // A test pokes at what it is not meant to have.
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
)
