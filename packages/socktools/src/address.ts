import { fail } from './errors.ts'

/**
 * Parses an address: `tcp://host:port`, `tcp://[::1]:port`, `udp://host:port`, `unix:/path`, `memory:name`.
 * Throws BAD_ADDRESS with what to write instead.
 */
export function parseAddress(text: string): URL {
  if (typeof text !== 'string') return fail('BAD_ADDRESS', `an address is a string, not a ${typeof text}`)
  if (!/^[a-z][a-z0-9+.-]*:/.test(text) || /^localhost:\d+$/.test(text)) {
    const guess = /^(\[[^\]\s]*\]|[^/:\s]*):\d+$/.test(text)
      ? `; did you mean "tcp://${text.replace(/^:/, '127.0.0.1:')}"?`
      : ''
    return fail('BAD_ADDRESS', `"${text}" names no scheme${guess}`)
  }
  // A URL would pass over them in silence.
  if (text !== text.trim() || /[\t\n\r]/.test(text))
    return fail('BAD_ADDRESS', `${JSON.stringify(text)} has blanks or line ends around it or in it`)
  try {
    return new URL(text)
  } catch (cause) {
    return fail('BAD_ADDRESS', `"${text}" is no address`, { cause })
  }
}

/** Throws BAD_ADDRESS for an address whose scheme nobody here knows, with a guess at what was meant. */
export function unknownScheme(text: string, needs: string, known: readonly string[]): never {
  const there = known.map((scheme) => `${scheme}:`).join(', ') || 'none'
  const hint = /^[^/:\s]+:\d+$/.test(text)
    ? `; did you mean "tcp://${text}"?`
    : text.startsWith('udp:')
      ? '; for udp: there is UdpSock'
      : ''
  return fail('BAD_ADDRESS', `"${text}" needs a ${needs}; there are ${there}${hint}`)
}

/** The scheme of a parsed address, without the colon. */
export const schemeOf = (url: URL): string => url.protocol.slice(0, -1)

/** Host and port of a `tcp:` or `udp:` address. `[::1]` loses its brackets. */
export function hostPort(url: URL): { host: string; port: number } {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (host === '') fail('BAD_ADDRESS', `${url.href} names no host`)
  if (url.port === '')
    fail('BAD_ADDRESS', `${url.href} names no port (0 lets the system choose one to listen on)`)
  if (url.search !== '' || url.hash !== '')
    fail('BAD_ADDRESS', `${url.href} has something behind its port, and ${schemeOf(url)} has nothing there`)
  if (url.pathname !== '' && url.pathname !== '/')
    fail('BAD_ADDRESS', `${url.href} has a path, and ${schemeOf(url)} has none`)
  return { host, port: Number(url.port) }
}

/** The path of `unix:/path`, or the name of `memory:name`. */
export function pathOf(url: URL): string {
  let path = ''
  try {
    path = decodeURIComponent(url.pathname)
  } catch {
    fail('BAD_ADDRESS', `${url.href} has a broken % escape`)
  }
  if (url.host !== '')
    fail('BAD_ADDRESS', `${url.href} has one slash too many: write ${url.protocol}/${url.host}${path}`)
  if (url.search !== '') fail('BAD_ADDRESS', `${url.href} has a "?", which is written %3F in a name`)
  if (path === '') fail('BAD_ADDRESS', `${url.href} names nothing after "${url.protocol}"`)
  return path
}

/** `tcp://host:port`, with brackets around IPv6 and IPv4-mapped addresses unwrapped. */
export function tcpAddress(host: string, port: number): string {
  const plain = unmapped(host)
  return plain.includes(':') ? `tcp://[${plain}]:${port}` : `tcp://${plain}:${port}`
}

/** An IPv4 address that arrived on an IPv6 socket (`::ffff:1.2.3.4`) in its own form. */
export const unmapped = (host: string): string => host.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '')

export const isLoopback = (host: string): boolean => host === '::1' || /^127\./.test(unmapped(host))

/** Whether a host of an address is certainly this machine: by its number, or by the one name that always is. */
export const isOwnHost = (host: string): boolean =>
  host === 'localhost' || (familyOf(host) !== 0 && isLoopback(host))

/** `udp://host:port`, with brackets around IPv6. */
export const udpAddress = (host: string, port: number): string =>
  host.includes(':') ? `udp://[${host}]:${port}` : `udp://${host}:${port}`

/** The family of an IP address; 0 for what is none, such as a name. */
export function familyOf(host: string): 4 | 6 | 0 {
  // A URL lets nothing else between brackets.
  if (host.includes(':')) return 6
  return /^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/.test(host) &&
    host.split('.').every((n) => Number(n) < 256)
    ? 4
    : 0
}

/** 224.0.0.0/4 and ff00::/8. */
export const isMulticast = (host: string): boolean => /^(22[4-9]|23\d)\./.test(host) || /^ff..:/i.test(host)
