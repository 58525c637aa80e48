/** What the room and its guests can say to each other. Both import this, and nothing of one another. */
import { call, msg, nothing } from 'socktools'
import { z } from 'zod'

/** Nobody's control characters reach the terminals of the others. */
const Shown = z.string().regex(/^\P{C}+$/u)
const Name = Shown.max(20)
const Line = z.object({ from: Name, text: Shown.max(500) })

export const protocol = {
  // Guests ask, the room answers.
  enter: call(z.object({ name: Name }), z.array(Name), {
    errors: { NAME_TAKEN: z.object({ free: Name }), FULL: undefined },
  }),
  who: call(nothing(), z.array(z.object({ name: Name, idle: z.number() }))),

  // The room asks, guests answer: for how many seconds they have been silent.
  idle: call(nothing(), z.number(), { deadline: 1000 }),

  /** A guest to the room. */
  say: msg(z.object({ text: Shown.max(500) })),
  /** The room to its guests. */
  said: msg(Line),
}
