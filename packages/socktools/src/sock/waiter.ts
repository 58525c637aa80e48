/** A promise for all who wait for the same thing. Marked handled: a forgotten await ends no process. */
export class Waiter<T = void> {
  readonly promise: Promise<T>
  resolve: (value: T) => void = nothing
  reject: (error: Error) => void = nothing

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    this.promise.catch(nothing)
  }
}

/** A rejected promise that may be forgotten. */
export function rejected(error: Error): Promise<never> {
  const promise = Promise.reject(error)
  promise.catch(nothing)
  return promise
}

const nothing = (): void => undefined
