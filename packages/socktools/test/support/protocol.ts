/** A protocol as a module: what each export is called is a type. */
import { z } from 'zod'
import { call, msg } from '../../src/contract/declare.ts'

export const say = msg(z.string())
export const ask = call(z.string(), z.number())
