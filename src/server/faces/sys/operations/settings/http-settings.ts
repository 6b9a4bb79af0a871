/** What the API can change about HTTP itself: cross-origin requests, and headers of the console. */
import * as z from 'zod'
import type { Rows, SecretStorage } from '../../../../contracts/secret-storage.ts'

export interface CorsSettings {
  /** ["*"] or origins, compared to the letter. */
  readonly origins: readonly string[]
  /** What a preflight is told, the standard ones included. */
  readonly headers: readonly string[]
  readonly credentials: boolean
}

export type UiHeaders = Readonly<Record<string, readonly string[]>>

const corsRow = z.looseObject({
  format: z.literal(1),
  origins: z.array(z.string()),
  headers: z.array(z.string()),
  credentials: z.boolean(),
})
const uiRow = z.looseObject({ format: z.literal(1), headers: z.record(z.string(), z.array(z.string())) })

/** One for the server. What listeners ask on each request is kept here; `changed` hears of other nodes' writes. */
export class HttpSettings {
  readonly #view: SecretStorage
  #cors: CorsSettings | undefined

  constructor(options: { rows: Pick<Rows, 'view'> }) {
    this.#view = options.rows.view('core/http/')
  }

  /** As last heard: the change feed brings another node's write within a second or two. Undefined: cross-origin requests are off. */
  get cors(): CorsSettings | undefined {
    return this.#cors
  }

  /** When the server is unsealed. */
  async open(): Promise<void> {
    this.#cors = await this.readCors()
  }

  /** When it seals. */
  close(): void {
    this.#cors = undefined
  }

  async changed(keys: readonly string[] | 'reset'): Promise<void> {
    if (keys === 'reset' || keys.includes(`${this.#view.prefix}cors`)) await this.open()
  }

  readCors(): Promise<CorsSettings | undefined> {
    return this.#view.get('cors', corsRow)
  }

  async writeCors({ origins, headers, credentials }: CorsSettings): Promise<void> {
    await this.#view.transaction(async (tx) => {
      tx.put(this.#view, 'cors', { format: 1, origins, headers, credentials })
    })
    await this.open()
  }

  async removeCors(): Promise<void> {
    await this.#view.transaction(async (tx) => tx.remove(this.#view, 'cors'))
    await this.open()
  }

  async uiHeaders(): Promise<UiHeaders> {
    return (await this.#view.get('ui-headers', uiRow))?.headers ?? {}
  }

  async changeUiHeaders(change: (headers: UiHeaders) => UiHeaders): Promise<void> {
    await this.#view.transaction(async (tx) => {
      const before = (await tx.get(this.#view, 'ui-headers', uiRow))?.headers ?? {}
      tx.put(this.#view, 'ui-headers', { format: 1, headers: { ...change(before) } })
    })
  }
}
