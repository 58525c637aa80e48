import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Chaos, chaos } from 'socktools/testing'
import { readJournal } from './journal.ts'
import { JOURNAL, type Orders, type OrdersFault, type OrdersPlan, type Word, judge } from './orders.ts'
import { Party, self } from './parties.ts'

/** Orders that are posted into a connection that is about to be cut, or handled by one that cannot tell any more. */
const BEHIND = 32
/** Each quarter of the orders is to be longer than that. */
const FEWEST = 8 * BEHIND

/** Runs shop and warehouse, breaks what is between them and kills both, and judges. `end` ends what still runs. */
export function openOrders(
  wanted: number,
  fault: OrdersFault | undefined,
): { done: Promise<Orders>; end: () => Promise<void> } {
  const upheaval = new Upheaval(Math.max(FEWEST, wanted), fault)
  return { done: upheaval.run(), end: () => upheaval.end() }
}

class Upheaval {
  readonly #folder = mkdtempSync(join(tmpdir(), 'socktools-demo-'))
  readonly #orders: number
  readonly #fault: OrdersFault | undefined
  readonly #parties: Party<Word>[] = []
  #proxy: Chaos | undefined
  #cut = 0
  #killed = 0
  /** What the two have told. */
  #accepted = 0
  #settled = 0
  #met = 0
  #handled = 0
  #duplicates = 0
  #feed: { readonly items: number; readonly why: string | null } | undefined
  /** Somebody waits for what is told next. */
  #onWord: () => void = () => undefined
  #ended = false

  constructor(orders: number, fault: OrdersFault | undefined) {
    this.#orders = orders
    this.#fault = fault
  }

  async run(): Promise<Orders> {
    const began = performance.now()
    const all = this.#orders
    const [first, second, third] = [all >> 2, all >> 1, (3 * all) >> 2]

    // Windows has no Unix sockets; elsewhere nobody else can take this address while nobody listens there.
    const bind =
      process.platform === 'win32' ? 'tcp://127.0.0.1:0' : `unix:${join(this.#folder, 'warehouse')}`
    let warehouse = this.#enter('warehouse', bind)
    const address = await warehouse.listening
    const proxy = await chaos({ listen: 'tcp://127.0.0.1:0', to: address })
    this.#proxy = proxy
    let shop = this.#enter('shop', proxy.address, second)
    shop.tell(first)
    await this.#until(() => this.#handled >= first - BEHIND)

    // Frozen first, so that something is underway for sure when it is cut.
    proxy.freeze()
    shop.tell(second)
    await this.#until(() => this.#accepted >= first + BEHIND)
    this.#cut += proxy.cut()
    proxy.release()
    await this.#until(() => this.#feed !== undefined)
    const { items, why } = this.#feed ?? { items: 0, why: null }

    await this.#until(() => this.#settled >= second)
    // What it handles now it cannot tell: it comes again for sure.
    proxy.freeze('down')
    shop.tell(third)
    await this.#until(() => this.#handled >= second + BEHIND)
    await this.#kill(warehouse)
    // With what it had told, which is frozen: the shop never hears of it.
    proxy.cut()
    proxy.release()
    warehouse = this.#enter('warehouse', address)
    await warehouse.listening

    await this.#until(() => this.#met === 2 && this.#settled >= third)
    proxy.freeze('down')
    shop.tell(all)
    await this.#until(() => this.#handled >= third + BEHIND)
    await this.#kill(shop)
    proxy.release()
    shop = this.#enter('shop', proxy.address)
    shop.tell(all)
    await Promise.race([shop.ended, tooEarly(warehouse)])
    warehouse.tell('enough')
    await warehouse.ended

    const verdict = judge({
      ...{ orders: all, cut: this.#cut, killed: this.#killed, duplicates: this.#duplicates },
      ...{ journal: readJournal(join(this.#folder, JOURNAL)).entries, items, due: second, feed: why },
    })
    return { ...verdict, seconds: (performance.now() - began) / 1000 }
  }

  async end(): Promise<void> {
    this.#ended = true
    for (const party of this.#parties) party.kill()
    await Promise.all([
      this.#proxy?.close(),
      ...this.#parties.map(({ ended }) => ended.catch(() => undefined)),
    ])
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 })
  }

  #enter(role: 'shop' | 'warehouse', address: string, items = 0): Party<Word> {
    // Whoever comes too late would be left behind.
    if (this.#ended) throw new Error('ended')
    const plan: OrdersPlan = {
      ...{ name: `the ${role}`, folder: this.#folder, address, orders: this.#orders, items },
      fault: this.#fault,
    }
    const party = new Party<Word>(plan, self(`demo-${role}`), (word) => {
      this.#hear(word)
    })
    this.#parties.push(party)
    return party
  }

  #hear(word: Word): void {
    if ('accepted' in word) this.#accepted = word.accepted
    else if ('settled' in word) this.#settled = word.settled
    else if ('met' in word) this.#met = word.met
    else if ('handled' in word) this.#handled = word.handled
    else if ('duplicates' in word) this.#duplicates = word.duplicates
    else this.#feed = word
    this.#onWord()
  }

  /** Rejects when one of those who should be running has ended. */
  async #until(is: () => boolean): Promise<void> {
    const ends = this.#parties.filter(({ killed }) => !killed).map(tooEarly)
    const said = new Promise<void>((resolve) => {
      this.#onWord = () => {
        if (is()) resolve()
      }
      this.#onWord()
    })
    await Promise.race([said, ...ends])
  }

  async #kill(party: Party<Word>): Promise<void> {
    party.kill()
    await party.ended.catch(() => undefined)
    this.#killed++
  }
}

async function tooEarly({ name, ended }: Party<Word>): Promise<never> {
  await ended
  throw new Error(`${name} ended too early`)
}
