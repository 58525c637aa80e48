/** Tells the test something: one line of JSON. */
export function say(what: unknown): void {
  process.stdout.write(`${JSON.stringify(what)}\n`)
}

/** Resolves when the test tells something; this process may end after that. */
export function told(): Promise<void> {
  return new Promise((resolve) => {
    process.stdin.once('data', () => {
      process.stdin.destroy()
      resolve()
    })
  })
}
