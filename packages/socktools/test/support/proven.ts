/** A node with an identity in a process of its own, and what it can be told. */
import { z } from 'zod'
import { call, msg, type SockOptions, type SockStats } from '../../src/index.ts'
import { Child, type Ending } from './child.ts'

export const protocol = { say: msg(z.string()), echo: call(z.string(), z.string()) }

export interface ProvenOptions extends Omit<SockOptions, 'store' | 'protocol' | 'handlers' | 'codec'> {
  /** Path of its key. */
  readonly key: string
  /** Path of its outbox, if it has one. */
  readonly store?: string
}

export type Order =
  | { readonly do: 'report'; readonly anew?: boolean }
  | { readonly do: 'dial'; readonly to: string }
  | { readonly do: 'send'; readonly texts: readonly string[] }
  | { readonly do: 'post'; readonly to: string; readonly texts: readonly string[] }
  | { readonly do: 'talk'; readonly to: string; readonly tag: string }

export interface ProvenReport {
  readonly stats: SockStats
  /** Since the last report that was to begin anew: what its handlers got, and how connections ended. */
  readonly handled: readonly string[]
  readonly ends: readonly string[]
  /** How often goodPeer was asked. */
  readonly asked: number
  /** Of the peer that it dialed. */
  readonly state: string | undefined
}

/** What came of one short session: of the dialer, who says one message, asks for one answer, and takes its leave. */
export interface Talk {
  /** Why it broke off. */
  readonly code?: string
  readonly answer?: string
  readonly status?: string
  readonly told: readonly string[]
  readonly failed: Readonly<Record<string, number>>
}

/** A hang is a failure, in milliseconds. */
const PATIENCE = 20_000

/** A node in a process of its own. */
export class Proven {
  readonly child: Child
  /** With its id; empty: it does not listen. */
  readonly address: string
  readonly #waiting = new Map<number, (result: unknown) => void>()
  #n = 0

  private constructor(child: Child, address: string) {
    this.child = child
    this.address = address
    void this.#hear()
  }

  static async start(t: Ending, options: ProvenOptions): Promise<Proven> {
    const child = Child.start(t, 'proven', JSON.stringify(options))
    return new Proven(child, (await child.hear<string | null>()) ?? '')
  }

  get port(): number {
    return Number(new URL(this.address).port)
  }

  async #hear(): Promise<void> {
    for (;;) {
      const said = await this.child.hear<{ n: number; result: unknown }>().catch(() => undefined)
      if (said === undefined) return
      this.#waiting.get(said.n)?.(said.result)
      this.#waiting.delete(said.n)
    }
  }

  #do<T>(order: Order): Promise<T> {
    const n = ++this.#n
    this.child.tell(JSON.stringify({ n, order }))
    return Promise.race([
      new Promise<T>((resolve) => this.#waiting.set(n, resolve as (result: unknown) => void)),
      this.child.exit.then(() => {
        throw new Error(`the node ended: ${this.child.errors}`)
      }),
    ])
  }

  report(anew = false): Promise<ProvenReport> {
    return this.#do({ do: 'report', anew })
  }

  /** To `connected`, or the code of why not. */
  dial(to: string): Promise<string> {
    return this.#do({ do: 'dial', to })
  }

  send(...texts: string[]): Promise<string> {
    return this.#do({ do: 'send', texts })
  }

  post(to: string, ...texts: string[]): Promise<string> {
    return this.#do({ do: 'post', to, texts })
  }

  talk(to: string, tag: string): Promise<Talk> {
    return this.#do({ do: 'talk', to, tag })
  }

  /** The first report of which `holds` is true. */
  async until(holds: (report: ProvenReport) => boolean, what: string): Promise<ProvenReport> {
    const until = performance.now() + PATIENCE
    for (;;) {
      const report = await this.report()
      if (holds(report)) return report
      if (performance.now() > until) throw new Error(`never ${what}: ${JSON.stringify(report)}`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}
