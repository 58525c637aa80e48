/*
 * The cases of spec/vectors, over a connection. Good ones have to be taken, bad ones to end it under their code. Left out
 * is what cannot be brought about from outside, or depends on when an application answers: RACES.
 */
import { readFileSync } from 'node:fs'
import { packageFile } from '../place.ts'
import { join, octets, readUint, sized, toHex, uint } from './bytes.ts'
import { type Case, type Claim, goesOn, need } from './case.ts'
import { isClosed, isGivenUp, isRejected } from './cases/handshake.ts'
import { openChannel } from './cases/steps.ts'
import { back, over } from './cases/plain.ts'
import { KINDS, type KindName, nameOf } from './frame.ts'
import { DONES, features, LIMITS, MAX_HELLO, rejectionIn } from './hello.ts'
import type { Stage } from './stage.ts'
import { TYPE } from './talk.ts'

interface Vector {
  readonly id: string
  readonly group?: string
  readonly what: string
  readonly error?: string
  readonly [more: string]: unknown
}

/** Whether these are errors depends on whether the application was faster. Cases of our own say the same with calls that wait. */
const RACES = new Set(['v1-401', 'v1-421', 'v1-422', 'v1-433', 'v1-458'])

/** It may have answered the GOODBYE before it reads what stands behind it. */
const BEHIND_GOODBYE = 'v1-478'

const read = (name: string): readonly Vector[] =>
  (JSON.parse(readFileSync(packageFile(`dist/vectors/${name}.json`), 'utf8')) as { cases: Vector[] }).cases

const bytes = (vector: Vector, name: string): Uint8Array => octets(vector[name] as string)

/** As the other side has them: dialers open odd lanes, and a case is written for one side. */
function otherLanes(payload: Uint8Array): Uint8Array {
  const copy = payload.slice()
  const flip = (at: number): void => {
    const lane = readUint(copy.subarray(at, at + 4))
    if (lane > 3) copy.set(uint(4, (lane ^ 1) >>> 0), at)
  }
  if (copy.length < 24) return copy
  flip(4)
  if (copy[0] === KINDS.CREDIT.number) for (let at = 24; at + 12 <= copy.length; at += 12) flip(at)
  return copy
}

/** A frame alone as the first of a connection: with the seq, ack and type that fit there, unless they are what is wrong. */
function asFirst(payload: Uint8Array): Uint8Array {
  const copy = payload.slice()
  if (copy.length < 24) return copy
  const seq = readUint(copy.subarray(8, 16))
  if (seq > 0 && seq < 2 ** 53) copy.set(uint(8, 1), 8)
  if (readUint(copy.subarray(16, 24)) < 2 ** 53) copy.set(uint(8, 0), 16)
  const [kind] = copy
  if (kind === KINDS.EVENT.number || kind === KINDS.VOLATILE.number) copy.set(uint(2, TYPE.say), 2)
  if (kind === KINDS.OPEN.number) copy.set(uint(2, TYPE.count), 2)
  return copy
}

type Made = Partial<Case> & Pick<Case, 'rule' | 'run'>

function ofFrame(vector: Vector): Made | undefined {
  if (vector.error === undefined && vector['ignored'] !== true) return undefined
  return {
    rule: 'Frames',
    run: async (stage) => {
      const talk = await stage.talk()
      await talk.alive()
      const payload = asFirst(bytes(vector, 'payload'))
      talk.line.put(stage.dials ? payload : otherLanes(payload))
      // What is longer than any frame ends it already by its length.
      if (vector.error !== undefined)
        return talk.ends([vector.error, ...(payload.length > 65_560 ? ['FRAME_TOO_LARGE'] : [])])
      talk.counts.sent = readUint(payload.subarray(8, 16))
      return goesOn(talk)
    },
  }
}

function ofBody(vector: Vector): Made | undefined {
  const { of, error } = vector
  const needs: readonly Claim[] = of === 'DONE' ? ['done'] : []
  if (error === undefined) return undefined
  const body = bytes(vector, 'body')
  const flags = Number(vector['flags'] ?? 0)
  return {
    rule: 'Frames: Bodies',
    needs,
    run: async (stage) => {
      // Without the feature no DONE is looked at.
      const fields = of === 'DONE' ? { features: features(DONES) } : {}
      const talk = await stage.talk({ withoutTable: of === 'TABLE', fields })
      if (of === 'prefix' && flags === 2) talk.send('EVENT', { type: TYPE.say, lane: 1, flags, body })
      else if (of === 'prefix') talk.send('REQUEST', { type: TYPE.add, lane: 5, flags, body })
      else if (of === 'fault') {
        talk.send(...openChannel())
        talk.send('RESET', { lane: 5, body })
      } else talk.send(of as KindName, { body, lane: of === 'DONE' ? 1 : 0 })
      await talk.ends(error)
    },
  }
}

function ofHello(vector: Vector, payload: Uint8Array): Made {
  const { error } = vector
  const run = async (stage: Stage): Promise<void> => {
    if (error === 'WIRE_MISMATCH') return isClosed(stage, payload)
    // Its length ends the connection, before it is known what it is.
    if (payload.length > MAX_HELLO) return isClosed(stage, payload, { answered: true })
    if (error !== undefined) return isRejected(stage, payload, error)
    const line = await stage.line()
    line.put(payload)
    const told = rejectionIn(await stage.welcomed(line))
    need(told === undefined, `it was rejected with ${told?.code ?? ''}`)
  }
  return { rule: 'Handshake', role: 'dialer', run }
}

function ofNegotiate(vector: Vector): Made | undefined {
  const { low, codecs } = vector['mine'] as { low?: number; codecs: readonly string[] }
  if (low !== undefined || !codecs.includes('json') || vector['codec'] === 'msgpack') return undefined
  return ofHello(vector, bytes(vector, 'hello'))
}

function ofWelcome(vector: Vector, payload: Uint8Array): Made | undefined {
  if (vector.error === undefined) return undefined
  return { rule: 'Handshake', role: 'listener', run: (stage) => isGivenUp(stage, () => payload) }
}

function ofTalk(vector: Vector): Made | undefined {
  const steps = vector['steps'] as readonly (readonly [way: string, text: string])[]
  const { maxMessage = LIMITS.maxMessage, role, error, table = false } = vector
  if (maxMessage !== LIMITS.maxMessage || RACES.has(vector.id) || steps.some(([way]) => way === 'out'))
    return undefined
  return {
    rule: 'Seq and ack; Lanes',
    run: async (stage) => {
      const native = (role === 'acceptor') === stage.dials
      const talk = await stage.talk(table === true ? { withoutTable: true } : { alike: true })
      const payloads = steps.map(([, text]) => octets(text)).map((one) => (native ? one : otherLanes(one)))
      talk.line.write(join(...payloads.map((one) => sized(4, one))))
      talk.counts.sent = Number(vector['received'] ?? payloads.length)
      if (error !== undefined) return talk.ends(vector.id === BEHIND_GOODBYE ? [error, ''] : error)
      if (payloads.at(-1)?.[0] !== KINDS.GOODBYE.number) return goesOn(talk)
      talk.line.end()
      await talk.until('GOODBYE', (frame) => (nameOf(frame) === 'GOODBYE' ? frame : undefined))
      return talk.streamEnds()
    },
  }
}

const MADE: Readonly<Record<string, (vector: Vector) => Made | undefined>> = {
  frame: ofFrame,
  body: ofBody,
  hello: (vector) => ofHello(vector, bytes(vector, 'payload')),
  welcome: (vector) => ofWelcome(vector, bytes(vector, 'payload')),
  negotiate: ofNegotiate,
  judge: (vector) => {
    // Of a dialer that offers something else than version 1.
    const [low, high] = bytes(vector, 'hello').subarray(17)
    return low === 1 && high === 1 ? ofWelcome(vector, bytes(vector, 'welcome')) : undefined
  },
  talk: ofTalk,
}

function ofPlain(vector: Vector): Made | undefined {
  if (vector['max'] !== 16 * 1024 * 1024) return undefined
  const payloads = (vector['payloads'] as readonly string[]).map(octets)
  const { error } = vector
  return {
    rule: 'The plain wire',
    wire: 'plain',
    run: async (stage) => {
      const line = await stage.line()
      line.write(bytes(vector, 'stream'))
      if (error !== 'FRAME_TOO_LARGE') line.end()
      if (error === undefined) for (const payload of payloads) await back(line, payload)
      if (error === undefined) return over(line)
      // What was whole before may have been answered.
      for (const due of payloads) {
        const payload = await line.payload(16 * 1024 * 1024, 'the end of the stream')
        if (typeof payload === 'string') return undefined
        need(toHex(payload) === toHex(due), 'a message came back that is not the one that was sent')
      }
      return over(line)
    },
  }
}

export function vectorCases(): Case[] {
  const v1 = read('v1').map((vector) => [vector, MADE[vector.group ?? '']?.(vector)] as const)
  const plain = read('plain').map((vector) => [vector, ofPlain(vector)] as const)
  return [...v1, ...plain].flatMap(([{ id, what }, made]) =>
    made === undefined ? [] : [{ id, what, ...made }],
  )
}
