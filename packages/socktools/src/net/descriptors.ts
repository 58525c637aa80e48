import { readFileSync } from 'node:fs'
import type net from 'node:net'

/** So many file descriptors are left to the rest of the process: its files, and connections that it dials. */
const RESERVE = 32

let most: number | undefined

/** How many this process may have; Infinity where the system does not say. */
function limit(): number {
  try {
    const [, soft = ''] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? []
    return soft === '' ? Infinity : Number(soft)
  } catch {
    return Infinity
  }
}

/**
 * Whether nearly no descriptors are left, now that this socket was accepted. A new one has the lowest free number: one that
 * is near the limit tells that nearly all below are taken. Beyond the limit Node closes newcomers without a word, and
 * nothing in the process can open a file any more.
 */
export function isScarce(socket: net.Socket): boolean {
  const { fd } = (socket as unknown as { _handle?: { fd?: number } | null })._handle ?? {}
  if (fd === undefined) return false
  most ??= limit()
  return fd >= most - Math.min(RESERVE, most / 4)
}
