/** A wall clock for a server under test, set while it runs. */
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

export class SteppedClock {
  readonly #file: string

  constructor(folder: string, name: string) {
    this.#file = join(folder, name)
    this.set(0)
  }

  /** For node. */
  get args(): string[] {
    const url = pathToFileURL(join(import.meta.dirname, 'clock-step.mjs'))
    url.searchParams.set('at', this.#file)
    return ['--import', url.href]
  }

  /** From the next few milliseconds on. */
  set(aheadMs: number): void {
    writeFileSync(`${this.#file}.new`, String(aheadMs))
    renameSync(`${this.#file}.new`, this.#file)
  }
}
