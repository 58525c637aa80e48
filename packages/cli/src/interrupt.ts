import { constants } from 'node:os'

/**
 * Resolves at the first SIGINT or SIGTERM, which asks for an end in good order. A second one is meant: the
 * process ends at once, with the code that a shell gives to a command that died of the signal.
 */
export function firstInterrupt(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let first = true
    const onSignal = (signal: NodeJS.Signals): void => {
      if (!first) process.exit(128 + constants.signals[signal])
      first = false
      resolve(signal)
    }
    process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  })
}
