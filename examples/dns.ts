/**
 * A client for servers that others wrote: DNS over TCP, where each message stands behind its length in two bytes
 * (RFC 1035, section 4.2.2).
 *
 *   npx tsx examples/dns.ts tcp://127.0.0.1:53 localhost AAAA
 *
 * A server may answer in any order (RFC 7766, section 6.2.1.1), so answers are paired with questions by their ids.
 */
import { domainToASCII, fileURLToPath } from 'node:url'
import { type Peer, TcpSock, lengthPrefixed } from 'socktools'

const TYPES = { A: 1, CNAME: 5, TXT: 16, AAAA: 28 } as const
export type RecordType = keyof typeof TYPES

export interface DnsRecord {
  readonly name: string
  readonly type: RecordType
  /** Seconds. */
  readonly ttl: number
  /** An address, a name, or a text: the strings of a TXT record joined. */
  readonly data: string
}

export interface DnsReply {
  readonly id: number
  /** The response code: 0 is no error, 3 that there is no such name. */
  readonly code: number
  /** Those of the types above; others are left out. */
  readonly answers: readonly DnsRecord[]
}

export interface Dns {
  /** The records of a name, with the CNAMEs that led to them. Rejects with DnsError where the server says no. */
  lookup(name: string, type?: RecordType): Promise<readonly DnsRecord[]>
  /** Ends at once; what is not answered is rejected. */
  end(): Promise<void>
}

const CODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED']

export class DnsError extends Error {
  override readonly name = 'DnsError'
  readonly code: string
  constructor(code: number, about: string) {
    const text = CODES[code] ?? `RCODE ${code}`
    super(`${about}: ${text}`)
    this.code = text
  }
}

interface Waiting {
  readonly query: Uint8Array
  readonly resolve: (reply: DnsReply) => void
  readonly reject: (error: unknown) => void
}

/** Nothing is dialed before the first question. */
export function openDns(address: string): Dns {
  const waiting = new Map<number, Waiting>()
  let nextId = Math.floor(Math.random() * 0x1_0000)
  let peer: Promise<Peer> | undefined
  let answered = false

  const sock = new TcpSock({
    framing: lengthPrefixed({ length: 2 }),
    // A server that says nothing for so long will not answer any more.
    timeout: 10_000,
    handlers: {
      0: (bytes) => {
        const reply = decodeReply(bytes)
        answered = true
        waiting.get(reply.id)?.resolve(reply)
        waiting.delete(reply.id)
      },
    },
  })

  function giveUp(error: unknown): void {
    peer = undefined
    for (const { reject } of waiting.values()) reject(error)
    waiting.clear()
  }

  sock.on('fault', (fault) => {
    // No reply at all: whose it was cannot be told.
    giveUp(fault.error)
    fault.peer?.close()
  })

  // Servers end connections that are idle, or have asked enough (RFC 7766, section 6.2.4). What is left of the
  // questions is asked again, unless the server has answered none: it would do the same with the next one.
  sock.on('gone', ({ error }) => {
    if (!answered) giveUp(error ?? new Error('the server ends the connection and answers nothing'))
    peer = undefined
    answered = false
    for (const { query } of waiting.values()) ask(query).catch(giveUp)
  })

  async function ask(query: Uint8Array): Promise<void> {
    peer ??= sock.connectTo(address)
    const server = await peer
    // One that is about to go takes nothing more; when it is gone, this is asked again.
    await server.sendMsg(0, query).catch(() => undefined)
  }

  async function lookup(name: string, type: RecordType = 'A'): Promise<readonly DnsRecord[]> {
    if (waiting.size === 0x1_0000) throw new Error('65,536 questions are under way, and ids are used up')
    while (waiting.has(nextId)) nextId = (nextId + 1) & 0xffff
    const id = nextId
    const query = encodeQuery(id, name, type)
    const { code, answers } = await new Promise<DnsReply>((resolve, reject) => {
      waiting.set(id, { query, resolve, reject })
      ask(query).catch(giveUp)
    })
    if (code !== 0) throw new DnsError(code, `${type} of ${name}`)
    return answers
  }

  async function end(): Promise<void> {
    giveUp(new Error('the lookup was given up'))
    await sock.close()
  }

  return { lookup, end }
}

/** Header (section 4.1.1): id, flags, and how many of each section; then one question (section 4.1.2). */
export function encodeQuery(id: number, name: string, type: RecordType): Uint8Array {
  const text = domainToASCII(name).replace(/\.$/, '')
  const labels = text === '' ? [] : text.split('.')
  const isRoot = name === '' || name === '.'
  if (text.length > 253 || (labels.length === 0 && !isRoot) || !labels.every(isLabel))
    throw new TypeError(`${JSON.stringify(name)} is no name`)
  const bytes = new Uint8Array(12 + (text === '' ? 1 : text.length + 2) + 4)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, id)
  view.setUint16(2, 0x0100) // recursion is desired
  view.setUint16(4, 1)
  let at = 12
  for (const label of labels) {
    bytes[at++] = label.length
    for (const char of label) bytes[at++] = char.charCodeAt(0)
  }
  view.setUint16(at + 1, TYPES[type])
  view.setUint16(at + 3, 1) // the class IN
  return bytes
}

const isLabel = (label: string): boolean => label.length > 0 && label.length < 64

/** Throws RangeError for what is no reply: whatever comes, nothing beyond its end is read, and it takes an end. */
export function decodeReply(bytes: Uint8Array): DnsReply {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const flags = view.getUint16(2)
  if ((flags & 0x8000) === 0) throw new RangeError('a question, not a reply')
  let at = 12
  for (let n = view.getUint16(4); n > 0; n--) at = readName(bytes, at).end + 4
  const answers: DnsRecord[] = []
  for (let n = view.getUint16(6); n > 0; n--) {
    const { name, end } = readName(bytes, at)
    const from = end + 10
    at = from + view.getUint16(end + 8)
    if (at > bytes.length) throw new RangeError('a record goes beyond the end')
    const type = (Object.keys(TYPES) as RecordType[]).find((one) => TYPES[one] === view.getUint16(end))
    if (type !== undefined) {
      answers.push({ name, type, ttl: view.getUint32(end + 4), data: dataOf(type, bytes, from, at) })
    }
  }
  return { id: view.getUint16(0), code: flags & 0xf, answers }
}

function dataOf(type: RecordType, bytes: Uint8Array, from: number, to: number): string {
  const data = bytes.subarray(from, to)
  const size = { A: 4, AAAA: 16, CNAME: undefined, TXT: undefined }[type] ?? data.length
  if (data.length !== size) throw new RangeError(`no address of type ${type}`)
  switch (type) {
    case 'A':
      return Array.from(data).join('.')
    case 'AAAA': {
      const groups = Array.from({ length: 8 }, (_, i) => ((data[2 * i] ?? 0) << 8) | (data[2 * i + 1] ?? 0))
      const url = new URL(`http://[${groups.map((group) => group.toString(16)).join(':')}]`)
      return url.hostname.slice(1, -1) // in its shortest form
    }
    case 'CNAME':
      return readName(bytes, from).name
    case 'TXT': {
      const strings: Uint8Array[] = []
      for (let at = 0; at < data.length; at += 1 + (data[at] ?? 0))
        strings.push(data.subarray(at + 1, at + 1 + (data[at] ?? 0)))
      return new TextDecoder().decode(Buffer.concat(strings))
    }
  }
}

/** A name (section 4.1.4): labels, then nothing or a pointer to where it goes on, which has come before. */
function readName(bytes: Uint8Array, from: number): { name: string; end: number } {
  const labels: string[] = []
  let [start, at, length] = [from, from, 0]
  let end: number | undefined
  for (;;) {
    const size = bytes[at]
    if (size === undefined) throw new RangeError('a name goes beyond the end')
    if (size === 0) return { name: labels.join('.'), end: end ?? at + 1 }
    if (size >= 0xc0) {
      const to = ((size & 0x3f) << 8) | (bytes[at + 1] ?? 0)
      end ??= at + 2
      if (to >= start) throw new RangeError('a name points at itself')
      start = at = to
      continue
    }
    at += 1 + size
    length += 1 + size
    if (size >= 0x40 || length > 254 || at > bytes.length) throw new RangeError('no name')
    labels.push(String.fromCharCode(...bytes.subarray(at - size, at)))
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [address = '', name = '', type = 'A'] = process.argv.slice(2)
  const dns = openDns(address)
  for (const record of await dns.lookup(name, type as RecordType))
    console.log(record.type, JSON.stringify(record.data))
  await dns.end()
}
