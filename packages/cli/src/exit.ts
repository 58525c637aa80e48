/** What the process ends with; part of the interface, told in `socktools --help`. */
export const EXIT = { ok: 0, failed: 1, usage: 2, unknown: 3 } as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]
