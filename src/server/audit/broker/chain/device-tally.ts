import type { Dropped } from './chain-line.ts'

/** What happened to the lines of one device since the process started. */
export class DeviceTally {
  /** Lines that the device took. */
  written = 0
  /** Lines that it did not take. */
  dropped = 0
  /** Writes that failed. */
  failures = 0
  lastError: string | undefined
  #unreported: Dropped | undefined

  /** What was dropped and is not in the device's chain yet. */
  get unreported(): Dropped | undefined {
    return this.#unreported
  }

  drop(lines: number, now: number): void {
    if (lines === 0) return
    this.dropped += lines
    const before = this.#unreported
    this.#unreported = { lines: (before?.lines ?? 0) + lines, from: before?.from ?? now, to: now }
  }

  /** `reported`: what the chain tells of now. */
  took(lines: number, reported: Dropped | undefined): void {
    this.written += lines
    const all = this.#unreported
    if (!reported || !all) return
    const left = all.lines - reported.lines
    this.#unreported = left > 0 ? { ...all, lines: left } : undefined
  }
}
