/** A reporter of node:test that ends the process at the first test that fails: one is enough to kill a mutant. */
export default async function* bail(events) {
  for await (const { type, data } of events) {
    if (
      type !== 'test:fail' ||
      data.todo !== undefined ||
      data.details.error?.failureType === 'subtestsFailed'
    )
      continue
    process.stdout.write(`${data.file ?? ''} ${data.name}: ${data.details.error?.message}\n`)
    process.exit(1)
  }
  yield ''
}
