import os from 'node:os'

/** Whether this machine has ::1. */
export const ipv6 = Object.values(os.networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === '::1'),
)
