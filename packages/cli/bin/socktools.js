#!/usr/bin/env node
/** The command. It lies outside dist, so that npm finds it and links it in a clone that is not built yet. */
import { existsSync } from 'node:fs'

const main = new URL('../dist/main.js', import.meta.url)

if (existsSync(main)) await import(main.href)
else {
  console.error('socktools: it is not built yet: run `npm run build`')
  process.exitCode = 1
}
