import { defineConfig } from 'tsdown'

export default defineConfig({
  entry: { main: 'src/main.ts' },
  format: 'esm',
  target: 'node20.19',
  fixedExtension: false, // .js, not .mjs: the package is "type": "module"
  dts: false, // a program, not a library
  copy: { from: '../../interop/python/*.py', to: 'dist/python' }, // the demo works from an installed package too
})
