import { defineConfig } from 'tsdown'

export default defineConfig({
  entry: { main: 'src/main.ts' },
  format: 'esm',
  target: 'node20.19',
  fixedExtension: false, // .js, not .mjs: the package is "type": "module"
  dts: false, // a program, not a library
  // The demo and the cases of conformance work from an installed package too.
  copy: [
    { from: '../../interop/python/*.py', to: 'dist/python' },
    { from: ['../../spec/vectors/v1.json', '../../spec/vectors/plain.json'], to: 'dist/vectors' },
  ],
})
