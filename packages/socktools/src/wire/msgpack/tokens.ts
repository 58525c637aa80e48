/** The first byte of each form, as https://github.com/msgpack/msgpack/blob/master/spec.md has them. */

/** From these on: with the number or the length in the byte itself. Integers are below FIXMAP, and from NEGATIVE on. */
export const FIXMAP = 0x80
export const FIXARRAY = 0x90
export const FIXSTR = 0xa0
export const NEGATIVE = 0xe0

export const NIL = 0xc0
export const NEVER_USED = 0xc1
export const FALSE = 0xc2
export const TRUE = 0xc3

/** From these on: with 8, 16, 32 and, of integers, 64 bits. */
export const BIN = 0xc4
export const UINT = 0xcc
export const UINT_64 = 0xcf
export const INT = 0xd0
export const INT_64 = 0xd3
export const STR = 0xd9

/** From these on: with 16 and 32 bits. */
export const ARRAY = 0xdc
export const MAP = 0xde

export const FLOAT_32 = 0xca
export const FLOAT_64 = 0xcb

/** Extensions, by how many bytes they have. */
export const EXT_8 = 0xc7
export const FIXEXT_4 = 0xd6
export const FIXEXT_8 = 0xd7

/** The type of the only extension there is here: -1. It has 4, 8 or 12 bytes. */
export const TIMESTAMP = 0xff
