/** What interop/python/node.py serves, as a contract of ours; and a type more on our side. */
import { z } from 'zod'
import { bytes, call, channel, feed, msg } from 'socktools'

const Has = z.object({ has: z.number() })

export const contract = {
  add: call(z.object({ a: z.number(), b: z.number() }), z.number()),
  chat: channel(z.json(), z.json()),
  count: feed(z.union([z.number(), z.object({ n: z.number(), size: z.number() })]), z.json()),
  echo: call(z.json(), z.json()),
  fail: call(Has, z.number(), { errors: { NO_FUNDS: Has } }),
  ours: call(bytes(), bytes()),
  say: msg(z.json(), { priority: 'low' }),
  wait: call(z.number(), z.number()),
}
