import type { Contract, TypeInfo } from './protocol.ts'

/** SHA-256; it comes from the platform. */
export type Hash = (bytes: Uint8Array) => Uint8Array

const utf8 = new TextEncoder()

/** What two peers must have alike to mean the same: names, kinds and structures, as canonical text. */
export const fingerprintInput = ({ types }: Contract): string =>
  JSON.stringify(types.map(({ name, kind, structure }) => [name, kind, structure ?? null]))

/** 16 bytes: the first half of SHA-256. */
export const fingerprint = (contract: Contract, hash: Hash): Uint8Array =>
  hash(utf8.encode(fingerprintInput(contract))).slice(0, 16)

/** 8 bytes for the structure of one type: zeros where it is unknown. */
export const structureHash = ({ structure }: TypeInfo, hash: Hash): Uint8Array =>
  structure === undefined ? new Uint8Array(8) : hash(utf8.encode(structure)).slice(0, 8)
