// The C reference is a program of its own (../c/ref.c), so it is run in place of the worker.
import { fileURLToPath } from 'node:url'

export const binary = fileURLToPath(new URL('../build/ref', import.meta.url))

/** Machine code has nothing to warm up but the connection. */
const WARM_MS = 100

/**
 * @param {'sink' | 'source'} side
 * @param {import('../workloads.mjs').Job} job
 * @returns {[string, string[]]}
 */
export function command(side, job) {
  const { kind, size, warmMs, measureMs, peers, perTurn, inFlight } = job
  const atOnce = kind === 'call' ? inFlight : perTurn
  return [binary, [side, kind, ...[size, Math.min(warmMs, WARM_MS), measureMs, peers, atOnce].map(String)]]
}
