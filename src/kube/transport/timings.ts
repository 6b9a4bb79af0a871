/** How long the client waits for what, in milliseconds. */
export interface Timings {
  /** For TCP and TLS. */
  readonly connectMs: number
  /** For a whole answer; of a list, which may be large and the link slow, for the next piece of it. */
  readonly answerMs: number
  /** For the next byte of a watch: the link may be half open. Servers send bookmarks about each minute. */
  readonly silentMs: number
  /** A watch that ended sooner counts as a failure, else we would ask in a tight loop. */
  readonly shortStreamMs: number
  /** Between tries of a watch: doubles from the first to the longest. */
  readonly firstRetryMs: number
  readonly longestRetryMs: number
}

export const defaultTimings: Timings = {
  connectMs: 10_000,
  // A mutating call may wait for webhooks, 30 s at most each.
  answerMs: 90_000,
  silentMs: 90_000,
  shortStreamMs: 5_000,
  firstRetryMs: 1_000,
  longestRetryMs: 30_000,
}
