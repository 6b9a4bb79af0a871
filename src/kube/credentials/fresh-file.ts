import type { Clock } from '../../lib/clock.ts'

export interface FreshFileOptions {
  readonly path: string
  readonly clock: Clock
  readonly readFile: (path: string) => Promise<string>
}

const rereadMs = 60_000

/** What a file holds that others replace: read again each minute, and after `expire`. */
export class FreshFile {
  readonly #options: FreshFileOptions
  #held: { readonly text: string; readonly readAt: number } | undefined
  #reading: Promise<string> | undefined

  constructor(options: FreshFileOptions) {
    this.#options = options
  }

  /** Throws only when the file could never be read: what it held before may still be good, and is better than nothing. */
  current(): string | Promise<string> {
    const held = this.#held
    if (held && this.#options.clock.monotonic() - held.readAt < rereadMs) return held.text
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  /** What was read may be out of date. */
  expire(): void {
    if (this.#held) this.#held = { ...this.#held, readAt: Number.NEGATIVE_INFINITY }
  }

  async #read(): Promise<string> {
    const { path, clock, readFile } = this.#options
    const readAt = clock.monotonic()
    try {
      const text = await readFile(path)
      if (text.trim() === '') throw new Error(`the file ${path} is empty`)
      this.#held = { text, readAt }
    } catch (error) {
      if (!this.#held) throw error
    }
    return this.#held.text
  }
}
