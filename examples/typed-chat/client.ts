/** A guest of the room: see server.ts. Lines that are typed go to the others; /who tells who is here. */
import { createInterface } from 'node:readline'
import { isCallError, TcpSock } from 'socktools'
import { protocol } from './protocol.ts'

const [name = 'ann', address = 'tcp://127.0.0.1:4000'] = process.argv.slice(2)
let spoke = performance.now()

const guest = new TcpSock({
  protocol,
  handlers: {
    said: ({ from, text }) => {
      console.log(`${from}: ${text}`)
    },
    idle: () => Math.floor((performance.now() - spoke) / 1000),
  },
})
const room = await guest.connectTo(address)

/** Under the name that the room has free, where that one is taken. */
async function enter(as: string): Promise<void> {
  try {
    const here = await room.request('enter', { name: as })
    console.log(`you are ${as}; here: ${here.join(', ') || 'nobody else'}`)
  } catch (error) {
    if (!isCallError(error, protocol.enter, 'NAME_TAKEN')) throw error
    // What it comes with was checked by the schema of this error.
    await enter(error.data.free)
  }
}

await enter(name)
const gone = new Promise((resolve) => guest.on('gone', resolve))
const typed = createInterface({ input: process.stdin })
void gone.then(() => {
  typed.close()
})
for await (const text of typed) {
  spoke = performance.now()
  if (text === '/who') {
    for (const one of await room.request('who')) console.log(`* ${one.name}, silent for ${one.idle} s`)
  } else if (text !== '') await room.sendMsg('say', { text })
}
await guest.drain()
