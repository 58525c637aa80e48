// Ours over wire v1 once more, without sessions: what they cost.
import * as v1 from './v1.mjs'

/** @type {import('./index.mjs').Listen} */
export const listen = (onMessage, job) => v1.listen(onMessage, { ...job, sessions: false })

/** @type {import('./index.mjs').Dial} */
export const dial = (port, onMessage, job) => v1.dial(port, onMessage, { ...job, sessions: false })
