import type { Readable } from 'node:stream'
import { lines } from 'socktools'

/**
 * The lines of a stream as bytes, a chunk's worth at a time; the next chunk is read when they have been taken.
 * LF and CR LF both end a line, and the last one needs no ending. Holds at most `max` bytes and a chunk.
 */
export async function* readLines(input: Readable, max: number): AsyncGenerator<Uint8Array[], void> {
  let whole: Uint8Array[] = []
  const decoder = lines({ max }).decoder((line) => whole.push(line), max)
  let tooLong: Error | undefined
  const feed = (step: () => void): Uint8Array[] => {
    whole = []
    try {
      step()
    } catch (cause) {
      tooLong = new Error(`a line of stdin is longer than ${max} bytes: split it, or raise --max-frame`, {
        cause,
      })
    }
    return whole
  }
  for await (const chunk of input as AsyncIterable<Uint8Array>) {
    yield feed(() => decoder.push(chunk))
    if (tooLong !== undefined) throw tooLong
  }
  yield feed(() => decoder.finish?.())
  if (tooLong !== undefined) throw tooLong
}
