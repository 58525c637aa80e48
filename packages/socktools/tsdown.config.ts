import { defineConfig } from 'tsdown'

export default defineConfig({
  entry: {
    index: 'src/index.ts',
    'wire/msgpack/msgpack': 'src/wire/msgpack/msgpack.ts',
    'store/index': 'src/store/index.ts',
    'testing/index': 'src/testing/index.ts',
  },
  format: 'esm',
  target: 'node20.19',
  fixedExtension: false, // .js, not .mjs: the package is "type": "module"
  dts: true,
  checks: { pluginTimings: false }, // a busy machine is no fault of the build
})
